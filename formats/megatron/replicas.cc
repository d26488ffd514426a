#include "formats/megatron/replicas.h"

#include <cstddef>
#include <string>
#include <vector>

#include "libcore/base/format.h"
#include "libcore/convert/blocks.h"
#include "libcore/model/name_map.h"

namespace nemo::megatron {
namespace {

constexpr int64_t kBlockBytes = int64_t{1} << 20;

Status CompareReplica(const CanonicalSource& source, const TensorSpec& spec,
                      const NamePiece& replica) {
  const int64_t item_size = SizeOf(spec.dtype);
  std::vector<std::byte> first, second;
  for (const Box& block : RowBlocks(replica.canonical, item_size, kBlockBytes)) {
    first.resize(static_cast<size_t>(NumElements(block) * item_size));
    second.resize(first.size());
    NEMO_RETURN_IF_ERROR(source.Read(spec.name, block, first));
    NEMO_RETURN_IF_ERROR(source.ReadPiece(Clip(replica, block), second));
    if (first == second) continue;
    return Corruption(
        Format("replica mismatch: tensor {} differs between {} and {} in {}; these files are not "
               "of one save",
               spec.name, fmt::join(source.FilesOf(spec.name, block), " "),
               source.FileOfPiece(replica), ToString(block)));
  }
  return OkStatus();
}

}  // namespace

Status CompareReplicas(const CanonicalSource& source) {
  for (const TensorSpec& spec : source.specs()) {
    for (const NamePiece& replica : source.map().Replicas(spec.name)) {
      NEMO_RETURN_IF_ERROR(CompareReplica(source, spec, replica));
    }
  }
  return OkStatus();
}

}  // namespace nemo::megatron
