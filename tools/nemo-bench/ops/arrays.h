// Arrays in a backend's memory, several copies of each, and what an operation's outputs are
// compared with.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/runtime/backend.h"
#include "tools/nemo-bench/measure/random_bf16.h"

namespace nemo {

/// Copies of one array, each in an allocation of its own.
template <typename T>
class Copies {
 public:
  /// Zeroed.
  static Result<Copies> Make(Backend& backend, int64_t num_copies, int64_t size) {
    Copies copies(size);
    for (int64_t i = 0; i < num_copies; ++i) {
      NEMO_ASSIGN_OR_RETURN(std::unique_ptr<Buffer> buffer,
                            backend.Allocate(size * static_cast<int64_t>(sizeof(T))));
      copies.buffers_.push_back(std::move(buffer));
    }
    return copies;
  }
  static Result<Copies> Of(Backend& backend, int64_t num_copies, std::span<const T> values) {
    NEMO_ASSIGN_OR_RETURN(Copies copies, Make(backend, num_copies, std::ssize(values)));
    for (int64_t i = 0; i < num_copies; ++i) {
      NEMO_RETURN_IF_ERROR(backend.Upload(copies.at(i), std::as_bytes(values)));
    }
    return copies;
  }

  int64_t size() const { return size_; }
  T* at(int64_t call) const {
    return static_cast<T*>(buffers_[static_cast<size_t>(call) % buffers_.size()]->data());
  }
  Status Fill(Backend& backend, int64_t copy, std::span<const T> values) const {
    return backend.Upload(at(copy), std::as_bytes(values));
  }
  /// Elements [begin, begin + count) of a copy.
  Result<std::vector<T>> Read(Backend& backend, int64_t copy, int64_t begin, int64_t count) const {
    std::vector<T> values(static_cast<size_t>(count));
    NEMO_RETURN_IF_ERROR(
        backend.Download(std::as_writable_bytes(std::span(values)), at(copy) + begin));
    return values;
  }

 private:
  explicit Copies(int64_t size) : size_(size) {}

  int64_t size_;
  std::vector<std::unique_ptr<Buffer>> buffers_;
};

/// Numbers of deviation `scale` that depend on `seed` only.
inline std::vector<BF16> RandomVector(std::string_view seed, int64_t size, int threads,
                                      float scale = kRandomDeviation) {
  std::vector<BF16> values(static_cast<size_t>(size));
  RandomBF16(SeedOf(seed), std::span(values), threads);
  if (scale == kRandomDeviation) return values;
  for (BF16& value : values) {
    value = BF16FromFloat(FloatFromBF16(value) * (scale / kRandomDeviation));
  }
  return values;
}

/// Element `index` of an array as a number.
inline double AsNumber(BF16 value) { return FloatFromBF16(value); }
inline double AsNumber(float value) { return value; }

/// The largest difference, relative to the largest expected magnitude. Infinite when a number is
/// missing or only one side is no number.
class ErrorMeter {
 public:
  template <typename T>
  void Compare(std::span<const T> got, std::span<const T> expected) {
    if (got.size() != expected.size()) difference_ = kInfinity;
    for (size_t i = 0; i < std::min(got.size(), expected.size()); ++i) {
      Take(AsNumber(got[i]), AsNumber(expected[i]));
    }
  }
  void Take(double got, double expected) {
    if (std::isnan(got) || std::isnan(expected)) {
      if (std::isnan(got) != std::isnan(expected)) difference_ = kInfinity;
      return;
    }
    if (got == expected) {
      if (std::isfinite(expected)) largest_ = std::max(largest_, std::fabs(expected));
      return;
    }
    largest_ = std::max(largest_, std::fabs(expected));
    difference_ = std::max(difference_, std::fabs(got - expected));
  }
  double error() const {
    return difference_ == 0 ? 0 : largest_ > 0 ? difference_ / largest_ : kInfinity;
  }

 private:
  static constexpr double kInfinity = std::numeric_limits<double>::infinity();
  double difference_ = 0, largest_ = 0;
};

/// A vector for the reference backend, whose memory is the host's.
template <typename T>
std::span<const T> Rows(const std::vector<T>& all, int64_t row, int64_t num_rows, int64_t size) {
  return std::span(all).subspan(static_cast<size_t>(row * size),
                                static_cast<size_t>(num_rows * size));
}

}  // namespace nemo
