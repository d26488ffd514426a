#include "tools/common/table.h"

#include <algorithm>
#include <cstdio>

#include "libcore/base/check.h"
#include "libcore/text/tokenizer.h"
#include "tools/common/terminal.h"

namespace nemo {
namespace {

constexpr size_t kMinColumn = 16;
constexpr std::string_view kGap = "  ";
constexpr std::string_view kEllipsis = "...";

/// Columns that `text` takes: one per character.
size_t WidthOf(std::string_view text) { return static_cast<size_t>(CountCharacters(text)); }

/// Names differ at both ends (decoder.layers.17 ... weight), so the middle goes.
std::string Shorten(const std::string& text, size_t width) {
  // Bytes are characters in names that long; others stay whole.
  if (text.size() <= width || text.size() != WidthOf(text)) return text;
  const size_t kept = width - kEllipsis.size();
  const size_t tail = kept / 2;
  return text.substr(0, kept - tail) + std::string(kEllipsis) + text.substr(text.size() - tail);
}

/// Takes what is too much from the widest columns.
void NarrowTo(size_t max_width, size_t total, std::vector<size_t>& widths) {
  while (total > max_width) {
    const auto widest = std::max_element(widths.begin(), widths.end());
    if (*widest <= kMinColumn) return;
    --*widest;
    --total;
  }
}

}  // namespace

void Table::AddRow(std::vector<std::string> cells) {
  NEMO_CHECK(cells.size() == columns_.size());
  rows_.push_back(std::move(cells));
}

std::string Table::ToText(int max_width) const {
  std::vector<std::vector<std::string>> lines(1);
  for (const Column& column : columns_) lines[0].push_back(column.title);
  lines.insert(lines.end(), rows_.begin(), rows_.end());
  std::vector<size_t> widths(columns_.size());
  size_t total = kGap.size() * (columns_.size() - 1);
  for (size_t c = 0; c < columns_.size(); ++c) {
    for (const auto& line : lines) widths[c] = std::max(widths[c], WidthOf(line[c]));
    total += widths[c];
  }
  if (max_width > 0) NarrowTo(static_cast<size_t>(max_width), total, widths);
  std::string text;
  for (const auto& line : lines) {
    std::string row;
    for (size_t c = 0; c < line.size(); ++c) {
      const std::string cell = Shorten(line[c], widths[c]);
      const std::string padding(widths[c] - std::min(widths[c], WidthOf(cell)), ' ');
      if (c > 0) row += kGap;
      row += columns_[c].align == Align::kLeft ? cell + padding : padding + cell;
    }
    row.erase(row.find_last_not_of(' ') + 1);
    text += row + "\n";
  }
  return text;
}

int TableWidth() { return IsTerminal(stdout) ? TerminalWidth(stdout, 80) : 0; }

}  // namespace nemo
