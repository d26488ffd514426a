// Data sets in the files that their authors publish: CSV, TSV, JSONL, JSON. A row becomes a
// mapping, whatever the format; from here on nobody knows where it came from.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/base/value.h"

namespace nemo::eval {

/// The whole text of the file `name`, relative to the data folder, decompressed. kNotFound: no such
/// file, nor one of a compressed form. Files are the caller's: decompression lives elsewhere.
using FileReader = std::function<Result<std::string>(std::string_view name)>;

/// Where the rows of a split are, as a task's YAML says.
struct DataSpec {
  std::vector<std::string> files;    ///< the first that exists is read
  std::string format;                ///< csv, tsv, jsonl, json; empty: by the name's ending
  std::vector<std::string> columns;  ///< names, for csv and tsv, which have no header here
  std::string path;                  ///< json: the member that holds the list
  int64_t rows_begin = 0;            ///< rows [rows_begin, rows_end) of the file are the split
  int64_t rows_end = -1;             ///< -1: to the end
  std::vector<std::pair<std::string, std::string>> where;  ///< rows whose fields have these texts
  bool empty() const { return files.empty(); }
};

/// RFC 4180 without a header: quoted fields may hold commas, doubled quotes and line ends.
/// kCorruption: a quote that does not end, a row with other than columns.size() fields, with its
/// line.
Result<std::vector<Value>> ParseCsv(std::string_view text, const std::vector<std::string>& columns);
/// One row a line, fields between tabs, nothing is quoted. kCorruption as ParseCsv.
Result<std::vector<Value>> ParseTsv(std::string_view text, const std::vector<std::string>& columns);
/// One JSON mapping a line; empty lines are skipped. kCorruption with the line.
Result<std::vector<Value>> ParseJsonl(std::string_view text);
/// A JSON list of mappings, or the member `path` of a mapping.
Result<std::vector<Value>> ParseJsonRows(std::string_view text, std::string_view path);

/// The rows of `spec`. kNotFound names every file that was looked for; kCorruption, kIo.
Result<std::vector<Value>> ReadRows(const DataSpec& spec, const FileReader& read);

}  // namespace nemo::eval
