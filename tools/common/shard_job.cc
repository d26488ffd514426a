#include "tools/common/shard_job.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <memory>
#include <utility>

#include "libcore/base/file.h"
#include "libcore/base/format.h"
#include "libcore/base/memory.h"
#include "libcore/convert/check.h"
#include "libcore/convert/convert.h"
#include "tools/common/containers.h"
#include "tools/common/mpi_team.h"
#include "tools/common/shard_report.h"
#include "tools/common/source.h"
#include "tools/common/suggest.h"
#include "tools/common/unfinished.h"

namespace nemo {
namespace {

namespace fs = std::filesystem;

/// True when `inner` is `outer` or lies under it.
bool IsWithin(const fs::path& inner, const fs::path& outer) {
  auto i = inner.begin();
  for (auto o = outer.begin(); o != outer.end(); ++o, ++i) {
    if (o->empty()) continue;  // a trailing slash
    if (i == inner.end() || *i != *o) return false;
  }
  return true;
}

/// The destination must not be, hold, or lie in the source.
Status CheckDestination(const ShardJob& job) {
  std::error_code error;
  const fs::path source = fs::weakly_canonical(job.source, error);
  const fs::path destination = fs::weakly_canonical(job.destination, error);
  if (IsWithin(destination, source) || IsWithin(source, destination)) {
    return InvalidArgument(Format("{}: the destination must lie apart from the source {}",
                                  job.destination, job.source));
  }
  return OkStatus();
}

Status CheckNew(const ShardJob& job) {
  if (KindOf(job.destination) == PathKind::kAbsent || job.force) return OkStatus();
  return InvalidArgument(Format("{}: exists already; --force replaces it", job.destination));
}

Result<const struct Format*> WritableFormat(const std::string& name) {
  for (const struct Format& format : Formats()) {
    if (format.name == name && format.create != nullptr) return &format;
  }
  return Unsupported(
      Format("this build reads {} and does not write it; nemo-convert makes {} of it", name,
             fmt::join(WritableFormats(), " or ")));
}

/// Flags that mean nothing to the target are mistakes, not wishes to be passed over.
Status CheckFlags(const ShardJob& job, const struct Format& format) {
  const struct {
    bool given, understood;
    std::string_view flag;
    std::string reason;
  } kRules[] = {
      {!GivenFlag(job.layout).empty(), format.target.has_layout, GivenFlag(job.layout),
       "that format has no ranks"},
      {!job.container.empty(), format.target.containers.size() > 1, "container",
       "the files of that format are of one kind"},
      {!job.container.empty(), HasContainer(format, job.container), "container",
       Format("its files are {}", fmt::join(format.target.containers, " or "))},
      {job.compression.has_value() && job.compression->zstd, format.target.has_compression,
       "compress", "the files of that format hold tensors as they are"},
      {job.max_shard_bytes > 0, format.target.has_shard_size, "max-shard-size",
       "in that format the layout decides which file holds what"},
      {job.verify == kVerifyFull, format.target.is_read, "verify full",
       "that format is written and not read; --verify written reads the files back"},
  };
  for (const auto& rule : kRules) {
    if (!rule.given || rule.understood) continue;
    return InvalidArgument(Format(
        "--{} does not go with {}: {}; leave it out", rule.flag,
        job.to.empty() ? Format("a SRC of format {}", format.name) : Format("--to {}", job.to),
        rule.reason));
  }
  return OkStatus();
}

/// The format to write: the one named, else the source's.
Result<const struct Format*> TargetFormat(const ShardJob& job) {
  std::string name = job.to;
  if (name.empty()) {
    NEMO_ASSIGN_OR_RETURN(const struct Format* source, DetectFormat(job.source));
    name = source->name;
  }
  NEMO_ASSIGN_OR_RETURN(const struct Format* format, WritableFormat(name));
  NEMO_RETURN_IF_ERROR(CheckFlags(job, *format));
  return format;
}

/// What is asked for; else what the source has, where its kind of file is written again.
Result<Compression> ChooseCompression(const ShardJob& job, const struct Format& format,
                                      const Checkpoint& source, const std::string& container) {
  if (!job.compression) {
    const bool stays = source.format == format.name && source.container == container;
    return stays ? source.compression : Compression{};
  }
  if (job.compression->zstd && container == "safetensors") {
    return InvalidArgument(
        "--compress does not go with --container safetensors: those files hold tensors as they "
        "are; leave one of the two out");
  }
  return *job.compression;
}

struct Prepared {
  Checkpoint checkpoint;
  const struct Format* format = nullptr;
  TargetOptions target;
  Plan plan;
  ConvertOptions convert;
  std::string key;  ///< of the conversion, for its journal

  ShardSide SourceSide(const ShardJob& job) const {
    return {job.source, checkpoint.format, checkpoint.container, checkpoint.compression,
            checkpoint.layout};
  }
  ShardSide TargetSide(const ShardJob& job) const {
    return {job.destination, std::string(format->name), target.container, target.compression,
            plan.layout};
  }
};

/// Blocks in flight: enough for the disk's queue, and for the cores.
int DefaultJobs(int threads) { return std::clamp(threads, kMinDefaultJobs, kMaxDefaultJobs); }

Result<Prepared> Prepare(const ShardJob& job, const Console& console) {
  Prepared prepared;
  PlanOptions options;
  NEMO_ASSIGN_OR_RETURN(options.layout, LayoutFromOptions(job.layout));
  NEMO_ASSIGN_OR_RETURN(prepared.format, TargetFormat(job));
  NEMO_ASSIGN_OR_RETURN(prepared.convert, OptionsFor(job.jobs > 0 ? static_cast<int>(job.jobs)
                                                                  : DefaultJobs(console.threads()),
                                                     job.memory_limit));
  prepared.convert.verify_written = job.verify == kVerifyWritten;
  options.vocab = job.vocab;
  if (job.max_shard_bytes > 0) options.max_shard_bytes = job.max_shard_bytes;
  NEMO_ASSIGN_OR_RETURN(prepared.checkpoint, OpenSource(job.source));
  const Checkpoint& checkpoint = prepared.checkpoint;
  NEMO_RETURN_IF_ERROR(CheckDestination(job));
  const std::string_view extension = prepared.format->target.archive_extension;
  options.archive = !extension.empty() && job.destination.ends_with(extension);
  options.container = ContainerFor(job.container, checkpoint, *prepared.format);
  prepared.target.archive = options.archive;
  prepared.target.container = options.container;
  NEMO_ASSIGN_OR_RETURN(
      prepared.target.compression,
      ChooseCompression(job, *prepared.format, checkpoint, prepared.target.container));
  prepared.target.force = job.force;
  prepared.target.attachments = {checkpoint.provenance, checkpoint.model_config_yaml,
                                 checkpoint.tokenizer_model};
  NEMO_ASSIGN_OR_RETURN(
      prepared.plan, prepared.format->plan(checkpoint.config, checkpoint.source->specs(), options));
  prepared.target.config = prepared.plan.config;
  prepared.target.layout = prepared.plan.layout;
  prepared.key =
      ConversionKey(prepared.plan, std::string(prepared.format->name), prepared.target.container,
                    ToString(prepared.target.compression), checkpoint.provenance.index_xxh3);
  return prepared;
}

void PrintDryRun(const ShardJob& job, const Prepared& prepared, const Console& console) {
  DryRunReport report;
  report.source = prepared.SourceSide(job);
  report.target = prepared.TargetSide(job);
  report.vocab = VocabReportOf(prepared.checkpoint.config, prepared.plan);
  report.memory_bytes = MemoryOf(prepared.convert);
  report.disk_bytes = prepared.plan.size_bytes();
  report.free_bytes = FreeBytesAt(job.destination);
  report.is_upper_bound = prepared.target.compression.zstd;
  report.available_memory_bytes = AvailableMemory().bytes();
  report.plan = &prepared.plan;
  console.json() ? console.PrintJson(ToValue(report)) : console.Print(ToText(report));
}

std::string DiskAdvice(const Prepared& prepared) {
  const TargetTraits& target = prepared.format->target;
  const bool can_compress = target.has_compression && prepared.target.container != "safetensors";
  return Format("free some, or choose another place{}",
                can_compress ? ", or --compress zstd, with which bfloat16 weights take about two "
                               "thirds"
                             : "");
}

/// What an earlier run has written already needs no room again. How much compressed files need
/// shows only when they are written.
Status CheckDisk(const ShardJob& job, const Prepared& prepared) {
  if (prepared.target.compression.zstd) return OkStatus();
  const Plan& plan = prepared.plan;
  const int64_t free_bytes = FreeBytesAt(job.destination);
  const int64_t needed =
      plan.size_bytes() - (job.resume ? AllocatedBytes(job.destination + ".partial") : 0);
  if (free_bytes < 0 || free_bytes >= needed) return OkStatus();
  return IoError(Format("{}: the files need {}, and {} are free; {}", job.destination,
                        FormatBytes(needed), FormatBytes(free_bytes), DiskAdvice(prepared)));
}

/// From here on a job takes long enough for a word before it.
constexpr int64_t kLongJobBytes = 1'000'000'000;

/// What the job will take, and what there is.
void TellForecast(const ShardJob& job, const Prepared& prepared, const Console& console) {
  const int64_t disk = prepared.plan.size_bytes(), memory = MemoryOf(prepared.convert);
  const int64_t free_bytes = FreeBytesAt(job.destination);
  const int64_t available = AvailableMemory().bytes();
  const bool zstd = prepared.target.compression.zstd;
  const auto of = [](int64_t bytes, std::string_view what) {
    return bytes < 0 ? std::string() : Format(" ({} {})", FormatBytes(bytes), what);
  };
  const std::string forecast =
      Format("writes {}{}{}, with {} of buffers{}", zstd ? "up to " : "", FormatBytes(disk),
             of(free_bytes, "free"), FormatBytes(memory), of(available, "of memory available"));
  disk >= kLongJobBytes ? console.Note(forecast) : console.Detail(forecast);
  if (zstd && free_bytes >= 0 && free_bytes < disk) {
    console.Note(
        Format("{}: compressed files may need more than the {} that are free; a full disk "
               "stops the job, and --resume goes on when there is room",
               job.destination, FormatBytes(free_bytes)));
  }
  if (available >= 0 && available < memory) {
    console.Note(
        Format("buffers of {} are planned, and {} of memory are available; a lower "
               "--memory-limit or --jobs needs less",
               FormatBytes(memory), FormatBytes(available)));
  }
}

/// True when the conversion was finished by an earlier run. Else: whether it may begin.
Result<bool> CheckStart(const ShardJob& job, const Prepared& prepared,
                        const JournalFiles& journals) {
  if (job.force && !job.resume) {
    NEMO_RETURN_IF_ERROR(CheckDisk(job, prepared));
    return false;
  }
  auto state = journals.Look();
  if (!state) return state.error();
  if (*state == JournalFiles::State::kFinished && job.resume) return true;
  if (*state == JournalFiles::State::kUnfinished && !job.resume) {
    return InvalidArgument(
        Format("{}: a stopped run of this conversion has left its work here; "
               "--resume goes on with it, --force starts anew",
               job.destination));
  }
  NEMO_RETURN_IF_ERROR(CheckNew(job));
  NEMO_RETURN_IF_ERROR(CheckDisk(job, prepared));
  return false;
}

/// Rank 0 makes the destination, the others join it.
Result<std::unique_ptr<Target>> MakeTarget(const ShardJob& job, const Prepared& prepared,
                                           Team& team) {
  TargetOptions options = prepared.target;
  options.resume = job.resume || team.rank() > 0;
  std::unique_ptr<Target> target;
  Status status;
  if (team.rank() == 0) {
    auto made = prepared.format->create(job.destination, options);
    status = made.error();
    if (made) target = *std::move(made);
  }
  NEMO_RETURN_IF_ERROR(team.Agree(status));
  if (target != nullptr) return target;
  return prepared.format->create(job.destination, options);
}

/// Compares what was written with the source. False: they differ.
Result<bool> VerifyFull(const ShardJob& job, const Prepared& prepared, const Console& console) {
  NEMO_ASSIGN_OR_RETURN(const Checkpoint written, OpenSource(job.destination));
  const Checkpoint& source = prepared.checkpoint;
  NEMO_ASSIGN_OR_RETURN(const Comparison comparison,
                        Compare(*source.source, source.config, *written.source, written.config,
                                prepared.convert.jobs, console.progress()));
  if (comparison.equal()) return true;
  for (const Difference& difference : comparison.different) {
    console.Note(Format("tensor {} differs from the source in {} elements", difference.name,
                        difference.num_different));
  }
  return false;
}

/// The error of a run that can be gone on with, with the words that say so.
Status WithAdvice(const Status& error, const JournalFiles& journals) {
  const auto state = journals.Look();
  if (!state || *state != JournalFiles::State::kUnfinished) return error;
  const auto records = journals.Records();
  if (!records) return error;
  return Status(error.code(), Format("{}; {} finished tensors are kept: the same command with "
                                     "--resume goes on from there",
                                     error.message(), records->tensors.size()));
}

Result<ShardReport> RunConversion(const ShardJob& job, Prepared& prepared,
                                  const JournalFiles& journals, Team& team,
                                  const Console& console) {
  const auto start = std::chrono::steady_clock::now();
  // Before any rank opens its journal, which may empty it.
  if (job.resume) {
    NEMO_ASSIGN_OR_RETURN(prepared.convert.earlier, journals.Records());
  } else if (team.rank() == 0) {
    NEMO_RETURN_IF_ERROR(journals.RemoveAll());
  }
  NEMO_RETURN_IF_ERROR(team.Agree(OkStatus()));
  NEMO_ASSIGN_OR_RETURN(const std::unique_ptr<Journal> journal,
                        journals.Open(team.rank(), job.resume));
  NEMO_ASSIGN_OR_RETURN(const std::unique_ptr<Target> target, MakeTarget(job, prepared, team));
  prepared.convert.journal = journal.get();
  prepared.convert.team = &team;
  prepared.convert.team_records = [&] { return journals.Records(); };
  Progress& progress = team.rank() == 0 ? console.progress() : NullProgress();
  auto counts =
      Convert(*prepared.checkpoint.source, prepared.plan, *target, prepared.convert, progress);
  if (!counts) return WithAdvice(counts.error(), journals);
  // An earlier run may have had more ranks.
  if (team.rank() == 0) NEMO_RETURN_IF_ERROR(journals.RemoveAll());
  ShardReport report;
  report.counts = *counts;
  report.source = prepared.SourceSide(job);
  report.target = prepared.TargetSide(job);
  report.vocab = VocabReportOf(prepared.checkpoint.config, prepared.plan);
  report.planned_memory_bytes = MemoryOf(prepared.convert);
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  report.peak_memory_bytes = PeakMemoryBytes();
  report.num_ranks = team.size();
  return report;
}

}  // namespace

Result<bool> RunShardJob(const ShardJob& job, const Console& console) {
  NEMO_ASSIGN_OR_RETURN(const std::unique_ptr<Team> team, MakeTeam());
  const bool speaks = team->rank() == 0;
  auto prepared = Prepare(job, console);
  // Every rank reads the same files and comes to the same end: one says it.
  if (!prepared) return speaks ? prepared.error() : Status(prepared.error().code(), "");
  const JournalFiles journals(job.destination, prepared->key);
  if (job.dry_run) {
    NEMO_RETURN_IF_ERROR(CheckNew(job));
    if (speaks) PrintDryRun(job, *prepared, console);
    return true;
  }
  Result<bool> is_finished = speaks ? CheckStart(job, *prepared, journals) : false;
  NEMO_RETURN_IF_ERROR(team->Agree(is_finished.error()));
  NEMO_ASSIGN_OR_RETURN(const int64_t num_finished, team->Sum(*is_finished ? 1 : 0));
  if (num_finished > 0) {
    if (speaks) console.Note(Format("{}: finished already", job.destination));
    if (speaks) NEMO_RETURN_IF_ERROR(journals.RemoveAll());
    return true;
  }
  if (speaks) TellForecast(job, *prepared, console);
  NEMO_ASSIGN_OR_RETURN(ShardReport report,
                        RunConversion(job, *prepared, journals, *team, console));
  if (!speaks) return true;
  bool is_equal = true;
  report.verified = job.verify;
  if (job.verify == kVerifyFull) {
    NEMO_ASSIGN_OR_RETURN(is_equal, VerifyFull(job, *prepared, console));
  }
  console.json() ? console.PrintJson(ToValue(report)) : console.Print(ToText(report));
  return is_equal;
}

}  // namespace nemo
