#include "tools/nemo-bench/kernels.h"

#include <algorithm>
#include <chrono>
#include <fnmatch.h>
#include <optional>
#include <thread>
#include <utility>

#include "kernels/reference/backend.h"
#include "libcore/base/file.h"
#include "libcore/base/format.h"
#include "tools/common/model_yaml.h"
#include "tools/common/table.h"
#include "tools/nemo-bench/measure/gpu_state.h"
#include "tools/nemo-bench/measure/machine.h"
#include "tools/nemo-bench/measure/repeat.h"
#include "tools/nemo-bench/ops/op.h"

namespace nemo {
namespace {

/// More than this between the probes before and after, and the fractions are worth little.
constexpr double kMuchDrift = 0.15;

/// Copies of a row's buffers together hold so many last-level caches. Two would leave a third of
/// them in a cache that keeps what is thrown out of the one below it.
constexpr int64_t kRotatedCaches = 8;

/// A case with the row it belongs to.
struct NamedCase {
  std::string operation;
  std::string name;
  OpCase op;
};

Result<OpSizes> SizesOf(const KernelsOptions& options) {
  if (options.model.empty()) {
    return InvalidArgument(
        "--model is missing: the YAML file of a model's sizes; configs/models has some");
  }
  OpSizes sizes;
  NEMO_ASSIGN_OR_RETURN(sizes.config, LoadModelYaml(options.model));
  NEMO_ASSIGN_OR_RETURN(const ParallelLayout layout, ParseLayout(options.layout));
  NEMO_ASSIGN_OR_RETURN(sizes.shape, ShapeOfRank(sizes.config, layout, 0));
  sizes.tokens = options.tokens;
  sizes.batches = options.batches;
  sizes.lengths = options.lengths;
  for (const auto& [flag, list] :
       {std::pair("--tokens", &sizes.tokens), std::pair("--batches", &sizes.batches),
        std::pair("--lengths", &sizes.lengths)}) {
    constexpr int64_t kMost = 1 << 20;
    if (list->empty() || *std::min_element(list->begin(), list->end()) < 1 ||
        *std::max_element(list->begin(), list->end()) > kMost) {
      return InvalidArgument(Format("{}: numbers from 1 to {} are wanted", flag, kMost));
    }
    std::sort(list->begin(), list->end());
  }
  if (sizes.tokens.back() > sizes.config.max_position_embeddings) {
    return InvalidArgument(Format("--tokens: {} is beyond the model's context of {}",
                                  sizes.tokens.back(), sizes.config.max_position_embeddings));
  }
  return sizes;
}

Result<std::vector<NamedCase>> CasesOf(const KernelsOptions& options, const OpSizes& sizes) {
  const std::string pattern = "*" + options.filter + "*";
  std::vector<NamedCase> cases;
  std::string known;
  for (const OpRow& row : OpRows()) {
    known += (known.empty() ? "" : ", ") + std::string(row.name);
    for (OpCase& op : row.cases(sizes)) {
      std::string name = Format("{}/{}", row.name, op.name);
      if (fnmatch(pattern.c_str(), name.c_str(), 0) != 0) continue;
      cases.push_back({std::string(row.name), std::move(name), std::move(op)});
    }
  }
  if (cases.empty()) {
    return InvalidArgument(
        Format("--filter: no row matches '{}'; operations: {} (--list shows all "
               "rows)",
               options.filter, known));
  }
  return cases;
}

std::string Subject(const KernelsOptions& options, const OpSizes& sizes) {
  std::string name = BaseName(options.model);
  name.resize(name.rfind('.'));
  if (sizes.shape.tp_size == 1) return name;
  return Format("{}, a rank of TP{}", name, sizes.shape.tp_size);
}

std::string ListText(const std::vector<NamedCase>& cases) {
  constexpr auto kRight = Table::Align::kRight;
  Table table({{"name"}, {"shape"}, {"dtype"}, {"bytes", kRight}, {"FLOP/byte", kRight}});
  for (const NamedCase& item : cases) {
    table.AddRow({item.name, item.op.shape, item.op.dtype,
                  FormatBytes(static_cast<int64_t>(item.op.work.bytes())),
                  Format("{:.2f}", item.op.work.intensity())});
  }
  return table.ToText(TableWidth());
}

Value ListValue(const std::vector<NamedCase>& cases) {
  Value::Array rows;
  for (const NamedCase& item : cases) {
    Value row;
    row.Set("name", item.name);
    row.Set("shape", item.op.shape);
    row.Set("dtype", item.op.dtype);
    row.Set("bytes", item.op.work.bytes());
    row.Set("flops", item.op.work.flops);
    rows.push_back(std::move(row));
  }
  Value value;
  value.Set("rows", std::move(rows));
  return value;
}

class Bench {
 public:
  Bench(const KernelsOptions& options, Backend& backend, int threads)
      : options_(options),
        backend_(backend),
        reference_(CreateReferenceBackend()),
        context_{backend, threads, kRotatedCaches * LastLevelCacheBytes()} {
    const BackendRow& row = RowOf(backend);
    if (row.library_name != nullptr) context_.library_name = row.library_name(backend);
    if (!context_.library_name.empty()) context_.library_linear = row.library_linear;
    repeat_.min_runs = options.runs;
    repeat_.max_seconds = options.max_seconds;
    // Where calls only enqueue, a wait after each would be most of the time.
    if (!backend.host_memory()) repeat_.min_sample_seconds = 1e-3;
  }

  Result<Record> Measure(const NamedCase& item) {
    Record record;
    record.name = item.name;
    record.operation = item.operation;
    record.shape = item.op.shape;
    record.dtype = item.op.dtype;
    record.backend = DescribeBackend(backend_);
    record.work = item.op.work;
    NEMO_RETURN_IF_ERROR(CheckMemory(item.op));
    {
      NEMO_ASSIGN_OR_RETURN(const std::unique_ptr<PreparedOp> op, item.op.prepare(context_));
      NEMO_ASSIGN_OR_RETURN(record.time, Time(*op));
      if (!options_.no_check) {
        NEMO_ASSIGN_OR_RETURN(record.error, op->Error(*reference_));
      }
    }
    record.warnings = WarningsOf(record.time);
    if (item.op.prepare_peer && !PeerName(item.op).empty() && !options_.no_peer) {
      NEMO_RETURN_IF_ERROR(MeasurePeer(item.op, &record));
    }
    return record;
  }

 private:
  Result<Summary> Time(PreparedOp& op) {
    return Repeat(
        repeat_, [&](int64_t call) { return op.Run(call); },
        [&] { return backend_.Synchronize(); });
  }

  Status MeasurePeer(const OpCase& op, Record* record) {
    auto prepared = op.prepare_peer(context_);
    if (prepared.error().code() == StatusCode::kUnsupported) {
      record->warnings.push_back(prepared.error().message());
      return OkStatus();
    }
    NEMO_RETURN_IF_ERROR(prepared.error());
    NEMO_ASSIGN_OR_RETURN(const Summary time, Time(**prepared));
    record->peer = Peer{PeerName(op), time};
    // Its threads go on spinning for a while after its last call.
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    return OkStatus();
  }

  /// Who computes beside a backend: the device's own library, or on the host what the row names.
  std::string PeerName(const OpCase& op) const {
    return backend_.host_memory() ? op.peer_name : context_.library_name;
  }

  /// Inputs lie in host memory once and in the backend's once while they are prepared.
  static Status CheckMemory(const OpCase& op) {
    const int64_t available = AvailableMemoryBytes();
    const auto wanted = static_cast<int64_t>(2.1 * op.work.bytes() + op.memory_bytes);
    if (available < 0 || wanted <= available) return OkStatus();
    return IoError(
        Format("needs {} of memory, and {} are free; more ranks in --layout, or "
               "another --filter",
               FormatBytes(wanted), FormatBytes(available)));
  }

  const KernelsOptions& options_;
  Backend& backend_;
  std::unique_ptr<Backend> reference_;
  OpContext context_;
  RepeatOptions repeat_;
};

Result<std::vector<Record>> MeasureAll(const std::vector<NamedCase>& cases, Bench& bench,
                                       const Console& console) {
  std::vector<Record> records;
  Progress& progress = console.progress();
  progress.Start("bench", std::ssize(cases), "rows");
  for (const NamedCase& item : cases) {
    console.Detail(item.name);
    auto record = bench.Measure(item);
    if (!record) return record.error().At(item.name);
    records.push_back(*std::move(record));
    progress.Add(1);
  }
  progress.Finish();
  return records;
}

/// What the probes said before and after.
std::string DriftText(const Limits& before, const Limits& after, double drift) {
  return Format(
      "the limits changed by up to {:.0f} % (read {:.1f} before, {:.1f} after; copy {:.1f}, {:.1f} "
      "GB/s; {:.3f}, {:.3f} TFLOP/s): somebody else used the machine, and the shares of the limit "
      "mean little",
      100 * drift, before.read_bytes_per_second / 1e9, after.read_bytes_per_second / 1e9,
      before.copy_bytes_per_second / 1e9, after.copy_bytes_per_second / 1e9,
      before.flops_per_second / 1e12, after.flops_per_second / 1e12);
}

Result<Report> MakeReport(const KernelsOptions& options, const OpSizes& sizes,
                          const std::vector<NamedCase>& cases, const Console& console) {
  NEMO_ASSIGN_OR_RETURN(const std::unique_ptr<Backend> backend,
                        MakeBackend(options.backend, console.threads()));
  Report report;
  report.verb = "kernels";
  report.subject = Subject(options, sizes);
  report.threads = console.threads();
  report.machine = MachineFacts();
  report.state_before = MachineState();
  NEMO_ASSIGN_OR_RETURN(const std::optional<Limits> before,
                        ProbeLimits(*backend, console.threads()));
  if (!before) {
    report.notes.push_back("no limits: nothing here probes the memory of this backend");
  }
  const int device = static_cast<int>(options.backend.device);
  const Result<Value> device_before = GpuState(device);
  Bench bench(options, *backend, console.threads());
  NEMO_ASSIGN_OR_RETURN(report.records, MeasureAll(cases, bench, console));
  if (before) {
    NEMO_ASSIGN_OR_RETURN(const std::optional<Limits> after,
                          ProbeLimits(*backend, console.threads()));
    report.limits = Best(*before, *after);
    if (const double drift = Drift(*before, *after); drift > kMuchDrift) {
      report.notes.push_back(DriftText(*before, *after, drift));
    }
  }
  if (!backend->host_memory()) {
    report.notes.push_back(DeviceStateText(device_before, GpuState(device)));
  }
  for (Record& record : report.records) AddRoofline(report.limits, &record);
  report.state_after = MachineState();
  return report;
}

Result<bool> Run(const KernelsOptions& options, const Console& console) {
  NEMO_RETURN_IF_ERROR(CheckOutput(options.output));
  NEMO_ASSIGN_OR_RETURN(const OpSizes sizes, SizesOf(options));
  NEMO_ASSIGN_OR_RETURN(const std::vector<NamedCase> cases, CasesOf(options, sizes));
  if (options.list) {
    if (console.json()) {
      console.PrintJson(ListValue(cases));
    } else {
      console.Print(ListText(cases));
    }
    return true;
  }
  NEMO_ASSIGN_OR_RETURN(const Report report, MakeReport(options, sizes, cases, console));
  return Deliver(report, options.output, console);
}

FlagGroup SizeFlags(KernelsOptions* options) {
  FlagGroup group = {
      "Sizes",
      {{.name = "model",
        .value = "FILE.yaml",
        .help = "a model's sizes, in the field names of nemo-inspect --json; configs/models has "
                "some",
        .set = SetText(&options->model)},
       LayoutFlag(&options->layout),
       {.name = "tokens",
        .value = "N,N...",
        .help = "tokens of a step (default 1,8,32,512); the last is also the prompt of prefill",
        .set = SetIntList(&options->tokens)},
       {.name = "batches",
        .value = "N,N...",
        .help = "sequences of a decode step (default 1,8,32)",
        .set = SetIntList(&options->batches)},
       {.name = "lengths",
        .value = "N,N...",
        .help = "tokens of their context (default 512,4096; longer than the model's are left out)",
        .set = SetIntList(&options->lengths)}}};
  return group;
}

FlagGroup MeasureFlags(KernelsOptions* options) {
  FlagGroup group = {
      "Measuring",
      {{.name = "filter",
        .value = "PATTERN",
        .help = "only rows whose name has this in it: 'linear', 'fc1/m8', 'decode/*/len512'",
        .set = SetText(&options->filter)},
       {.name = "list", .help = "only name the rows", .set = SetSwitch(&options->list)},
       {.name = "runs",
        .value = "N",
        .help = "of each row, at least (default 30)",
        .set = SetInt(&options->runs, 1, 5000)},
       {.name = "max-seconds",
        .value = "S",
        .help = "of each row: no further run begins after this (default 60)",
        .set = SetDouble(&options->max_seconds, 0, 86400)},
       {.name = "no-check",
        .help = "do not compare samples of the outputs with the reference backend",
        .set = SetSwitch(&options->no_check)},
       {.name = "no-peer",
        .help = "do not run oneDNN, or on an accelerator its library, beside linear",
        .set = SetSwitch(&options->no_peer)}}};
  const std::vector<Flag> backend = BackendFlags(&options->backend);
  group.flags.insert(group.flags.begin(), backend.begin(), backend.end());
  return group;
}

}  // namespace

Tool KernelsTool(KernelsOptions* options) {
  Tool tool;
  tool.name = "nemo-bench kernels";
  tool.summary =
      "Times every operation of a backend at the sizes that one rank of a model has, against the "
      "limit of this machine: the memory's bandwidth or the processor's arithmetic, probed in the "
      "same run. One row's buffers are in memory at a time.";
  tool.groups = {SizeFlags(options), MeasureFlags(options), OutputFlags(&options->output)};
  tool.details =
      "Each row: median, p10 and p90 of the runs, bytes and operations over the median, the share "
      "of "
      "the limit reached, and the largest difference from the reference backend in a sample of the "
      "outputs (0: the same bits). Buffers take turns until they fill the last-level cache eight "
      "times.";
  tool.example =
      "nemo-bench kernels --model configs/models/nemotron4-340b.yaml --layout 8,2 --html "
      "roofline.html";
  tool.no_means = kFractionMissed;
  tool.run = [options](const Console& console) { return Run(*options, console); };
  return tool;
}

}  // namespace nemo
