// Zstandard frames of byte-shuffled elements: the door of libzstd. Any decoder reads the frames.
// Facts: RFC 8878 (frame and block headers), zstd.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "libcore/base/status.h"

namespace nemo::zstd {

/// Instead of a level: entropy coding only, and none where it gains nothing. The fastest, and for
/// weights as small as any level: of bfloat16 some 67 %.
inline constexpr int kEntropyOnly = 0;
inline constexpr int kMaxLevel = 19;

/// No frame of `size_bytes` is larger than this.
int64_t MaxFrameBytes(int64_t size_bytes);

// Each thread that calls one of these keeps a context and buffers of the size of its largest call.

/// Appends one frame with the shuffled `elements` (a multiple of `item_size` bytes) to `out`.
/// `level`: kEntropyOnly, or 1 to kMaxLevel. The same input and library give the same bytes.
void AppendShuffled(std::span<const std::byte> elements, int64_t item_size, int level,
                    std::vector<std::byte>& out);
/// Undoes AppendShuffled, or what shuffling and any compressor made. kCorruption: not one frame of
/// out.size() bytes.
Status DecompressShuffled(std::span<const std::byte> frame, int64_t item_size,
                          std::span<std::byte> out);

/// Appends one frame with `bytes` as they are. `level`: 1 to kMaxLevel.
void Append(std::span<const std::byte> bytes, int level, std::vector<std::byte>& out);
/// Fills all of `out`. kCorruption: `frame` is not one frame of out.size() bytes.
Status Decompress(std::span<const std::byte> frame, std::span<std::byte> out);
/// What the frame's header says it holds: hostile input like the rest. kCorruption: no such header.
Result<int64_t> ContentBytes(std::span<const std::byte> frame);

}  // namespace nemo::zstd
