// Journal: what a conversion has finished, kept beside its output, so that a stopped one can go on.
// Text, one JSON object a line; the first names the conversion. A torn last line does not count:
// records are proved by the bytes that they speak of, not believed. docs/convert.md.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libcore/base/direct_io.h"
#include "libcore/base/status.h"
#include "libcore/tensor/sink.h"

namespace nemo {

/// A tensor that is wholly written.
struct TensorRecord {
  std::string file;    ///< PlannedFile::stem
  std::string tensor;  ///< its name in the file
  std::string xxh3;    ///< of its bytes before encoding
  TensorPlace place;
  std::string note;  ///< TensorSink::Note
};

/// A file that is finished.
struct FileRecord {
  std::string file;
  TensorSink::FileSummary summary;
};

struct JournalRecords {
  std::map<std::pair<std::string, std::string>, TensorRecord> tensors;  ///< by file and tensor
  std::map<std::string, FileRecord> files;
};

/// Thread-safe. One process writes a journal; while it is open, others are kept out by a lock.
class Journal {
 public:
  /// Begins a journal of the conversion that `key` identifies. kUnavailable: another process writes
  /// it at this moment. kIo.
  static Result<std::unique_ptr<Journal>> Begin(const std::string& path, const std::string& key);
  /// Goes on with the journal of a stopped run, or begins the one that it had not begun yet.
  /// kNotFound: there is none. kInvalidArgument: it is
  /// of another conversion. kUnavailable, kIo as Begin.
  static Result<std::unique_ptr<Journal>> Continue(const std::string& path, const std::string& key);
  /// What stands in the journal at `path`, whoever writes it. kNotFound; kInvalidArgument: it is of
  /// another conversion.
  static Result<JournalRecords> Read(const std::string& path, const std::string& key);

  Status Add(const TensorRecord& record);
  Status Add(const FileRecord& record);
  /// The output stands, or is given up: the file goes.
  Status Remove();

 private:
  Journal(std::string path, Descriptor fd) : path_(std::move(path)), fd_(std::move(fd)) {}
  static Result<std::unique_ptr<Journal>> Open(const std::string& path);
  Status Append(std::string line);

  std::string path_;
  Descriptor fd_;
  std::mutex mutex_;
};

}  // namespace nemo
