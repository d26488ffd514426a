// Writing tar archives whose sizes are known beforehand: every header can be laid out, and every
// member's place is known, before the data are there. The bytes depend on names and sizes alone.
// Facts: POSIX pax (ustar and its extended headers). docs/formats/tar.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace nemo::tar {

/// What stands before the data of file `name` ("./model_config.yaml"): an ustar header, with pax
/// records before it where name or size do not fit there. A multiple of 512 bytes.
std::string FileHeader(std::string_view name, int64_t size_bytes);

/// The whole member of directory `name` ("./", "./model_weights/": with the slash).
std::string DirectoryHeader(std::string_view name);

/// The zeros behind the data of a member of `size_bytes`.
std::string PaddingBehind(int64_t size_bytes);

/// What stands behind the last member, which ends (padding included) at `offset_bytes`: two blocks
/// of zeros, and more up to a multiple of 10,240.
std::string ArchiveEnd(int64_t offset_bytes);

}  // namespace nemo::tar
