#include "tools/common/prompt_lines.h"

#include <algorithm>

#include "libcore/base/format.h"

namespace nemo {

Status ForEachPromptLine(
    std::string_view text, const std::string& where,
    const std::function<Status(std::string_view line, const std::string& place)>& take) {
  bool is_empty = true;
  for (int64_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.find_first_not_of(" \t") == std::string_view::npos) continue;
    NEMO_RETURN_IF_ERROR(take(line, Format("{}: line {}", where, number)));
    is_empty = false;
  }
  return is_empty ? InvalidArgument(Format("{}: holds no prompt", where)) : OkStatus();
}

}  // namespace nemo
