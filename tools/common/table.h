// Tables of text that fit a terminal.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace nemo {

/// Rows of cells under a heading, columns separated by two blanks.
class Table {
 public:
  enum class Align { kLeft, kRight };
  struct Column {
    std::string title;
    Align align = Align::kLeft;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  /// One cell per column (NEMO_CHECK).
  void AddRow(std::vector<std::string> cells);
  bool empty() const { return rows_.empty(); }

  /// All rows. When `max_width` > 0 and the table is wider, cells of the widest columns lose
  /// their middle.
  std::string ToText(int max_width) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

/// The width that tables on stdout must fit: the terminal's, 0 (no limit) for files and pipes.
int TableWidth();

}  // namespace nemo
