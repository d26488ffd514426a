#include "tools/common/shard_job.h"

#include <chrono>
#include <filesystem>
#include <sys/statvfs.h>
#include <utility>

#include "libcore/base/file.h"
#include "libcore/base/format.h"
#include "libcore/convert/convert.h"
#include "tools/common/shard_report.h"
#include "tools/common/source.h"
#include "tools/common/suggest.h"

namespace nemo {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMaxJobs = 1024;

FlagSetter SetVocabRule(std::optional<VocabRule>* out) {
  return [out](const std::string& text) {
    VocabRule& rule = out->emplace();
    if (text == "megatron") {
      rule.kind = VocabRule::Kind::kMegatron;
    } else if (text == "keep") {
      rule.kind = VocabRule::Kind::kKeep;
    } else if (text == "prune") {
      rule.kind = VocabRule::Kind::kPrune;
    } else if (text.starts_with("pad:")) {
      rule.kind = VocabRule::Kind::kPad;
      NEMO_ASSIGN_OR_RETURN(rule.multiple, ParseInt(text.substr(4), 1, int64_t{1} << 24));
    } else {
      return InvalidArgument(Format("'{}' is not one of megatron, keep, prune, pad:N{}", text,
                                    DidYouMean(text, {"megatron", "keep", "prune", "pad:128"})));
    }
    return OkStatus();
  };
}

/// True when `inner` is `outer` or lies under it.
bool IsWithin(const fs::path& inner, const fs::path& outer) {
  auto i = inner.begin();
  for (auto o = outer.begin(); o != outer.end(); ++o, ++i) {
    if (o->empty()) continue;  // a trailing slash
    if (i == inner.end() || *i != *o) return false;
  }
  return true;
}

/// The destination must be new (or --force), and must not be, hold, or lie in the source.
Status CheckDestination(const ShardJob& job) {
  std::error_code error;
  const fs::path source = fs::weakly_canonical(job.source, error);
  const fs::path destination = fs::weakly_canonical(job.destination, error);
  if (IsWithin(destination, source) || IsWithin(source, destination)) {
    return InvalidArgument(Format("{}: the destination must lie apart from the source {}",
                                  job.destination, job.source));
  }
  if (KindOf(job.destination) != PathKind::kAbsent && !job.force) {
    return InvalidArgument(Format("{}: exists already; --force replaces it", job.destination));
  }
  return OkStatus();
}

/// Bytes that may be written at `path` or, while it does not exist, at the nearest folder above;
/// -1: the system does not tell.
int64_t FreeBytesAt(const std::string& path) {
  std::error_code error;
  fs::path place = fs::absolute(path, error);
  while (!fs::exists(place, error) && place.has_relative_path()) place = place.parent_path();
  struct statvfs info = {};
  if (statvfs(place.c_str(), &info) != 0) return -1;
  return static_cast<int64_t>(info.f_bavail) * static_cast<int64_t>(info.f_frsize);
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
    std::string_view flag, reason;
  } kRules[] = {
      {!GivenFlag(job.layout).empty(), format.target.has_layout, GivenFlag(job.layout),
       "that format has no ranks"},
      {!job.container.empty(), format.target.has_containers, "container",
       "the files of that format are of one kind"},
      {job.max_shard_bytes > 0, format.target.has_shard_size, "max-shard-size",
       "in that format the layout decides which file holds what"},
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

struct Prepared {
  Checkpoint checkpoint;
  const struct Format* format = nullptr;
  TargetOptions target;
  Plan plan;
  ConvertOptions convert;

  ShardSide SourceSide(const ShardJob& job) const {
    return {job.source, checkpoint.format, checkpoint.container, checkpoint.layout};
  }
  ShardSide TargetSide(const ShardJob& job) const {
    return {job.destination, std::string(format->name), target.container, plan.layout};
  }
};

Result<Prepared> Prepare(const ShardJob& job, const Console& console) {
  Prepared prepared;
  PlanOptions options;
  NEMO_ASSIGN_OR_RETURN(options.layout, LayoutFromOptions(job.layout));
  NEMO_ASSIGN_OR_RETURN(prepared.format, TargetFormat(job));
  options.vocab = job.vocab;
  if (job.max_shard_bytes > 0) options.max_shard_bytes = job.max_shard_bytes;
  NEMO_ASSIGN_OR_RETURN(prepared.checkpoint, OpenSource(job.source));
  const Checkpoint& checkpoint = prepared.checkpoint;
  NEMO_RETURN_IF_ERROR(CheckDestination(job));
  prepared.target.container = prepared.format->target.container;
  if (!job.container.empty()) {
    prepared.target.container = job.container;
  } else if (checkpoint.format == prepared.format->name) {
    prepared.target.container = checkpoint.container;
  }
  prepared.target.force = job.force;
  prepared.target.attachments = {checkpoint.provenance, checkpoint.model_config_yaml,
                                 checkpoint.tokenizer_model};
  NEMO_ASSIGN_OR_RETURN(
      prepared.plan, prepared.format->plan(checkpoint.config, checkpoint.source->specs(), options));
  prepared.convert.jobs = job.jobs > 0 ? static_cast<int>(job.jobs) : console.threads();
  return prepared;
}

void PrintDryRun(const ShardJob& job, const Prepared& prepared, const Console& console) {
  DryRunReport report;
  report.source = prepared.SourceSide(job);
  report.target = prepared.TargetSide(job);
  report.vocab = VocabReportOf(prepared.checkpoint.config, prepared.plan);
  report.memory_bytes = prepared.convert.jobs * prepared.convert.block_bytes;
  report.disk_bytes = prepared.plan.size_bytes();
  report.free_bytes = FreeBytesAt(job.destination);
  report.plan = &prepared.plan;
  console.json() ? console.PrintJson(ToValue(report)) : console.Print(ToText(report));
}

Status CheckDisk(const ShardJob& job, const Plan& plan) {
  const int64_t free_bytes = FreeBytesAt(job.destination);
  if (free_bytes < 0 || free_bytes >= plan.size_bytes()) return OkStatus();
  return IoError(Format("{}: the files need {}, and {} are free", job.destination,
                        FormatBytes(plan.size_bytes()), FormatBytes(free_bytes)));
}

}  // namespace

std::vector<std::string> WritableFormats() {
  std::vector<std::string> names;
  for (const struct Format& format : Formats()) {
    if (format.create != nullptr) names.emplace_back(format.name);
  }
  return names;
}

std::vector<FlagGroup> ShardJobFlags(ShardJob* job) {
  const std::vector<std::string> containers = {"hdf5", "safetensors"};
  FlagGroup output = {
      "Output",
      {
          {.name = "container",
           .value = "KIND",
           .help = "native: what the files are: hdf5, safetensors (default: as in SRC when it is "
                   "of the "
                   "same format as DST, else hdf5)",
           .choices = containers,
           .set = SetChoice(&job->container, containers)},
          {.name = "max-shard-size",
           .value = "SIZE",
           .help = "hf: a new file where the tensors of one would exceed it (default 5GB)",
           .set = SetBytes(&job->max_shard_bytes, 1)},
          {.name = "vocab",
           .value = "RULE",
           .help =
               "rows of the vocabulary tensors: megatron (the tokenizer's pieces, with zero rows "
               "up to a multiple of make_vocab_size_divisible_by * TP), keep (as in SRC), prune "
               "(exactly the pieces), pad:N (multiple of N * TP); default: megatron, for hf "
               "prune, for trtllm pad:1",
           .set = SetVocabRule(&job->vocab)},
          {.name = "jobs",
           .value = "N",
           .help = "tensors in flight (default: --threads)",
           .set = SetInt(&job->jobs, 1, kMaxJobs)},
          {.name = "dry-run",
           .help = "print the plan and what it needs; touch nothing",
           .set = SetSwitch(&job->dry_run)},
          {.name = "force", .help = "replace DST when it exists", .set = SetSwitch(&job->force)},
      }};
  return {{"Layout", FileLayoutFlags(&job->layout)}, std::move(output)};
}

Status RunShardJob(const ShardJob& job, const Console& console) {
  NEMO_ASSIGN_OR_RETURN(const Prepared prepared, Prepare(job, console));
  if (job.dry_run) {
    PrintDryRun(job, prepared, console);
    return OkStatus();
  }
  NEMO_RETURN_IF_ERROR(CheckDisk(job, prepared.plan));
  const Checkpoint& checkpoint = prepared.checkpoint;
  const auto start = std::chrono::steady_clock::now();
  NEMO_ASSIGN_OR_RETURN(const std::unique_ptr<Target> target,
                        prepared.format->create(job.destination, prepared.target));
  ShardReport report;
  NEMO_ASSIGN_OR_RETURN(report.counts, Convert(*checkpoint.source, prepared.plan, *target,
                                               prepared.convert, console.progress()));
  report.source = prepared.SourceSide(job);
  report.target = prepared.TargetSide(job);
  report.vocab = VocabReportOf(checkpoint.config, prepared.plan);
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  report.peak_memory_bytes = PeakMemoryBytes();
  console.json() ? console.PrintJson(ToValue(report)) : console.Print(ToText(report));
  return OkStatus();
}

}  // namespace nemo
