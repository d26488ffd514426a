#include "formats/native/assemble.h"

#include <map>
#include <string>
#include <utility>

namespace nemo::native {
namespace {

Shard ShardOfPlanned(const PlannedTensor& planned) {
  return {planned.tensor.spec.shape, planned.parts};
}

}  // namespace

Result<Manifest> ManifestOf(const Plan& plan, std::string_view extension,
                            const std::vector<WrittenFile>& written) {
  Manifest manifest;
  manifest.config = plan.config;
  manifest.layout = plan.layout;
  std::map<std::string, ManifestTensor> tensors;
  for (size_t f = 0; f < plan.files.size(); ++f) {
    const PlannedFile& file = plan.files[f];
    ManifestFile entry;
    entry.name = file.stem + std::string(extension);
    if (!written.empty()) {
      entry.size_bytes = written[f].summary.size_bytes;
      entry.metadata_xxh3 = written[f].summary.metadata_xxh3;
    }
    for (size_t t = 0; t < file.tensors.size(); ++t) {
      const PlannedTensor& planned = file.tensors[t];
      ManifestTensor& tensor = tensors[planned.canonical_name];
      tensor.spec = {planned.canonical_name, planned.tensor.spec.dtype,
                     planned.tensor.note.global_shape};
      NEMO_ASSIGN_OR_RETURN(tensor.rule, ParseShardRule(planned.tensor.note.shard_rule));
      ManifestShard shard{entry.name, planned.tensor.spec.name, ShardOfPlanned(planned), {}, {}};
      if (!written.empty()) {
        shard.place = written[f].places[t];
        shard.xxh3 = written[f].xxh3[t];
      }
      tensor.shards.push_back(std::move(shard));
    }
    manifest.files.push_back(std::move(entry));
  }
  for (auto& [name, tensor] : tensors) manifest.tensors.push_back(std::move(tensor));
  return manifest;
}

}  // namespace nemo::native
