// Checking a shard set against its manifest, in two degrees. A file's index is parsed only after
// its bytes outside the tensors have the manifest's checksum: the HDF5 library was not made for
// damaged files.
#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "formats/codec/zstd_frames.h"
#include "formats/native/assemble.h"
#include "formats/native/directory.h"
#include "formats/native/native.h"
#include "libcore/base/format.h"
#include "libcore/base/hash.h"
#include "libcore/base/thread_pool.h"
#include "libcore/layout/planner.h"

namespace nemo {
namespace native {
namespace {

constexpr int64_t kBlockBytes = int64_t{4} << 20;

using Problems = std::vector<Problem>;

/// File and tensor; both names where they differ (a tied output layer's copy).
std::string Where(const StoredShard& stored) {
  const std::string& name = stored.shard->stored_name;
  const std::string& canonical = stored.tensor->spec.name;
  const std::string also = name == canonical ? "" : Format(" ({})", canonical);
  return Format("{}: {}{}", stored.shard->file, name, also);
}

void ComparePlace(const PlacedSource& container, const StoredShard& stored, Problems& problems) {
  const TensorPlace& listed = stored.shard->place;
  const auto found = container.PlaceOf(stored.shard->stored_name);
  if (!found) {
    problems.push_back({"index", Where(stored), found.error().message()});
  } else if (found->offset_bytes != listed.offset_bytes) {
    problems.push_back({"index", Where(stored),
                        Format("the file's own index places it at byte {}, the manifest at {}",
                               found->offset_bytes, listed.offset_bytes)});
  } else if (found->chunks.rows != listed.chunks.rows ||
             found->chunks.bytes != listed.chunks.bytes) {
    problems.push_back({"index", Where(stored),
                        "the file's own index cuts it into other chunks than the manifest"});
  }
}

/// The container's index against the manifest: names, shapes, dtypes, places, nothing more and
/// nothing less.
Problems CompareIndex(const PlacedSource& container, const std::vector<StoredShard>& expected) {
  Problems problems;
  for (const StoredShard& stored : expected) {
    const TensorSpec spec{stored.shard->stored_name, stored.tensor->spec.dtype,
                          stored.shard->shard.shape};
    const TensorSpec* found = FindSpec(container.specs(), spec.name);
    if (found == nullptr) {
      problems.push_back({"index", Where(stored), "the file's own index does not list it"});
    } else if (*found != spec) {
      problems.push_back(
          {"index", Where(stored),
           Format("the file's own index says {} {}, the manifest {} {}", DTypeName(found->dtype),
                  FormatList(found->shape), DTypeName(spec.dtype), FormatList(spec.shape))});
    } else if (spec.size_bytes() > 0) {
      ComparePlace(container, stored, problems);
    }
  }
  if (container.specs().size() > expected.size()) {
    problems.push_back(
        {"index", container.file().name(),
         Format("{} tensors, the manifest lists {}", container.specs().size(), expected.size())});
  }
  return problems;
}

/// Everything of one file but its tensors' bytes.
Problems CheckFile(const std::string& directory, const Manifest& manifest,
                   const ManifestFile& listed) {
  const auto file = OpenFile(JoinPath(directory, listed.name));
  if (!file) {
    const bool missing = file.error().code() == StatusCode::kNotFound;
    return {{missing ? "missing_file" : "file", listed.name, file.error().message()}};
  }
  if ((*file)->size_bytes() != listed.size_bytes) {
    return {
        {"size", listed.name,
         Format("{} bytes, the manifest says {}; the copy is incomplete or the file was changed",
                (*file)->size_bytes(), listed.size_bytes)}};
  }
  const std::vector<StoredShard> shards = ShardsIn(manifest, listed.name);
  std::vector<TensorPlace> places;
  for (const StoredShard& stored : shards) places.push_back(stored.shard->place);
  const auto hash = HashOutside(**file, std::move(places));
  if (!hash) return {{"metadata", listed.name, hash.error().message()}};
  if (*hash != listed.metadata_xxh3) {
    return {{"metadata", listed.name,
             "bytes outside the tensors differ from what was written; copy the file again"}};
  }
  if (shards.empty()) return {};
  const auto container = FindContainer(manifest.container);
  const auto source = (*container)->open(JoinPath(directory, listed.name));
  if (!source) return {{"index", listed.name, source.error().message()}};
  return CompareIndex(**source, shards);
}

using ShardKey = std::tuple<std::string_view, std::string_view>;  ///< file, stored name

std::map<ShardKey, StoredShard> ShardsByPlace(const Manifest& manifest) {
  std::map<ShardKey, StoredShard> shards;
  for (const ManifestTensor& tensor : manifest.tensors) {
    for (const ManifestShard& shard : tensor.shards) {
      shards[{shard.file, shard.stored_name}] = {&tensor, &shard};
    }
  }
  return shards;
}

/// The shards that the layout prescribes, planned anew from the manifest's own tensors.
Result<Manifest> Prescribed(const Manifest& manifest) {
  // Bounds before the planner multiplies: both numbers are input.
  const auto num_tensors = static_cast<int64_t>(manifest.tensors.size());
  const auto num_files = static_cast<int64_t>(manifest.files.size());
  if (manifest.config.num_layers > num_tensors || manifest.layout.tp_size > num_files ||
      manifest.layout.pp_size > num_files || manifest.layout.world_size() > num_files) {
    return Corruption(Format("{} files and {} tensors are too few for {} with {} layers", num_files,
                             num_tensors, ToString(manifest.layout), manifest.config.num_layers));
  }
  std::vector<TensorSpec> specs;
  for (const ManifestTensor& tensor : manifest.tensors) specs.push_back(tensor.spec);
  VocabRule keep;
  keep.kind = VocabRule::Kind::kKeep;
  NEMO_ASSIGN_OR_RETURN(const Plan plan, PlanShards(manifest.config, specs, manifest.layout, keep));
  NEMO_ASSIGN_OR_RETURN(const Container* container, FindContainer(manifest.container));
  return ManifestOf(plan, container->extension, {});
}

/// Each rank holds exactly the boxes that the layout gives it: together they tile every tensor.
Problems CheckShardBoxes(const Manifest& manifest) {
  const auto prescribed = Prescribed(manifest);
  if (!prescribed) return {{"layout", std::string(kManifestName), prescribed.error().message()}};
  Problems problems;
  const auto held = ShardsByPlace(manifest);
  const auto wanted = ShardsByPlace(*prescribed);
  for (const auto& [key, want] : wanted) {
    const auto it = held.find(key);
    if (it == held.end()) {
      problems.push_back({"layout", Where(want), "the layout puts it here, the manifest does not"});
      continue;
    }
    const StoredShard& have = it->second;
    if (have.tensor->spec != want.tensor->spec || have.tensor->rule != want.tensor->rule ||
        have.shard->shard != want.shard->shard) {
      problems.push_back(
          {"layout", Where(want), "it is not the part that the layout gives this rank"});
    }
  }
  for (const auto& [key, have] : held) {
    if (!wanted.contains(key)) {
      problems.push_back({"layout", Where(have), "the layout does not put it here"});
    }
  }
  return problems;
}

/// What the bytes of a shard add up to.
struct Hashes {
  std::string elements;  ///< empty: they cannot be had, see `reason`
  std::string stored;    ///< empty: the elements are what is stored
  std::string reason;
};

Status CheckStop() {
  if (!StopRequested()) return OkStatus();
  return IoError(Format("stopped by signal {}", StopSignal()));
}

Result<Hashes> HashDense(const RandomAccessFile& file, const TensorPlace& place,
                         Progress& progress) {
  Hasher hasher;
  std::vector<std::byte> block;
  for (int64_t done = 0; done < place.size_bytes; done += std::ssize(block)) {
    NEMO_RETURN_IF_ERROR(CheckStop());
    block.resize(static_cast<size_t>(std::min(kBlockBytes, place.size_bytes - done)));
    NEMO_RETURN_IF_ERROR(file.ReadAt(place.offset_bytes + done, block));
    hasher.Update(block);
    progress.Add(std::ssize(block));
  }
  return Hashes{hasher.HexDigest(), {}, {}};
}

/// Reads each chunk once, for both hashes: a decoder passes over some bits, such as reserved ones.
Result<Hashes> HashChunks(const RandomAccessFile& file, const StoredShard& shard,
                          Progress& progress) {
  const TensorPlace& place = shard.shard->place;
  const Shape& shape = shard.shard->shard.shape;
  const int64_t item_size = SizeOf(shard.tensor->spec.dtype);
  const int64_t row_bytes = NumElements(shape) / shape[0] * item_size;
  Hasher elements, stored;
  Hashes hashes;
  std::vector<std::byte> block, decoded(static_cast<size_t>(place.chunks.rows * row_bytes));
  int64_t at = place.offset_bytes, row = 0;
  for (const int64_t size : place.chunks.bytes) {
    NEMO_RETURN_IF_ERROR(CheckStop());
    block.resize(static_cast<size_t>(size));
    NEMO_RETURN_IF_ERROR(file.ReadAt(at, block));
    stored.Update(block);
    progress.Add(size);
    if (const Status status = zstd::DecompressShuffled(block, item_size, decoded);
        !status.ok() && hashes.reason.empty()) {
      hashes.reason = Format("rows from {} on: {}", row, status.message());
    }
    const int64_t rows = std::min(place.chunks.rows, shape[0] - row);
    elements.Update(std::span(decoded).first(static_cast<size_t>(rows * row_bytes)));
    at += size;
    row += rows;
  }
  hashes.stored = stored.HexDigest();
  if (hashes.reason.empty()) hashes.elements = elements.HexDigest();
  return hashes;
}

/// Bytes that were changed since they were written.
Result<Problems> CheckShard(const RandomAccessFile& file, const StoredShard& shard,
                            Progress& progress) {
  const ManifestShard& listed = *shard.shard;
  const bool is_dense = listed.place.chunks.empty();
  NEMO_ASSIGN_OR_RETURN(const Hashes found, is_dense ? HashDense(file, listed.place, progress)
                                                     : HashChunks(file, shard, progress));
  if (!found.reason.empty()) return Problems{{"checksum", Where(shard), found.reason}};
  if (found.elements != listed.xxh3) {
    return Problems{{"checksum", Where(shard),
                     Format("XXH3-128 is {}, the manifest says {}; copy the file again",
                            found.elements, listed.xxh3)}};
  }
  if (found.stored != listed.place.chunks.xxh3) {
    return Problems{{"checksum", Where(shard),
                     "its compressed bytes were changed, if not what they decode to; copy the "
                     "file again"}};
  }
  return Problems{};
}

/// Hashes the shards of all files that `sound` says can be read.
Result<Problems> CheckChecksums(const std::string& directory, const Manifest& manifest,
                                const std::vector<char>& sound, int jobs, Progress& progress) {
  std::vector<std::pair<StoredShard, std::shared_ptr<RandomAccessFile>>> work;
  int64_t total = 0;
  for (size_t f = 0; f < manifest.files.size(); ++f) {
    if (!sound[f]) continue;
    NEMO_ASSIGN_OR_RETURN(const auto file, OpenFile(JoinPath(directory, manifest.files[f].name)));
    for (const StoredShard& stored : ShardsIn(manifest, manifest.files[f].name)) {
      work.emplace_back(stored, file);
      total += stored.shard->place.size_bytes;
    }
  }
  std::vector<Problems> found(work.size());
  progress.Start("verify", total, "B");
  const Status status =
      ParallelFor(jobs, static_cast<int64_t>(work.size()), [&](int64_t i) -> Status {
        const auto& [stored, file] = work[static_cast<size_t>(i)];
        NEMO_ASSIGN_OR_RETURN(found[static_cast<size_t>(i)], CheckShard(*file, stored, progress));
        return OkStatus();
      });
  progress.Finish();
  NEMO_RETURN_IF_ERROR(status);
  Problems problems;
  for (Problems& each : found) problems.insert(problems.end(), each.begin(), each.end());
  return problems;
}

}  // namespace
}  // namespace native

Result<std::vector<Problem>> VerifyNative(const std::string& path, CheckLevel level, int jobs,
                                          Progress& progress) {
  NEMO_ASSIGN_OR_RETURN(const Manifest manifest, native::ReadManifest(path));
  const auto num_files = static_cast<int64_t>(manifest.files.size());
  std::vector<native::Problems> per_file(manifest.files.size());
  NEMO_RETURN_IF_ERROR(ParallelFor(jobs, num_files, [&](int64_t i) {
    const auto f = static_cast<size_t>(i);
    per_file[f] = native::CheckFile(path, manifest, manifest.files[f]);
    return OkStatus();
  }));
  native::Problems problems = native::CheckShardBoxes(manifest);
  std::vector<char> sound;
  for (const native::Problems& found : per_file) {
    const bool unreadable = std::any_of(found.begin(), found.end(), [](const Problem& problem) {
      return problem.code == "missing_file" || problem.code == "file" || problem.code == "size";
    });
    sound.push_back(!unreadable);
    problems.insert(problems.end(), found.begin(), found.end());
  }
  if (level >= CheckLevel::kChecksums) {
    NEMO_ASSIGN_OR_RETURN(const native::Problems wrong,
                          native::CheckChecksums(path, manifest, sound, jobs, progress));
    problems.insert(problems.end(), wrong.begin(), wrong.end());
  }
  return problems;
}

}  // namespace nemo
