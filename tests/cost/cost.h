// Counts what a reader does with an input: memory held, memory asked for, bytes read. Never
// seconds, which a busy machine stretches; a ceiling on processor time only tells linear work from
// quadratic.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "libcore/base/file.h"

namespace nemo::testing {

/// What one byte of an input may cost at most, beside a constant.
struct CostLimits {
  double bytes_held = 0;       ///< at the worst moment
  double bytes_allocated = 0;  ///< one after the other: what copying again and again shows in
  double bytes_read = 2;       ///< of the input, again and again
};

/// Bytes in memory as a file that counts what is read of it.
class CountedFile : public RandomAccessFile {
 public:
  CountedFile(std::string name, std::string bytes);
  int64_t size_bytes() const override { return file_->size_bytes(); }
  const std::string& name() const override { return file_->name(); }
  Status ReadAt(int64_t offset_bytes, std::span<std::byte> out) const override;
  int64_t read_bytes() const { return read_bytes_; }

 private:
  std::shared_ptr<RandomAccessFile> file_;
  mutable std::atomic<int64_t> read_bytes_ = 0;
};

/// Runs `read`, and expects it to stay below `limits` for an input of `input_bytes`, of which it
/// says it read `read_bytes`. A run above a minute of the processor's time ends the program: linear
/// work on these inputs takes a second or two.
void ExpectCost(const std::string& what, size_t input_bytes, const CostLimits& limits,
                const std::function<void()>& read);
/// The same for what reads a file.
void ExpectFileCost(const std::string& what, std::string bytes, const CostLimits& limits,
                    const std::function<void(std::shared_ptr<RandomAccessFile>)>& read);

}  // namespace nemo::testing
