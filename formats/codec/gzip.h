// Gzip streams as files that can be read at any place, so that an archive inside one is read where
// it lies. Facts: RFC 1951, RFC 1952; zlib's manual (inflatePrime, inflateSetDictionary) for going
// on in the middle.
#pragma once

#include <memory>

#include "libcore/base/file.h"
#include "libcore/base/status.h"

namespace nemo {

/// The decompressed bytes of `compressed`: one gzip member or several in a row, zero padding
/// allowed. Opening decompresses everything once: it checks CRC-32 and length and notes at most
/// 1024 restart points of 32 KiB (32 MiB). ReadAt goes on from the nearest point, or from where an
/// earlier read stopped, so reads in rising order cost one pass, also when several threads each
/// have their own place. kCorruption names the file and the compressed byte: not gzip, truncated,
/// checksum wrong, bytes behind the end.
Result<std::shared_ptr<RandomAccessFile>> OpenGzip(std::shared_ptr<RandomAccessFile> compressed);

}  // namespace nemo
