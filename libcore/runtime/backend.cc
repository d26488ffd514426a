#include "libcore/runtime/backend.h"

#include "libcore/runtime/pack.h"

namespace nemo {

std::string_view ToString(DTypeProfile profile) {
  switch (profile) {
    case DTypeProfile::kMegatron:
      return "megatron";
    case DTypeProfile::kHf:
      return "hf";
    case DTypeProfile::kFp32:
      return "fp32";
  }
  return "?";
}

Result<std::unique_ptr<PackedWeight>> Backend::Pack(std::span<const BF16> weight, int64_t n,
                                                    int64_t k, int num_leaves) {
  NEMO_RETURN_IF_ERROR(CheckPack(n, k, num_leaves));
  if (std::ssize(weight) != n * k) {
    return InvalidArgument(Format("a weight of shape [{}, {}] cannot be packed from {} elements", n,
                                  k, weight.size()));
  }
  NEMO_ASSIGN_OR_RETURN(std::unique_ptr<PackedWeight> packed, AllocateWeight(n, k, num_leaves));
  NEMO_RETURN_IF_ERROR(PackRows(*packed, 0, weight));
  return packed;
}

}  // namespace nemo
