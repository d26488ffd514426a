// The flags of nemo-convert and nemo-reshard.
#include <utility>

#include "libcore/base/format.h"
#include "tools/common/containers.h"
#include "tools/common/shard_job.h"
#include "tools/common/suggest.h"

namespace nemo {
namespace {

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

FlagSetter SetCompression(std::optional<Compression>* out) {
  return [out](const std::string& text) {
    NEMO_ASSIGN_OR_RETURN(*out, ParseCompression(text));
    return OkStatus();
  };
}

}  // namespace

std::vector<std::string> WritableFormats() {
  std::vector<std::string> names;
  for (const struct Format& format : Formats()) {
    if (format.create != nullptr) names.emplace_back(format.name);
  }
  return names;
}

std::vector<FlagGroup> ShardJobFlags(ShardJob* job, ShardJobKind kind) {
  const ContainerChoices containers = WritableContainers();
  const std::vector<std::string> degrees = {kVerifyNone, kVerifyWritten, kVerifyFull};
  FlagGroup output = {
      "Output",
      {
          {.name = "container",
           .value = "KIND",
           .help = Format("what the files of DST are; {} (default: as in SRC when it is of the "
                          "same format, else the first)",
                          containers.help),
           .choices = containers.names,
           .set = SetChoice(&job->container, containers.names)},
          {.name = "compress",
           .value = "METHOD",
           .help = "native, container hdf5: none, zstd (entropy coding only, the fastest: bfloat16 "
                   "weights become two thirds), zstd:LEVEL (1 to 19); default: as in SRC when its "
                   "kind of file is written again, else none",
           .set = SetCompression(&job->compression)},
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
          {.name = "dry-run",
           .help = "print the plan and what it needs; touch nothing",
           .set = SetSwitch(&job->dry_run)},
          {.name = "force",
           .help = "replace DST when it exists; do not go on with a stopped run",
           .set = SetSwitch(&job->force)},
      }};
  FlagGroup work = {
      "Work",
      {
          {.name = "resume",
           .help = "go on where a stopped run of the same command was: what it wrote is read "
                   "back, compared with its checksum and kept",
           .set = SetSwitch(&job->resume)},
          {.name = "verify",
           .value = "DEGREE",
           .help = "after writing: none (default), written (read the files back from the disk, "
                   "compare checksums), full (compare them with SRC, element by element)",
           .choices = degrees,
           .set = SetChoice(&job->verify, degrees)},
          {.name = "memory-limit",
           .value = "SIZE",
           .help = "for buffers (default 256MiB)",
           .set = SetBytes(&job->memory_limit, 1)},
          {.name = "jobs",
           .value = "N",
           .help = Format("blocks in flight (default: --threads, at least {} and at most {}; fewer "
                          "where the memory limit has no room)",
                          kMinDefaultJobs, kMaxDefaultJobs),
           .set = SetInt(&job->jobs, 1, kMaxJobs)},
      }};
  if (kind == ShardJobKind::kConvert) {
    output.flags.insert(
        output.flags.begin(),
        {.name = "to",
         .value = "FORMAT",
         .help = "what DST is: native (default; a shard set of this toolkit), nemo (a .nemo "
                 "archive, or the directory it would be unpacked to), hf (a Hugging Face "
                 "directory), megatron (a distributed checkpoint for Megatron-LM), trtllm (a "
                 "TensorRT-LLM checkpoint)",
         .choices = WritableFormats(),
         .set = SetChoice(&job->to, WritableFormats())});
  }
  return {{"Layout", FileLayoutFlags(&job->layout)}, std::move(output), std::move(work)};
}

}  // namespace nemo
