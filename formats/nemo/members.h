// The files of a checkpoint before they are written: for each what is known beforehand, and where
// tensors go. An archive and a directory are two packagings of the same members.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "formats/torch/file_layout.h"

namespace nemo {

/// One file: fixed bytes and tensors. Names are relative, without "./".
struct Member {
  std::string name;
  int64_t size_bytes = 0;
  std::vector<size_t> tensors;              ///< those in it, by their index in a declaration
  std::vector<int64_t> offsets;             ///< where each begins; parallel to `tensors`
  std::vector<torch::Piece> pieces;         ///< everything else
  std::shared_ptr<torch::FileLayout> file;  ///< of a torch file: its pieces, which have checksums
};

Member FixedMember(std::string name, std::string bytes);
/// A file that is one tensor and nothing else.
Member TensorMember(std::string name, size_t tensor, int64_t size_bytes);
/// A torch file that holds `tensors`, in the order of the layout.
Member TorchMember(std::string name, torch::FileLayout file, std::vector<size_t> tensors);

/// What stands in a member around the tensors. `crc32`: of each of member.tensors; the places do
/// not depend on them.
std::vector<torch::Piece> PiecesOf(const Member& member, std::span<const uint32_t> crc32);

/// Members in a row of bytes.
struct Arrangement {
  std::vector<int64_t> offsets;       ///< where each begins
  std::vector<torch::Piece> framing;  ///< what stands between them
  int64_t size_bytes = 0;
};

/// One directly behind the other.
Arrangement ArrangeInRow(std::span<const Member> members);
/// As a tar archive, folders before what is in them, in the order given.
Arrangement ArrangeInTar(std::span<const Member> members);

}  // namespace nemo
