// What a shard set's directory looks like: the names in it, its manifest, its containers.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/file.h"
#include "libcore/base/status.h"
#include "libcore/convert/manifest.h"
#include "libcore/tensor/placed_source.h"
#include "libcore/tensor/sink.h"

namespace nemo::native {

inline constexpr std::string_view kManifestName = "manifest.json";
inline constexpr std::string_view kModelConfigName = "model_config.yaml";
inline constexpr std::string_view kTokenizerName = "tokenizer.model";

/// A file format that rank files can have.
struct Container {
  std::string_view name;       ///< "hdf5"
  std::string_view extension;  ///< ".h5"
  std::unique_ptr<TensorSink> (*create_sink)(const std::string& path);
  /// nullptr: its files hold tensors as they are.
  std::unique_ptr<TensorSink> (*create_zstd_sink)(const std::string& path, int level);
  Result<std::shared_ptr<PlacedSource>> (*open)(const std::string& path);
};
/// kInvalidArgument lists the known ones.
Result<const Container*> FindContainer(std::string_view name);

/// tp_rank_TT_pp_rank_PPP with the extension of a container.
bool IsRankFileName(std::string_view name);
/// The name of any file of a shard set.
bool IsShardSetFileName(std::string_view name);
/// True when there is at least one rank file.
bool HoldsRankFiles(const FileTree& directory);

/// kCorruption with "unfinished" when rank files lie there without a manifest.
Result<Manifest> ReadManifest(const std::string& directory);

/// The tensors of `manifest` that lie in file `name`, under their stored names.
struct StoredShard {
  const ManifestTensor* tensor;
  const ManifestShard* shard;
};
std::vector<StoredShard> ShardsIn(const Manifest& manifest, std::string_view name);

}  // namespace nemo::native
