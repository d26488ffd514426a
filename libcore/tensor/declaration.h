// Declaration: the tensors that were promised to a sink, and the checks that every sink makes of
// what it is given.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/tensor/sink.h"

namespace nemo {

class Declaration {
 public:
  Declaration() = default;
  /// kInvalidArgument: duplicate names, unsound shapes.
  static Result<Declaration> Create(std::vector<SinkTensor> tensors);

  const std::vector<SinkTensor>& tensors() const { return tensors_; }
  const TensorSpec& spec(size_t index) const { return tensors_[index].spec; }

  /// Position of tensor `name`. kNotFound.
  Result<size_t> Find(std::string_view name) const;
  /// The same when `box` and a buffer of `size_bytes` suit the tensor. Errors of CheckBox.
  Result<size_t> Find(std::string_view name, const Box& box, int64_t size_bytes) const;
  /// kInvalidArgument: a tensor without an XXH3-128 of kChecksumDigits digits.
  Status CheckChecksums(const std::map<std::string, std::string>& checksums) const;

  static constexpr size_t kChecksumDigits = 32;

 private:
  std::vector<SinkTensor> tensors_;
  std::map<std::string, size_t, std::less<>> index_of_;  ///< by name
};

}  // namespace nemo
