#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <mutex>
#include <optional>
#include <utility>

#include "libcore/base/format.h"
#include "libcore/base/thread_pool.h"
#include "libcore/convert/blocks.h"
#include "libcore/convert/check.h"
#include "libcore/model/logical_tensor.h"
#include "libcore/tensor/cast.h"

namespace nemo {
namespace {

constexpr int64_t kBlockBytes = int64_t{4} << 20;

/// Position of a floating-point number on the line of representable ones, so that ULPs subtract.
template <typename Unsigned, typename Signed>
int64_t Ordinal(const std::byte* data, int64_t index) {
  Unsigned bits;
  std::memcpy(&bits, data + index * static_cast<int64_t>(sizeof bits), sizeof bits);
  constexpr Unsigned kSign = Unsigned{1} << (sizeof(bits) * 8 - 1);
  const auto magnitude = static_cast<Signed>(bits & static_cast<Unsigned>(~kSign));
  return (bits & kSign) != 0 ? -static_cast<int64_t>(magnitude) : magnitude;
}

/// Distance in units in the last place; -1 for types without one.
int64_t UlpDistance(DType dtype, const std::byte* a, const std::byte* b, int64_t index) {
  switch (dtype) {
    case DType::kBF16:
    case DType::kF16:
      return std::abs(Ordinal<uint16_t, int16_t>(a, index) - Ordinal<uint16_t, int16_t>(b, index));
    case DType::kF32:
      return std::abs(Ordinal<uint32_t, int32_t>(a, index) - Ordinal<uint32_t, int32_t>(b, index));
    default:
      return -1;
  }
}

/// Gathers the differences of one tensor.
class TensorComparer {
 public:
  TensorComparer(const TensorSpec& a, const TensorSpec& b) : spec_a_(a), spec_b_(b) {
    difference_.name = a.name;
  }

  /// `a` and `b` hold the elements of `block`.
  void AddBlock(const Box& block, const std::vector<std::byte>& a, const std::vector<std::byte>& b,
                const std::string& where) {
    const bool same_type = spec_a_.dtype == spec_b_.dtype;
    if (same_type && a == b) return;
    const int64_t count = NumElements(block);
    const int64_t size = SizeOf(spec_a_.dtype);
    for (int64_t i = 0; i < count; ++i) {
      const double x = ElementAsDouble(spec_a_.dtype, a.data(), i);
      const double y = ElementAsDouble(spec_b_.dtype, b.data(), i);
      const bool equal = same_type ? std::memcmp(a.data() + i * size, b.data() + i * size,
                                                 static_cast<size_t>(size)) == 0
                                   : EqualAfterCast(a.data(), b.data(), i);
      if (equal) continue;
      AddElement(block, i, x, y, where);
      const int64_t ulp = same_type ? UlpDistance(spec_a_.dtype, a.data(), b.data(), i) : -1;
      difference_.max_ulp = std::max(difference_.max_ulp, ulp);
    }
  }

  std::optional<Difference> Finish() && {
    if (difference_.num_different == 0) return std::nullopt;
    return std::move(difference_);
  }

 private:
  /// Elements of different types: equal when casting to bfloat16, which is all that conversion
  /// does, makes them so.
  bool EqualAfterCast(const std::byte* a, const std::byte* b, int64_t i) const {
    const bool both = CanCastToBF16(spec_a_.dtype) && CanCastToBF16(spec_b_.dtype);
    if (!both || (spec_a_.dtype != DType::kBF16 && spec_b_.dtype != DType::kBF16)) {
      return ElementAsDouble(spec_a_.dtype, a, i) == ElementAsDouble(spec_b_.dtype, b, i);
    }
    BF16 cast_a = 0, cast_b = 0;
    CastToBF16(spec_a_.dtype, a + i * SizeOf(spec_a_.dtype), 1, &cast_a);
    CastToBF16(spec_b_.dtype, b + i * SizeOf(spec_b_.dtype), 1, &cast_b);
    return cast_a == cast_b;
  }

  void AddElement(const Box& block, int64_t linear, double a, double b, const std::string& where) {
    const double distance = std::abs(a - b);
    // NaN on one side is as far away as can be.
    difference_.max_abs =
        std::max(difference_.max_abs,
                 std::isnan(distance) ? std::numeric_limits<double>::infinity() : distance);
    std::vector<int64_t> index = IndexOf(block.extent, linear);
    for (size_t axis = 0; axis < index.size(); ++axis) index[axis] += block.offset[axis];
    if (difference_.num_different++ == 0 || index < difference_.index) {
      difference_.index = std::move(index);
      difference_.a = a;
      difference_.b = b;
      difference_.where = where;
    }
  }

  const TensorSpec& spec_a_;
  const TensorSpec& spec_b_;
  Difference difference_{.max_ulp = -1};
};

/// Compares every piece of one tensor in `a` with `b`, then the replicas of `b` with `a`.
class PairReader {
 public:
  PairReader(const CanonicalSource& a, const CanonicalSource& b, const TensorSpec& spec_a,
             const TensorSpec& spec_b, Box real)
      : a_(a),
        b_(b),
        spec_a_(spec_a),
        spec_b_(spec_b),
        real_(std::move(real)),
        comparer_(spec_a, spec_b) {}

  Status Run(Progress& progress) {
    NEMO_ASSIGN_OR_RETURN(const auto primary, a_.map().Locate(spec_a_.name, real_));
    for (const NamePiece& piece : primary)
      NEMO_RETURN_IF_ERROR(ComparePiece(a_, piece, false, progress));
    for (const NamePiece& piece : a_.map().Replicas(spec_a_.name)) {
      NEMO_RETURN_IF_ERROR(ComparePiece(a_, piece, false, progress));
    }
    for (const NamePiece& piece : b_.map().Replicas(spec_b_.name)) {
      NEMO_RETURN_IF_ERROR(ComparePiece(b_, piece, true, progress));
    }
    return OkStatus();
  }

  std::optional<Difference> Finish() && { return std::move(comparer_).Finish(); }

 private:
  /// `mine` is b when `swapped`.
  Status ComparePiece(const CanonicalSource& mine, const NamePiece& piece, bool swapped,
                      Progress& progress) {
    const std::optional<Box> part = Intersect(piece.canonical, real_);
    if (!part) return OkStatus();
    const CanonicalSource& other = swapped ? a_ : b_;
    const TensorSpec& spec = swapped ? spec_b_ : spec_a_;
    const TensorSpec& other_spec = swapped ? spec_a_ : spec_b_;
    for (const Box& block : RowBlocks(*part, SizeOf(spec.dtype), kBlockBytes)) {
      if (StopRequested()) return IoError(Format("stopped by signal {}", StopSignal()));
      const auto count = static_cast<size_t>(NumElements(block));
      mine_bytes_.resize(count * static_cast<size_t>(SizeOf(spec.dtype)));
      other_bytes_.resize(count * static_cast<size_t>(SizeOf(other_spec.dtype)));
      NEMO_RETURN_IF_ERROR(mine.ReadPiece(Clip(piece, block), mine_bytes_));
      NEMO_RETURN_IF_ERROR(other.Read(other_spec.name, block, other_bytes_));
      const std::string where = mine.FileOfPiece(piece);
      if (swapped) {
        comparer_.AddBlock(block, other_bytes_, mine_bytes_, where);
      } else {
        comparer_.AddBlock(block, mine_bytes_, other_bytes_, where);
      }
      progress.Add(static_cast<int64_t>(mine_bytes_.size()));
    }
    return OkStatus();
  }

  const CanonicalSource& a_;
  const CanonicalSource& b_;
  const TensorSpec& spec_a_;
  const TensorSpec& spec_b_;
  Box real_;
  TensorComparer comparer_;
  std::vector<std::byte> mine_bytes_, other_bytes_;
};

bool IsVocab(std::string_view name) { return name == kEmbeddingName || name == kOutputLayerName; }

/// Rows both sides must agree on. Without a tokenizer on either side, all rows.
int64_t CommonVocab(const ModelConfig& a, const ModelConfig& b) {
  if (a.vocab_size == 0 || b.vocab_size == 0) return std::max(a.vocab_size, b.vocab_size);
  return std::min(a.vocab_size, b.vocab_size);
}

}  // namespace

Result<Comparison> Compare(const CanonicalSource& a, const ModelConfig& config_a,
                           const CanonicalSource& b, const ModelConfig& config_b, int jobs,
                           Progress& progress) {
  Comparison result;
  const int64_t vocab_size = CommonVocab(config_a, config_b);
  struct Pair {
    const TensorSpec* a;
    const TensorSpec* b;
    Box real;
  };
  std::vector<Pair> pairs;
  int64_t total_bytes = 0;
  for (const TensorSpec& spec : a.specs()) {
    const TensorSpec* other = FindSpec(b.specs(), spec.name);
    if (other == nullptr) {
      result.missing.push_back(spec.name);
      continue;
    }
    const Box real_a = RealRows(spec.shape, IsVocab(spec.name), vocab_size);
    const Box real_b = RealRows(other->shape, IsVocab(spec.name), vocab_size);
    if (real_a != real_b) {
      result.problems.push_back({"shape", spec.name,
                                 Format("shape {} on one side, {} on the other",
                                        FormatList(spec.shape), FormatList(other->shape))});
      continue;
    }
    total_bytes += NumElements(real_a) * SizeOf(spec.dtype);
    pairs.push_back({&spec, other, real_a});
  }
  for (const TensorSpec& spec : b.specs()) {
    if (FindSpec(a.specs(), spec.name) == nullptr) result.extra.push_back(spec.name);
  }

  progress.Start("comparing", total_bytes, "B");
  std::mutex mutex;
  const Status status =
      ParallelFor(jobs, static_cast<int64_t>(pairs.size()), [&](int64_t i) -> Status {
        const Pair& pair = pairs[static_cast<size_t>(i)];
        PairReader reader(a, b, *pair.a, *pair.b, pair.real);
        NEMO_RETURN_IF_ERROR(reader.Run(progress));
        if (std::optional<Difference> difference = std::move(reader).Finish()) {
          const std::lock_guard<std::mutex> lock(mutex);
          result.different.push_back(*std::move(difference));
        }
        return OkStatus();
      });
  progress.Finish();
  NEMO_RETURN_IF_ERROR(status);
  NEMO_RETURN_IF_ERROR(a.ProveReads());
  NEMO_RETURN_IF_ERROR(b.ProveReads());
  std::sort(result.different.begin(), result.different.end(),
            [](const Difference& x, const Difference& y) { return x.name < y.name; });
  result.num_tensors = static_cast<int64_t>(pairs.size());
  return result;
}

}  // namespace nemo
