// Reading a shard set: the manifest says where each shard lies, so the containers' own indexes are
// not needed (VerifyNative compares them).
#include <map>
#include <utility>

#include "formats/codec/zstd_frames.h"
#include "formats/native/directory.h"
#include "formats/native/native.h"
#include "libcore/base/format.h"
#include "libcore/base/hash.h"

namespace nemo {
namespace native {
namespace {

constexpr int64_t kMaxAttachmentBytes = int64_t{256} << 20;

/// The file, of the size the manifest gives.
Result<std::shared_ptr<RandomAccessFile>> OpenListed(const std::string& directory,
                                                     const ManifestFile& listed) {
  NEMO_ASSIGN_OR_RETURN(auto file, OpenFile(JoinPath(directory, listed.name)));
  if (file->size_bytes() != listed.size_bytes) {
    return Corruption(
        Format("{}: {} bytes, the manifest says {}; the copy is incomplete or the file was "
               "changed",
               file->name(), file->size_bytes(), listed.size_bytes));
  }
  return file;
}

/// One source per listed file, in the manifest's order.
Result<std::vector<std::shared_ptr<const TensorSource>>> OpenFiles(const std::string& directory,
                                                                   const Manifest& manifest) {
  std::map<std::string_view, std::vector<PlacedTensor>> tensors;
  for (const ManifestTensor& tensor : manifest.tensors) {
    for (const ManifestShard& shard : tensor.shards) {
      tensors[shard.file].push_back(
          {{shard.stored_name, tensor.spec.dtype, shard.shard.shape},
           shard.place.offset_bytes,
           RowChunks(shard.shard.shape, shard.place, zstd::DecompressShuffled)});
    }
  }
  std::vector<std::shared_ptr<const TensorSource>> sources;
  for (const ManifestFile& listed : manifest.files) {
    NEMO_ASSIGN_OR_RETURN(auto file, OpenListed(directory, listed));
    NEMO_ASSIGN_OR_RETURN(auto source,
                          PlacedSource::Create(std::move(file), std::move(tensors[listed.name])));
    sources.push_back(std::move(source));
  }
  return sources;
}

NameMap MapNames(const Manifest& manifest) {
  std::map<std::string_view, int> index_of;
  for (const ManifestFile& file : manifest.files) {
    index_of.emplace(file.name, static_cast<int>(index_of.size()));
  }
  NameMap map;
  for (const ManifestTensor& tensor : manifest.tensors) {
    for (const ManifestShard& shard : tensor.shards) {
      for (const ShardPart& part : shard.shard.parts) {
        map.Add(tensor.spec.name,
                {part.canonical, index_of.at(shard.file), shard.stored_name, part.local});
      }
    }
  }
  return map;
}

/// Bytes of a small file beside the tensors; empty when there is none. What the manifest lists must
/// be as it says; what somebody put there later is taken as it is.
Result<std::string> ReadAttachment(const std::string& directory, const Manifest& manifest,
                                   std::string_view name) {
  const std::string path = JoinPath(directory, name);
  for (const ManifestFile& listed : manifest.files) {
    if (listed.name != name) continue;
    NEMO_ASSIGN_OR_RETURN(std::string bytes, ReadAllFrom(path, kMaxAttachmentBytes));
    if (HashHex(std::as_bytes(std::span(bytes))) != listed.metadata_xxh3) {
      return Corruption(
          Format("{}: its checksum is not the manifest's; copy the file again", path));
    }
    return bytes;
  }
  if (KindOf(path) == PathKind::kAbsent) return std::string();
  return ReadAllFrom(path, kMaxAttachmentBytes);
}

}  // namespace
}  // namespace native

bool SniffNative(const std::string& path) {
  if (KindOf(path) != PathKind::kDirectory) return false;
  if (KindOf(JoinPath(path, native::kManifestName)) == PathKind::kFile) return true;
  const auto directory = OpenDirectory(path);
  return directory && native::HoldsRankFiles(**directory);
}

Result<Checkpoint> OpenNative(const std::string& path) {
  NEMO_ASSIGN_OR_RETURN(const Manifest manifest, native::ReadManifest(path));
  NEMO_ASSIGN_OR_RETURN(auto files, native::OpenFiles(path, manifest));
  std::vector<TensorSpec> specs;
  for (const ManifestTensor& tensor : manifest.tensors) specs.push_back(tensor.spec);
  auto source =
      CanonicalSource::Create(std::move(specs), native::MapNames(manifest), std::move(files));
  if (!source) return source.error().At(path);

  Checkpoint checkpoint;
  checkpoint.format = "native";
  checkpoint.container = manifest.container;
  checkpoint.compression = manifest.compression;
  checkpoint.layout = manifest.layout;
  checkpoint.config = manifest.config;
  checkpoint.source = std::move(source).value();
  NEMO_ASSIGN_OR_RETURN(checkpoint.model_config_yaml,
                        native::ReadAttachment(path, manifest, native::kModelConfigName));
  NEMO_ASSIGN_OR_RETURN(checkpoint.tokenizer_model,
                        native::ReadAttachment(path, manifest, native::kTokenizerName));
  if (!checkpoint.tokenizer_model.empty())
    checkpoint.tokenizer_name = std::string(native::kTokenizerName);
  checkpoint.provenance = manifest.source;
  return checkpoint;
}

}  // namespace nemo
