// NameMap: canonical box <-> boxes of stored tensors. Plain data, so that stacking (zarr), sharding
// (native, rank files) and splitting (QKV in Hugging Face form) are all the same thing: a list of
// pieces.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/tensor/box.h"

namespace nemo {

/// The same elements in two places. `stored` may have leading axes of extent 1 more than
/// `canonical` (stacked layers); otherwise the extents agree, and both are read in row-major order.
struct NamePiece {
  Box canonical;
  int source_index = 0;  ///< which of the checkpoint's sources (files) holds it
  std::string stored_name;
  Box stored;
};

/// `piece` cut down to `part`, a box inside piece.canonical.
NamePiece Clip(const NamePiece& piece, const Box& part);

class NameMap {
 public:
  /// Adds a piece of `canonical_name`. Pieces that cover elements already covered are replicas.
  void Add(std::string canonical_name, NamePiece piece);

  /// Pieces of a tensor in the order added; nullptr when there is none.
  const std::vector<NamePiece>* Find(std::string_view canonical_name) const;
  const std::map<std::string, std::vector<NamePiece>, std::less<>>& entries() const {
    return entries_;
  }

  /// The pieces that meet `box`, clipped to it (stored boxes too). A tensor's replicas are left
  /// out: every element of `box` comes exactly once. kCorruption: an element is held by no piece.
  Result<std::vector<NamePiece>> Locate(std::string_view canonical_name, const Box& box) const;

  /// The pieces of a tensor that Locate(whole tensor) leaves out: what a proof has to read besides.
  std::vector<NamePiece> Replicas(std::string_view canonical_name) const;

 private:
  std::map<std::string, std::vector<NamePiece>, std::less<>> entries_;
};

}  // namespace nemo
