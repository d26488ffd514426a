// What a thread keeps of libzstd between calls.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include <zstd.h>

namespace nemo::zstd {

struct FreeContext {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

struct Workspace {
  std::unique_ptr<ZSTD_CCtx, FreeContext> compress;
  std::unique_ptr<ZSTD_DCtx, FreeContext> decompress;
  std::vector<std::byte> planes;
  std::vector<std::byte> frame;  ///< as large as the largest one could have been
};

/// The calling thread's own. std::bad_alloc when there is no memory for the contexts.
Workspace& ThisThread();

}  // namespace nemo::zstd
