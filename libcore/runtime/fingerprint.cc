#include "libcore/runtime/fingerprint.h"

#include <span>
#include <vector>

#include "libcore/base/format.h"
#include "libcore/base/hash.h"
#include "libcore/base/json.h"
#include "libcore/tensor/cast.h"

namespace nemo {
namespace {

constexpr size_t kDigits = 16;

/// The first row of a matrix, all of a vector.
Status AddBeginning(const TensorSource& source, const TensorSpec& spec, Hasher& hasher) {
  Box box = Box::Whole(spec.shape);
  if (box.extent.size() > 1) box.extent[0] = 1;
  const int64_t count = NumElements(box);
  std::vector<std::byte> stored(static_cast<size_t>(count * SizeOf(spec.dtype)));
  NEMO_RETURN_IF_ERROR(source.Read(spec.name, box, stored));
  std::vector<BF16> values(static_cast<size_t>(count));
  CastToBF16(spec.dtype, stored.data(), count, values.data());
  hasher.Update(std::as_bytes(std::span(spec.name)));
  hasher.Update(std::as_bytes(std::span(values)));
  return OkStatus();
}

}  // namespace

Result<std::string> Fingerprint(const TensorSource& canonical, const ModelConfig& config) {
  Hasher hasher;
  ModelConfig unpadded = config;
  unpadded.padded_vocab_size = unpadded.make_vocab_size_divisible_by = 0;  // the files' affair
  const std::string fields = ToJson(ToValue(unpadded));
  hasher.Update(std::as_bytes(std::span(fields)));
  const std::string first = "decoder.layers.0.";
  const std::string last = Format("decoder.layers.{}.", config.num_layers - 1);
  for (const TensorSpec& spec : canonical.specs()) {
    if (!spec.name.starts_with(first) && !spec.name.starts_with(last) &&
        !spec.name.starts_with("decoder.final_layernorm.")) {
      continue;
    }
    if (!CanCastToBF16(spec.dtype)) continue;
    NEMO_RETURN_IF_ERROR(AddBeginning(canonical, spec, hasher));
  }
  return hasher.HexDigest().substr(0, kDigits);
}

}  // namespace nemo
