#include "formats/codec/zstd_file.h"

#include <memory>

#include <zstd.h>

#include "libcore/base/format.h"

namespace nemo::zstd {

Result<std::string> DecompressFile(std::string_view compressed, int64_t max_bytes) {
  const std::unique_ptr<ZSTD_DStream, size_t (*)(ZSTD_DStream*)> stream(ZSTD_createDStream(),
                                                                        ZSTD_freeDStream);
  if (stream == nullptr) return IoError("there is no memory for a zstd decoder");
  std::string text, block(ZSTD_DStreamOutSize(), '\0');
  ZSTD_inBuffer in{compressed.data(), compressed.size(), 0};
  size_t wanted = 1;  // 0: a frame is complete
  for (bool full = false; in.pos < in.size || full;) {
    ZSTD_outBuffer out{block.data(), block.size(), 0};
    wanted = ZSTD_decompressStream(stream.get(), &out, &in);
    if (ZSTD_isError(wanted)) {
      return Corruption(Format("zstd: byte {}: {}", in.pos, ZSTD_getErrorName(wanted)));
    }
    if (static_cast<int64_t>(text.size() + out.pos) > max_bytes) {
      return Corruption(Format("zstd: more than {} come out of it", FormatBytes(max_bytes)));
    }
    text.append(block, 0, out.pos);
    full = out.pos == block.size() && wanted != 0;
  }
  if (wanted != 0)
    return Corruption(Format("zstd: it ends after {} bytes, inside a frame", in.size));
  return text;
}

}  // namespace nemo::zstd
