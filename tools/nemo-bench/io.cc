#include "tools/nemo-bench/io.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <memory>
#include <optional>
#include <string_view>
#include <unistd.h>
#include <utility>
#include <vector>

#include "kernels/registry.h"
#include "libcore/base/aligned_buffer.h"
#include "libcore/base/direct_io.h"
#include "libcore/base/file.h"
#include "libcore/base/format.h"
#include "libcore/base/thread_pool.h"
#include "tools/common/unfinished.h"
#include "tools/nemo-bench/measure/load_file.h"
#include "tools/nemo-bench/measure/machine.h"
#include "tools/nemo-bench/measure/page_cache.h"
#include "tools/nemo-bench/measure/random_bf16.h"
#include "tools/nemo-bench/measure/repeat.h"
#include "tools/nemo-bench/target.h"

namespace nemo {
namespace {

/// How the bytes go between memory and disk.
enum class Way { kDirect, kBuffered, kOurs };
constexpr Way kWays[] = {Way::kDirect, Way::kBuffered, Way::kOurs};

const char* NameOf(Way way) {
  switch (way) {
    case Way::kDirect:
      return "direct";
    case Way::kBuffered:
      return "buffered";
    case Way::kOurs:
      return "ours";
  }
  return "";
}

struct Times {
  std::vector<double> wall, cpu;
};

/// A file of random bytes that goes with this object.
class DiskBench {
 public:
  DiskBench(const IoOptions& options, std::string path)
      : options_(options), path_(std::move(path)) {}
  ~DiskBench() { unlink(path_.c_str()); }
  DiskBench(const DiskBench&) = delete;
  DiskBench& operator=(const DiskBench&) = delete;

  /// False: the file system has no such way.
  Result<bool> Write(Way way, Times* times) {
    unlink(path_.c_str());
    const int flags = O_RDWR | O_CREAT | O_TRUNC;
    return Run(way, flags, times,
               [&](const DirectIo& ours, int fd, int64_t at, std::span<std::byte> block) {
                 return way == Way::kOurs ? ours.WriteAt(at, block) : PlainWrite(fd, at, block);
               });
  }
  Result<bool> Read(Way way, Times* times) {
    NEMO_ASSIGN_OR_RETURN(const CacheState cache, DropFromPageCache(path_));
    resident_bytes_ = std::max(resident_bytes_, cache.resident_bytes);
    return Run(way, O_RDONLY, times,
               [&](const DirectIo& ours, int fd, int64_t at, std::span<std::byte> block) {
                 return way == Way::kOurs ? ours.ReadAt(at, block) : PlainRead(fd, at, block);
               });
  }
  /// Ours, into the memory of `backend`.
  Status Load(Backend& backend, Times* times) {
    if (StopRequested()) return IoError(Format("stopped by signal {}", StopSignal()));
    constexpr int64_t kMostMemory = int64_t{256} << 20;
    const int64_t blocks = std::clamp<int64_t>(kMostMemory / options_.block_bytes, 1, num_blocks());
    NEMO_ASSIGN_OR_RETURN(const std::unique_ptr<Buffer> memory,
                          backend.Allocate(blocks * options_.block_bytes));
    NEMO_ASSIGN_OR_RETURN(const CacheState cache, DropFromPageCache(path_));
    resident_bytes_ = std::max(resident_bytes_, cache.resident_bytes);
    Descriptor file(open(path_.c_str(), O_RDONLY | O_CLOEXEC));
    if (file.get() < 0) return ErrnoError(errno, path_);
    const DirectIo ours(path_, std::move(file), O_RDONLY);
    std::vector<AlignedBuffer> buffers = Buffers();
    const Stopwatch watch;
    NEMO_RETURN_IF_ERROR(
        LoadFile(ours, num_blocks(), options_.block_bytes, buffers, backend, *memory));
    times->wall.push_back(watch.wall_seconds());
    times->cpu.push_back(watch.cpu_seconds());
    return OkStatus();
  }
  /// Most of the file that the page cache still held when a read began.
  int64_t resident_bytes() const { return resident_bytes_; }

 private:
  int64_t num_blocks() const {
    return (options_.size_bytes + options_.block_bytes - 1) / options_.block_bytes;
  }
  /// One of random bytes for each transfer in flight.
  std::vector<AlignedBuffer> Buffers() const {
    std::vector<AlignedBuffer> buffers(static_cast<size_t>(options_.jobs));
    for (AlignedBuffer& buffer : buffers) {
      const std::span<std::byte> block = buffer.Get(options_.block_bytes);
      RandomBF16(SeedOf(path_), 0,
                 {reinterpret_cast<BF16*>(block.data()), block.size() / sizeof(BF16)});
    }
    return buffers;
  }

  template <typename Transfer>
  Result<bool> Run(Way way, int flags, Times* times, const Transfer& transfer) {
    if (StopRequested()) return IoError(Format("stopped by signal {}", StopSignal()));
    const int direct = way == Way::kDirect ? O_DIRECT : 0;
    Descriptor file(open(path_.c_str(), flags | direct | O_CLOEXEC, 0600));
    if (file.get() < 0 && errno == EINVAL && direct != 0) return false;
    if (file.get() < 0) return ErrnoError(errno, path_);
    const int fd = file.get();
    DirectIo ours(path_, std::move(file), flags);
    std::vector<AlignedBuffer> buffers = Buffers();
    std::atomic<int64_t> next = 0;
    const Stopwatch watch;
    NEMO_RETURN_IF_ERROR(
        ParallelFor(static_cast<int>(options_.jobs), options_.jobs, [&](int64_t job) -> Status {
          const std::span<std::byte> block =
              buffers[static_cast<size_t>(job)].Get(options_.block_bytes);
          for (int64_t i = next++; i < num_blocks(); i = next++) {
            NEMO_RETURN_IF_ERROR(transfer(ours, fd, i * options_.block_bytes, block));
          }
          return OkStatus();
        }));
    if (flags != O_RDONLY && fdatasync(fd) != 0) return ErrnoError(errno, path_);
    times->wall.push_back(watch.wall_seconds());
    times->cpu.push_back(watch.cpu_seconds());
    return true;
  }

  Status PlainWrite(int fd, int64_t at, std::span<const std::byte> block) const {
    while (!block.empty()) {
      const ssize_t n = pwrite(fd, block.data(), block.size(), at);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return ErrnoError(errno, path_);
      block = block.subspan(static_cast<size_t>(n));
      at += n;
    }
    return OkStatus();
  }
  Status PlainRead(int fd, int64_t at, std::span<std::byte> block) const {
    while (!block.empty()) {
      const ssize_t n = pread(fd, block.data(), block.size(), at);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return ErrnoError(errno, path_);
      if (n == 0) return Corruption(Format("{}: ends at byte {}", path_, at));
      block = block.subspan(static_cast<size_t>(n));
      at += n;
    }
    return OkStatus();
  }

  const IoOptions& options_;
  const std::string path_;
  int64_t resident_bytes_ = 0;
};

Record MakeRecord(const IoOptions& options, const char* verb, std::string_view way,
                  const Times& times, int64_t size_bytes) {
  Record record;
  record.name = Format("{}/{}", verb, way);
  record.operation = verb;
  record.shape = Format("{} in blocks of {}, {} at a time", FormatBytes(size_bytes),
                        FormatBytes(options.block_bytes), options.jobs);
  record.time = Summarize(times.wall);
  const double gigabytes = static_cast<double>(size_bytes) / 1e9;
  record.rates = {{"GB/s", gigabytes / record.time.median},
                  {"GB/CPU-s", gigabytes / std::max(Summarize(times.cpu).median, 1e-9)}};
  constexpr int64_t kEnoughTransfers = 5;  // each of a gigabyte
  record.warnings = WarningsOf(record.time, kEnoughTransfers);
  return record;
}

void SetLimit(const Record& limit, Record* record) {
  record->limit = limit.name;
  record->fraction = limit.time.median / record->time.median;
}

/// The plain ways, then ours against the faster one of them, which is returned.
Record AddRecords(const IoOptions& options, const char* verb, const std::vector<Times>& times,
                  int64_t size_bytes, Report* report) {
  std::optional<Record> limit;
  for (const Way way : kWays) {
    const Times& taken = times[static_cast<size_t>(way)];
    if (taken.wall.empty()) continue;
    Record record = MakeRecord(options, verb, NameOf(way), taken, size_bytes);
    if (way == Way::kOurs) {
      SetLimit(*limit, &record);
    } else if (!limit || record.time.median < limit->time.median) {
      limit = record;
    }
    report->records.push_back(std::move(record));
  }
  return *limit;
}

/// Where the bytes are loaded to; nullptr, with a note, on a machine that has no such device.
Result<std::unique_ptr<Backend>> OpenBackend(const IoOptions& options, Report* report) {
  if (options.backend.empty()) return std::unique_ptr<Backend>();
  auto backend = CreateBackend(options.backend, {.device = static_cast<int>(options.device)});
  if (backend.error().code() != StatusCode::kUnavailable) return backend;
  report->notes.push_back(Format("no row load/{}: {}", options.backend, backend.error().message()));
  return std::unique_ptr<Backend>();
}

Result<bool> Run(const IoOptions& options, const Console& console) {
  NEMO_RETURN_IF_ERROR(CheckOutput(options.output));
  const std::string folder = options.folder.empty() ? "." : options.folder;
  if (KindOf(folder) != PathKind::kDirectory) return NotFound(folder + ": is no directory");
  const int64_t num_blocks = (options.size_bytes + options.block_bytes - 1) / options.block_bytes;
  const int64_t size_bytes = num_blocks * options.block_bytes;
  const int64_t free_bytes = FreeBytesAt(folder);
  if (free_bytes >= 0 && free_bytes < size_bytes) {
    return IoError(Format("{}: a file of {} is written, and {} are free; lower --size", folder,
                          FormatBytes(size_bytes), FormatBytes(free_bytes)));
  }
  const int64_t available = AvailableMemoryBytes();
  if (available >= 0 && options.block_bytes > available / options.jobs) {
    return IoError(
        Format("{} blocks of {} do not fit the free memory of {}; lower --jobs or --block",
               options.jobs, FormatBytes(options.block_bytes), FormatBytes(available)));
  }
  Report report;
  report.verb = "io";
  report.subject = folder;
  report.threads = options.jobs;
  report.machine = MachineFacts();
  report.state_before = MachineState();
  NEMO_ASSIGN_OR_RETURN(const std::unique_ptr<Backend> backend, OpenBackend(options, &report));
  std::vector<Times> writes(std::size(kWays)), reads(std::size(kWays));
  Times loads;
  Progress& progress = console.progress();
  const int64_t transfers = 2 * std::ssize(kWays) + (backend == nullptr ? 0 : 1);
  progress.Start("bench", transfers * options.runs * size_bytes, "B");
  DiskBench bench(options, JoinPath(folder, Format("nemo-bench-io.{}.tmp", getpid())));
  // The ways take turns, so that a neighbour's noise meets all of them.
  for (int64_t run = 0; run < options.runs; ++run) {
    for (const Way way : kWays) {
      const auto index = static_cast<size_t>(way);
      NEMO_ASSIGN_OR_RETURN(const bool possible, bench.Write(way, &writes[index]));
      progress.Add(size_bytes);
      if (!possible) continue;
      NEMO_RETURN_IF_ERROR(bench.Read(way, &reads[index]).error());
      progress.Add(size_bytes);
    }
    if (backend == nullptr) continue;
    NEMO_RETURN_IF_ERROR(bench.Load(*backend, &loads));
    progress.Add(size_bytes);
  }
  progress.Finish();
  AddRecords(options, "write", writes, size_bytes, &report);
  const Record read = AddRecords(options, "read", reads, size_bytes, &report);
  if (backend != nullptr) {
    Record load = MakeRecord(options, "load", options.backend, loads, size_bytes);
    load.backend = DescribeBackend(*backend);
    SetLimit(read, &load);
    report.records.push_back(std::move(load));
  }
  if (writes[static_cast<size_t>(Way::kDirect)].wall.empty()) {
    report.notes.push_back("this file system has no direct access; all ways go through its cache");
  } else if (bench.resident_bytes() > 0) {
    report.notes.push_back(
        Format("{} stayed in the page cache before a read", FormatBytes(bench.resident_bytes())));
  }
  report.state_after = MachineState();
  return Deliver(report, options.output, console);
}

}  // namespace

Tool IoTool(IoOptions* options) {
  Tool tool;
  tool.name = "nemo-bench io";
  tool.summary =
      "Writes and reads a file of random bytes in FOLDER: as the converter does (ours: past the "
      "page "
      "cache where the file system can), and with the system's plain calls, direct and buffered. "
      "The "
      "faster plain way is the limit. A write ends when the bytes are on the disk; a read begins "
      "with "
      "none of them in the page cache. The file is removed.";
  tool.operands = {
      {"FOLDER", "where the file is written (default: here)", &options->folder, false}};
  tool.groups = {
      {"Transfers",
       {{.name = "size",
         .value = "BYTES",
         .help = "of the file (default 1GiB)",
         .set = SetBytes(&options->size_bytes, 1)},
        {.name = "block",
         .value = "BYTES",
         .help = "of one transfer (default 2MiB; a multiple of 4KiB for direct access)",
         .set = [options](const std::string& text) -> Status {
           NEMO_ASSIGN_OR_RETURN(options->block_bytes, ParseBytes(text, kDirectAlignment));
           constexpr int64_t kMost = int64_t{1} << 30;
           if (options->block_bytes % kDirectAlignment == 0 && options->block_bytes <= kMost) {
             return OkStatus();
           }
           return InvalidArgument(Format("'{}' is not a multiple of 4KiB up to 1GiB", text));
         }},
        {.name = "jobs",
         .value = "N",
         .help = "transfers in flight (default 8)",
         .set = SetInt(&options->jobs, 1, 256)},
        {.name = "runs",
         .value = "N",
         .help = "of each way (default 5)",
         .set = SetInt(&options->runs, 1, 1000)},
        {.name = "backend",
         .value = "NAME",
         .help = "also read the file into this backend's memory, as weights are loaded: cuda. "
                 "Without a device the row is left out, and a note says why",
         .set = SetText(&options->backend)},
        {.name = "device",
         .value = "N",
         .help = "index of the accelerator (default 0)",
         .set = SetInt(&options->device, 0, 1024)}}},
      OutputFlags(&options->output)};
  tool.example = "nemo-bench io /scratch --size 4GiB";
  tool.no_means = kFractionMissed;
  tool.run = [options](const Console& console) { return Run(*options, console); };
  return tool;
}

}  // namespace nemo
