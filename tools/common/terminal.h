// What the tools ask of a terminal.
#pragma once

#include <cstdio>
#include <string>
#include <string_view>

namespace nemo {

bool IsTerminal(std::FILE* stream);

/// Columns of the terminal behind `stream`, `fallback` when there is none.
int TerminalWidth(std::FILE* stream, int fallback);

/// `text` in bold red when `stream` is a terminal and NO_COLOR is not set; else unchanged.
std::string Alarm(std::FILE* stream, std::string_view text);

}  // namespace nemo
