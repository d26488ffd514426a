#include "tools/common/terminal.h"

#include <cstdlib>
#include <sys/ioctl.h>
#include <unistd.h>

namespace nemo {

bool IsTerminal(std::FILE* stream) { return isatty(fileno(stream)) == 1; }

int TerminalWidth(std::FILE* stream, int fallback) {
  winsize size = {};
  if (ioctl(fileno(stream), TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return fallback;
  return size.ws_col;
}

std::string Alarm(std::FILE* stream, std::string_view text) {
  // no-color.org: present and not empty.
  const char* no_color = std::getenv("NO_COLOR");
  const bool plain = (no_color != nullptr && *no_color != '\0') || !IsTerminal(stream);
  return plain ? std::string(text) : "\033[1;31m" + std::string(text) + "\033[0m";
}

}  // namespace nemo
