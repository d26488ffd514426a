#include "tools/nemo-bench/collectives.h"

#include <algorithm>
#include <fnmatch.h>
#include <memory>
#include <utility>

#include "kernels/comm/mpi_comm.h"
#include "kernels/comm/run_ranks.h"
#include "libcore/base/format.h"
#include "tools/common/one_voice.h"
#include "tools/common/world_flags.h"
#include "tools/nemo-bench/comm/collective.h"
#include "tools/nemo-bench/comm/device_sum.h"
#include "tools/nemo-bench/measure/machine.h"

namespace nemo {
namespace {

constexpr int64_t kMaxRanks = 1024;

struct Cell {
  const CollectiveRow* row;
  std::string name;
  int64_t size_bytes;
};

bool HasDevices(const CollectivesOptions& options) {
  return options.backend.name != "cpu" && options.backend.name != "reference";
}

/// This rank's accelerator, joined with those of the others. Collective.
struct Joined {
  std::unique_ptr<Backend> backend;
  RankDevice device;
};
Result<Joined> JoinDevices(const CollectivesOptions& options, Communicator& world) {
  Joined joined;
  if (!HasDevices(options)) return joined;
  BackendChoice choice = options.backend;
  choice.device += world.rank();
  NEMO_ASSIGN_OR_RETURN(joined.backend, MakeBackend(choice, 1));
  NEMO_ASSIGN_OR_RETURN(GroupSum* const sum, joined.backend->JoinGroup(world));
  if (sum == nullptr) {
    return Unavailable(
        "the ranks' accelerators can only be summed through the host: they do not see each other's "
        "memory, and NCCL is not here or has one device for two ranks");
  }
  NEMO_ASSIGN_OR_RETURN(StageLink* const link,
                        joined.backend->JoinStages(world, NeighboursOf(world)));
  joined.device = {joined.backend.get(), sum, link};
  return joined;
}

bool IsOnDevice(const CollectiveRow& row) {
  return &row == &DeviceSumRow() || &row == &DeviceSendRow();
}

Result<CollectiveResult> MeasureOnDevice(const Cell& cell, const RankDevice& device,
                                         Communicator& world, int64_t runs) {
  const auto prepare = cell.row == &DeviceSumRow() ? PrepareDeviceSum : PrepareDeviceSend;
  return MeasureCollective([&] { return prepare(device, world, cell.size_bytes); }, world, runs);
}

Result<std::vector<Cell>> CellsOf(const CollectivesOptions& options, int64_t ranks) {
  // A rank has two buffers at most, or one of its own and one of all.
  const int64_t available = AvailableMemoryBytes();
  if (available >= 0 && options.max_bytes > available / (2 * ranks)) {
    return IoError(
        Format("--max-bytes: {} ranks with messages of {} do not fit the free memory of {}", ranks,
               FormatBytes(options.max_bytes), FormatBytes(available)));
  }
  const std::string pattern = "*" + options.filter + "*";
  std::vector<Cell> cells;
  std::string known;
  std::vector<const CollectiveRow*> rows;
  for (const CollectiveRow& row : CollectiveRows()) rows.push_back(&row);
  if (HasDevices(options)) rows.insert(rows.end(), {&DeviceSumRow(), &DeviceSendRow()});
  for (const CollectiveRow* each : rows) {
    const CollectiveRow& row = *each;
    known += (known.empty() ? "" : ", ") + std::string(row.name);
    for (int64_t size = options.min_bytes; size <= options.max_bytes; size *= options.factor) {
      std::string name = Format("{}/r{}/{}", row.name, ranks, size);
      if (fnmatch(pattern.c_str(), name.c_str(), 0) == 0) {
        cells.push_back({&row, std::move(name), size});
      }
    }
  }
  if (cells.empty()) {
    return InvalidArgument(
        Format("--filter, --min-bytes, --max-bytes: nothing is left of {}", known));
  }
  return cells;
}

Record MakeRecord(const Cell& cell, int64_t ranks, const std::string& transport,
                  const CollectiveResult& result) {
  Record record;
  record.name = cell.name;
  record.operation = cell.row->name;
  record.shape = Format("{} ranks, {}", ranks, FormatBytes(cell.size_bytes));
  record.dtype = "fp32";
  record.backend = transport;
  record.time = result.time;
  const Bandwidths bandwidths = BandwidthsOf(*cell.row, ranks, cell.size_bytes, result.time.median);
  record.rates = {{"algbw GB/s", bandwidths.algorithm / 1e9}, {"busbw GB/s", bandwidths.bus / 1e9}};
  record.error = static_cast<double>(result.num_wrong);
  // Here the call itself is what is measured, many of them at a time.
  record.warnings = WarningsOf(record.time, kEnoughRuns, 0);
  if (result.num_wrong > 0) {
    record.warnings.push_back(Format("{} elements are wrong", result.num_wrong));
  }
  return record;
}

/// Everything on one world; rank 0 fills in the report.
Status MeasureWorld(const CollectivesOptions& options, Communicator& world, const char* transport,
                    const Console& console, Report* report) {
  NEMO_ASSIGN_OR_RETURN(const std::vector<Cell> cells, CellsOf(options, world.size()));
  NEMO_ASSIGN_OR_RETURN(const Joined joined, JoinDevices(options, world));
  bool is_left_out = false;
  for (const Cell& cell : cells) {
    if (cell.row == &DeviceSendRow() && joined.device.link == nullptr) {
      is_left_out = true;
      continue;
    }
    if (world.rank() == 0) console.Detail(cell.name);
    NEMO_ASSIGN_OR_RETURN(const CollectiveResult result,
                          IsOnDevice(*cell.row)
                              ? MeasureOnDevice(cell, joined.device, world, options.runs)
                              : MeasureCollective(*cell.row, world, cell.size_bytes, options.runs));
    if (world.rank() == 0) {
      const std::string way = cell.row == &DeviceSumRow()    ? joined.device.sum->Describe()
                              : cell.row == &DeviceSendRow() ? "NCCL"
                                                             : transport;
      report->records.push_back(MakeRecord(cell, world.size(), way, result));
    }
  }
  if (is_left_out && world.rank() == 0) {
    report->notes.push_back(
        Format("no row device_send_recv/r{}: ranks share a device, or NCCL is "
               "not here, and send through the host",
               world.size()));
  }
  return OkStatus();
}

/// False: another rank speaks.
Result<bool> MeasureAll(const CollectivesOptions& options, const Console& console, Report* report) {
  if (!LaunchedByMpi()) {
    report->subject = "ranks are threads of this process";
    for (const int64_t ranks : options.ranks) {
      const auto body = [&](Communicator& world) {
        return MeasureWorld(options, world, "threads", console, report);
      };
      NEMO_RETURN_IF_ERROR(RunRanks(static_cast<int>(ranks), body, options.comm));
    }
    return true;
  }
  NEMO_ASSIGN_OR_RETURN(const std::unique_ptr<Communicator> world, MakeMpiWorld(options.comm));
  report->subject = Format("{} processes, MPI", world->size());
  const Status status = world->size() < 2
                            ? InvalidArgument("one process has nobody to talk to: mpirun -n 2")
                            : MeasureWorld(options, *world, "MPI", console, report);
  NEMO_RETURN_IF_ERROR(EndWorld(*world, status));
  return world->rank() == 0;
}

Result<bool> Run(const CollectivesOptions& options, const Console& console) {
  NEMO_RETURN_IF_ERROR(CheckOutput(options.output));
  // Once before there are ranks, which would put their numbers in front of the message.
  for (const int64_t ranks : options.ranks) {
    if (ranks < 2 || ranks > kMaxRanks) {
      return InvalidArgument(Format("--ranks: numbers from 2 to {} are wanted", kMaxRanks));
    }
    NEMO_RETURN_IF_ERROR(CellsOf(options, ranks).error());
  }
  Report report;
  report.verb = "collectives";
  report.threads = console.threads();
  report.machine = MachineFacts();
  report.state_before = MachineState();
  NEMO_ASSIGN_OR_RETURN(const bool speaks, MeasureAll(options, console, &report));
  if (!speaks) return true;
  report.state_after = MachineState();
  const int cores = static_cast<int>(report.machine.Find("cores")->as_int());
  if (!LaunchedByMpi() && *std::max_element(options.ranks.begin(), options.ranks.end()) > cores) {
    report.notes.push_back(Format("more ranks than the {} cores: they take turns", cores));
  }
  NEMO_ASSIGN_OR_RETURN(const bool held, Deliver(report, options.output, console));
  return held && std::all_of(report.records.begin(), report.records.end(),
                             [](const Record& r) { return r.error.value_or(0) == 0; });
}

}  // namespace

Tool CollectivesTool(CollectivesOptions* options) {
  Tool tool;
  tool.name = "nemo-bench collectives";
  tool.summary =
      "Times what ranks say to one another: all_reduce, all_gather, broadcast and send_recv over "
      "message sizes, each result checked. Ranks are threads of this process; under mpirun or "
      "srun, "
      "the processes that were started.";
  tool.groups = {{"Messages",
                  {{.name = "ranks",
                    .value = "N,N...",
                    .help = "ranks as threads (default 2); mpirun decides for itself",
                    .set = SetIntList(&options->ranks)},
                   {.name = "min-bytes",
                    .letter = 'b',
                    .value = "BYTES",
                    .help = "the smallest message (default 1KiB)",
                    .set = SetBytes(&options->min_bytes, 4)},
                   {.name = "max-bytes",
                    .letter = 'e',
                    .value = "BYTES",
                    .help = "the largest (default 16MiB)",
                    .set = SetBytes(&options->max_bytes, 4)},
                   {.name = "step-factor",
                    .letter = 'f',
                    .value = "N",
                    .help = "from one size to the next (default 4)",
                    .set = SetInt(&options->factor, 2, 1 << 20)},
                   {.name = "runs",
                    .value = "N",
                    .help = "of each (default 30)",
                    .set = SetInt(&options->runs, 1, 100'000)},
                   {.name = "filter",
                    .value = "PATTERN",
                    .help = "only rows whose name has this in it: 'all_reduce', 'r2/4096'",
                    .set = SetText(&options->filter)},
                   PeerTimeoutFlag(&options->comm)}},
                 {"Accelerators, timed too", BackendFlags(&options->backend)},
                 OutputFlags(&options->output)};
  tool.details =
      "Sizes and bandwidths are those of nccl-tests: algbw is size over time; busbw is what one "
      "link "
      "carries, 2(n-1)/n of it for all_reduce, (n-1)/n for all_gather, all of it for the others. "
      "error "
      "counts wrong elements.";
  tool.example = "mpirun -n 4 nemo-bench collectives -b 8 -e 64MiB -f 2";
  tool.no_means = std::string(kFractionMissed) + ", or a result is wrong";
  tool.run = [options](const Console& console) { return Run(*options, console); };
  return tool;
}

}  // namespace nemo
