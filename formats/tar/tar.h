// Tar archives read in place: an index of members made by hopping from header to header.
// Facts: POSIX pax (ustar and its extended headers), GNU tar manual ("Basic Tar Format").
// docs/formats/tar.md.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "libcore/base/file.h"
#include "libcore/base/status.h"

namespace nemo {

/// True when `first_block`, up to 512 bytes from the beginning of a file, can begin a tar archive:
/// the magic `ustar`, a right header checksum (archives from before ustar), or zeros (an empty
/// archive).
bool LooksLikeTar(std::span<const std::byte> first_block);

/// The regular files of the archive in `file` (v7, ustar, pax, GNU), none of whose data is read.
/// Names lose "./". One or two small reads per member. kCorruption, with member and byte:
/// truncation, bad checksum or number, duplicate names, and everything a checkpoint has no need of
/// and an attacker has: absolute names, "..", links, devices. kUnsupported: sparse and multi-volume
/// members.
Result<std::shared_ptr<FileTree>> OpenTar(std::shared_ptr<RandomAccessFile> file);

}  // namespace nemo
