// Pages that need nothing but themselves: the frame and the looks that the tools' pages share.
#pragma once

#include <string>
#include <string_view>

namespace nemo {

/// `text` with the characters that mean something in HTML replaced.
std::string EscapeHtml(std::string_view text);

/// A whole document around `body`. The looks: a light and a dark palette by the reader's choice
/// (--paper, --ink, --soft, --line, --warn, --s0 to --s7 for series), headings, tables
/// (`th.left`, `td.left`), `.scroll` for what may be wider than the page, `.warn`. `style` comes
/// behind them.
std::string HtmlPage(std::string_view title, std::string_view style, std::string_view body);

}  // namespace nemo
