// The folder of data sets, as tasks read it.
#pragma once

#include <string>

#include "libcore/eval/data_file.h"

namespace nemo {

/// Reads files of `folder` as they are, or NAME.zst, or NAME.gz, decompressed. Names may not lead
/// out of the folder: kInvalidArgument. kCorruption: a compressed file is damaged, or larger than
/// a data set is.
eval::FileReader DataFolder(std::string folder);

}  // namespace nemo
