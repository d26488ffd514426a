#include "formats/native/directory.h"

#include <algorithm>
#include <utility>

#include "formats/hdf5/file.h"
#include "formats/safetensors/safetensors.h"
#include "libcore/base/format.h"

namespace nemo::native {
namespace {

/// 64 ranks of a 772-tensor model need some 20 MB, the sizes of 340B's compressed chunks 5 MB.
constexpr int64_t kMaxManifestBytes = int64_t{256} << 20;

Result<std::shared_ptr<PlacedSource>> OpenSafetensors(const std::string& path) {
  NEMO_ASSIGN_OR_RETURN(auto file, nemo::OpenFile(path));
  return safetensors::OpenFile(std::move(file));
}

constexpr Container kContainers[] = {
    {"hdf5", ".h5", hdf5::CreateSink, hdf5::CreateZstdSink, hdf5::OpenFile},
    {"safetensors", ".safetensors", safetensors::CreateSink, nullptr, OpenSafetensors},
};

/// Drops `text` from the front of `rest`, then at least one digit.
bool EatNumberAfter(std::string_view text, std::string_view& rest) {
  if (!rest.starts_with(text)) return false;
  rest.remove_prefix(text.size());
  const size_t digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
  rest.remove_prefix(digits);
  return digits > 0;
}

}  // namespace

Result<const Container*> FindContainer(std::string_view name) {
  std::vector<std::string_view> known;
  for (const Container& container : kContainers) {
    if (container.name == name) return &container;
    known.push_back(container.name);
  }
  return InvalidArgument(
      Format("container '{}' is not known; known are {}", name, FormatList(known)));
}

bool IsRankFileName(std::string_view name) {
  return EatNumberAfter("tp_rank_", name) && EatNumberAfter("_pp_rank_", name) &&
         std::any_of(std::begin(kContainers), std::end(kContainers),
                     [&](const Container& container) { return container.extension == name; });
}

bool IsShardSetFileName(std::string_view name) {
  return name == kManifestName || name == kModelConfigName || name == kTokenizerName ||
         IsRankFileName(name);
}

bool HoldsRankFiles(const FileTree& directory) {
  return std::any_of(directory.files().begin(), directory.files().end(), IsRankFileName);
}

Result<Manifest> ReadManifest(const std::string& directory) {
  const std::string path = JoinPath(directory, kManifestName);
  const auto text = ReadAllFrom(path, kMaxManifestBytes);
  if (!text && text.error().code() == StatusCode::kNotFound &&
      KindOf(directory) == PathKind::kDirectory) {
    return Corruption(
        Format("{}: unfinished: it has no {}, which is written last; run the conversion "
               "again",
               directory, kManifestName));
  }
  if (!text) return text.error();
  auto manifest = ParseManifest(*text);
  if (!manifest) return manifest.error().At(path);
  return manifest;
}

std::vector<StoredShard> ShardsIn(const Manifest& manifest, std::string_view name) {
  std::vector<StoredShard> found;
  for (const ManifestTensor& tensor : manifest.tensors) {
    for (const ManifestShard& shard : tensor.shards) {
      if (shard.file == name) found.push_back({&tensor, &shard});
    }
  }
  return found;
}

}  // namespace nemo::native
