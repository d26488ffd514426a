// Checksums made right again behind a mutation, so that what they protect is reached: damage, then
// repair the checksum and lie again.
#pragma once

#include <string>

namespace nemo::fuzz {

/// Sets the checksum of every block with ustar's magic.
void RepairTar(std::string& bytes);
/// Sets the CRC-32 in every central header of a zip archive whose data can be found.
void RepairZip(std::string& bytes);

}  // namespace nemo::fuzz
