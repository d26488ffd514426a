#include "tools/common/containers.h"

#include <algorithm>

#include "libcore/base/format.h"

namespace nemo {

ContainerChoices WritableContainers() {
  ContainerChoices choices;
  for (const struct Format& format : Formats()) {
    const std::vector<std::string_view>& containers = format.target.containers;
    if (format.create == nullptr || containers.size() < 2) continue;
    choices.help += Format("{}{}: {}", choices.help.empty() ? "" : "; ", format.name,
                           fmt::join(containers, ", "));
    for (const std::string_view name : containers) {
      const bool known =
          std::find(choices.names.begin(), choices.names.end(), name) != choices.names.end();
      if (!known) choices.names.emplace_back(name);
    }
  }
  return choices;
}

bool HasContainer(const struct Format& format, std::string_view container) {
  const std::vector<std::string_view>& known = format.target.containers;
  return std::find(known.begin(), known.end(), container) != known.end();
}

std::string ContainerFor(const std::string& asked, const Checkpoint& source,
                         const struct Format& format) {
  if (!asked.empty()) return asked;
  const bool stays = source.format == format.name && HasContainer(format, source.container);
  return stays ? source.container : std::string(format.target.containers.front());
}

}  // namespace nemo
