// CanonicalSource: stored tensors seen under their canonical names, through a NameMap.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/model/name_map.h"
#include "libcore/tensor/source.h"

namespace nemo {

class CanonicalSource : public TensorSource {
 public:
  /// A view of `canonical` over `stored` (one source per NamePiece::source_index). Checks that each
  /// piece lies inside its stored tensor, dtypes agree, and every canonical element is held.
  /// kCorruption / kNotFound name the tensor.
  static Result<std::shared_ptr<CanonicalSource>> Create(
      std::vector<TensorSpec> canonical, NameMap map,
      std::vector<std::shared_ptr<const TensorSource>> stored);

  std::span<const TensorSpec> specs() const override { return specs_; }
  Status Read(std::string_view name, const Box& box, std::span<std::byte> out) const override;
  int64_t PhaseOf(std::string_view name, const Box& box) const override;
  Status ProveReads() const override;
  std::vector<std::string> FilesOf(std::string_view name, const Box& box) const override;

  const NameMap& map() const { return map_; }
  /// Reads one piece (replicas too) in the stored order; `out` is dense in piece.canonical's
  /// extent.
  Status ReadPiece(const NamePiece& piece, std::span<std::byte> out) const;
  /// The files of one piece (replicas too), for messages.
  std::string FileOfPiece(const NamePiece& piece) const;

 private:
  std::vector<TensorSpec> specs_;
  NameMap map_;
  std::vector<std::shared_ptr<const TensorSource>> stored_;
};

}  // namespace nemo
