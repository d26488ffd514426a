// The formats of this build, in the order in which they are tried.
#include <vector>

#include "formats/format.h"
#include "formats/hf/hf.h"
#include "formats/megatron_lm/megatron_lm.h"
#include "formats/native/native.h"
#include "formats/nemo/nemo.h"
#include "formats/nemo2/nemo2.h"
#include "formats/trtllm/trtllm.h"
#include "libcore/base/file.h"
#include "libcore/base/format.h"

namespace nemo {
namespace {

const struct Format kFormats[] = {
    {.name = "native",
     .description = "a shard set of this toolkit (a directory with manifest.json)",
     .sniff = SniffNative,
     .open = OpenNative,
     .target = {.containers = {"hdf5", "safetensors"}, .has_layout = true, .has_compression = true},
     .plan = PlanNative,
     .create = CreateNativeTarget,
     .verify = VerifyNative,
     .has_checksums = true},
    {.name = "nemo",
     .description = "a .nemo archive (tar, tar.gz) or the directory it was unpacked to",
     .sniff = SniffNemo,
     .open = OpenNemo,
     .target = {.containers = {"zarr", "torch"}, .has_layout = true, .archive_extension = ".nemo"},
     .plan = PlanNemo,
     .create = CreateNemoTarget,
     .verify = nullptr},
    {.name = "nemo2",
     .description = "a NeMo 2 directory (context/ and weights/)",
     .sniff = SniffNemo2,
     .open = OpenNemo2,
     .plan = nullptr,
     .create = nullptr,
     .verify = nullptr},
    {.name = "hf",
     .description = "a Hugging Face directory (config.json and model.safetensors or its shards)",
     .sniff = SniffHf,
     .open = OpenHf,
     .target = {.containers = {"safetensors"}, .has_shard_size = true},
     .plan = PlanHf,
     .create = CreateHfTarget,
     .verify = VerifyHf},
    {.name = "megatron",
     .description =
         "a Megatron-LM checkpoint directory (files per rank or a distributed checkpoint)",
     .sniff = SniffMegatronLm,
     .open = OpenMegatronLm,
     .target = {.containers = {"torch_dist"}, .has_layout = true},
     .plan = PlanMegatronLm,
     .create = CreateMegatronLmTarget,
     .verify = nullptr},
    {.name = "trtllm",
     .description = "a TensorRT-LLM checkpoint (written, not read)",
     .sniff = SniffTrtLlm,
     .open = OpenTrtLlm,
     .target = {.containers = {"safetensors"}, .has_layout = true, .is_read = false},
     .plan = PlanTrtLlm,
     .create = CreateTrtLlmTarget,
     .verify = nullptr},
};

}  // namespace

std::span<const struct Format> Formats() { return kFormats; }

Result<const struct Format*> DetectFormat(const std::string& path) {
  if (KindOf(path) == PathKind::kAbsent) return NotFound(Format("{}: nothing is there", path));
  std::vector<std::string_view> known;
  for (const struct Format& format : kFormats) {
    if (format.sniff(path)) return &format;
    known.push_back(format.description);
  }
  return Corruption(Format("{}: no checkpoint that this build reads; it was compared with: {}",
                           path, fmt::join(known, "; ")));
}

Result<Checkpoint> OpenCheckpoint(const std::string& path) {
  NEMO_ASSIGN_OR_RETURN(const struct Format* format, DetectFormat(path));
  return format->open(path);
}

}  // namespace nemo
