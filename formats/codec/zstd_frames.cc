#include "formats/codec/zstd_frames.h"

#include <new>

#include <zstd.h>

#include "formats/codec/entropy_frame.h"
#include "formats/codec/shuffle.h"
#include "formats/codec/zstd_context.h"
#include "libcore/base/check.h"
#include "libcore/base/format.h"

namespace nemo::zstd {

Workspace& ThisThread() {
  thread_local Workspace workspace;
  if (workspace.compress == nullptr) workspace.compress.reset(ZSTD_createCCtx());
  if (workspace.decompress == nullptr) workspace.decompress.reset(ZSTD_createDCtx());
  if (workspace.compress == nullptr || workspace.decompress == nullptr) throw std::bad_alloc();
  return workspace;
}

int64_t MaxFrameBytes(int64_t size_bytes) {
  return static_cast<int64_t>(ZSTD_compressBound(static_cast<size_t>(size_bytes)));
}

void AppendShuffled(std::span<const std::byte> elements, int64_t item_size, int level,
                    std::vector<std::byte>& out) {
  if (level == kEntropyOnly) return AppendEntropyFrame(elements, item_size, out);
  std::vector<std::byte>& planes = ThisThread().planes;
  planes.resize(elements.size());
  Shuffle(elements, item_size, planes);
  Append(planes, level, out);
}

Status DecompressShuffled(std::span<const std::byte> frame, int64_t item_size,
                          std::span<std::byte> out) {
  if (item_size == 1) return Decompress(frame, out);
  if (item_size == 2 && DecodePairs(frame, out)) return OkStatus();
  std::vector<std::byte>& planes = ThisThread().planes;
  planes.resize(out.size());
  NEMO_RETURN_IF_ERROR(Decompress(frame, planes));
  Unshuffle(planes, item_size, out);
  return OkStatus();
}

void Append(std::span<const std::byte> bytes, int level, std::vector<std::byte>& out) {
  NEMO_CHECK(level >= 1 && level <= kMaxLevel);
  const size_t begin = out.size();
  out.resize(begin + ZSTD_compressBound(bytes.size()));
  const size_t size = ZSTD_compressCCtx(ThisThread().compress.get(), out.data() + begin,
                                        out.size() - begin, bytes.data(), bytes.size(), level);
  NEMO_CHECK(!ZSTD_isError(size));
  out.resize(begin + size);
}

Status Decompress(std::span<const std::byte> frame, std::span<std::byte> out) {
  const size_t frame_bytes = ZSTD_findFrameCompressedSize(frame.data(), frame.size());
  if (ZSTD_isError(frame_bytes)) {
    return Corruption(Format("zstd says: {}", ZSTD_getErrorName(frame_bytes)));
  }
  if (frame_bytes != frame.size()) {
    return Corruption(Format("{} bytes stand behind a zstd frame of {}", frame.size() - frame_bytes,
                             frame_bytes));
  }
  const unsigned long long says = ZSTD_getFrameContentSize(frame.data(), frame.size());
  if (says != ZSTD_CONTENTSIZE_UNKNOWN && says != out.size()) {
    return Corruption(Format("a zstd frame that holds {} bytes, expected {}", says, out.size()));
  }
  const size_t size = ZSTD_decompressDCtx(ThisThread().decompress.get(), out.data(), out.size(),
                                          frame.data(), frame.size());
  if (ZSTD_isError(size)) return Corruption(Format("zstd says: {}", ZSTD_getErrorName(size)));
  if (size != out.size()) {
    return Corruption(Format("a zstd frame that holds {} bytes, expected {}", size, out.size()));
  }
  return OkStatus();
}

Result<int64_t> ContentBytes(std::span<const std::byte> frame) {
  const unsigned long long size = ZSTD_getFrameContentSize(frame.data(), frame.size());
  if (size == ZSTD_CONTENTSIZE_ERROR) return Corruption("no zstd frame");
  if (size == ZSTD_CONTENTSIZE_UNKNOWN || size > static_cast<unsigned long long>(INT64_MAX)) {
    return Corruption("a zstd frame that does not say how much it holds");
  }
  return static_cast<int64_t>(size);
}

}  // namespace nemo::zstd
