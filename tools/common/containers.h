// --container: what the files of DST are, where its format leaves a choice (Format::target).
#pragma once

#include <string>
#include <vector>

#include "formats/format.h"

namespace nemo {

/// The containers of all formats that leave a choice.
struct ContainerChoices {
  std::string help;                ///< "native: hdf5, safetensors; nemo: zarr, torch"
  std::vector<std::string> names;  ///< each once
};
ContainerChoices WritableContainers();

/// True when `format` may be written with `container`.
bool HasContainer(const struct Format& format, std::string_view container);

/// `asked`; when that is empty the source's where `format` is the source's own and has it; else the
/// default of `format`.
std::string ContainerFor(const std::string& asked, const Checkpoint& source,
                         const struct Format& format);

}  // namespace nemo
