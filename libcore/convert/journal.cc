#include "libcore/convert/journal.h"

#include <cerrno>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "libcore/base/file.h"
#include "libcore/base/format.h"
#include "libcore/base/json.h"
#include "libcore/base/value.h"

namespace nemo {
namespace {

constexpr int64_t kMaxJournalBytes = int64_t{1} << 30;

Value ToValue(const TensorRecord& record) {
  Value value;
  value.Set("file", record.file);
  value.Set("tensor", record.tensor);
  value.Set("xxh3", record.xxh3);
  value.Set("offset", record.place.offset_bytes);
  value.Set("bytes", record.place.size_bytes);
  if (const PlaceChunks& chunks = record.place.chunks; !chunks.empty()) {
    value.Set("stored_xxh3", chunks.xxh3);
    value.Set("chunk_rows", chunks.rows);
    value.Set("chunk_bytes", Value::ArrayOf(chunks.bytes));
  }
  if (!record.note.empty()) value.Set("note", record.note);
  return value;
}

Value ToValue(const FileRecord& record) {
  Value value;
  value.Set("file", record.file);
  value.Set("size", record.summary.size_bytes);
  value.Set("metadata_xxh3", record.summary.metadata_xxh3);
  return value;
}

Result<TensorRecord> ParseTensor(const Value& value) {
  TensorRecord record;
  NEMO_ASSIGN_OR_RETURN(record.file, value.GetString("file"));
  NEMO_ASSIGN_OR_RETURN(record.tensor, value.GetString("tensor"));
  NEMO_ASSIGN_OR_RETURN(record.xxh3, value.GetString("xxh3"));
  NEMO_ASSIGN_OR_RETURN(record.place.offset_bytes, value.GetInt("offset"));
  NEMO_ASSIGN_OR_RETURN(record.place.size_bytes, value.GetInt("bytes"));
  if (value.Find("chunk_bytes") != nullptr) {
    NEMO_ASSIGN_OR_RETURN(record.place.chunks.xxh3, value.GetString("stored_xxh3"));
    NEMO_ASSIGN_OR_RETURN(record.place.chunks.rows, value.GetInt("chunk_rows"));
    NEMO_ASSIGN_OR_RETURN(record.place.chunks.bytes, value.GetIntList("chunk_bytes"));
  }
  if (value.Find("note") != nullptr) {
    NEMO_ASSIGN_OR_RETURN(record.note, value.GetString("note"));
  }
  return record;
}

Result<FileRecord> ParseFile(const Value& value) {
  FileRecord record;
  NEMO_ASSIGN_OR_RETURN(record.file, value.GetString("file"));
  NEMO_ASSIGN_OR_RETURN(record.summary.size_bytes, value.GetInt("size"));
  NEMO_ASSIGN_OR_RETURN(record.summary.metadata_xxh3, value.GetString("metadata_xxh3"));
  return record;
}

/// A line that cannot be read was torn by the stop: the work that it spoke of is done again.
void AddLine(std::string_view line, JournalRecords& records) {
  const auto value = ParseJson(line);
  if (!value) return;
  if (value->Find("tensor") == nullptr) {
    if (auto file = ParseFile(*value)) records.files[file->file] = *file;
  } else if (auto tensor = ParseTensor(*value)) {
    records.tensors[{tensor->file, tensor->tensor}] = *tensor;
  }
}

std::string Header(const std::string& key) {
  Value value;
  value.Set("journal", 1);
  value.Set("conversion", key);
  return ToJson(value);
}

}  // namespace

Result<std::unique_ptr<Journal>> Journal::Open(const std::string& path) {
  Descriptor fd(::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
  if (fd.get() < 0) return ErrnoError(errno, path);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) {
      return Unavailable(
          Format("{}: another process is writing this destination; wait for it, or "
                 "name another one",
                 path));
    }
    if (errno != ENOLCK && errno != EOPNOTSUPP) return ErrnoError(errno, path + ": lock");
  }
  return std::unique_ptr<Journal>(new Journal(path, std::move(fd)));
}

Result<std::unique_ptr<Journal>> Journal::Begin(const std::string& path, const std::string& key) {
  NEMO_ASSIGN_OR_RETURN(std::unique_ptr<Journal> journal, Open(path));
  if (::ftruncate(journal->fd_.get(), 0) != 0) return ErrnoError(errno, path);
  NEMO_RETURN_IF_ERROR(journal->Append(Header(key)));
  return journal;
}

Result<std::unique_ptr<Journal>> Journal::Continue(const std::string& path,
                                                   const std::string& key) {
  if (KindOf(path) != PathKind::kFile) return NotFound(path + ": no journal");
  NEMO_ASSIGN_OR_RETURN(const std::string text, ReadAllFrom(path, kMaxJournalBytes));
  if (text.find('\n') == std::string::npos) return Begin(path, key);
  NEMO_ASSIGN_OR_RETURN(std::unique_ptr<Journal> journal, Open(path));
  NEMO_RETURN_IF_ERROR(Read(path, key).error());
  // A torn line must not swallow the next one.
  NEMO_RETURN_IF_ERROR(journal->Append(""));
  return journal;
}

Result<JournalRecords> Journal::Read(const std::string& path, const std::string& key) {
  NEMO_ASSIGN_OR_RETURN(const std::string text, ReadAllFrom(path, kMaxJournalBytes));
  const size_t header_end = text.find('\n');
  if (header_end == std::string::npos) return JournalRecords();  // stopped while it was begun
  if (text.substr(0, header_end) != Header(key)) {
    return InvalidArgument(
        Format("{}: what was begun here is another conversion (of another source, layout, format "
               "or version); --force starts anew",
               path));
  }
  JournalRecords records;
  for (size_t at = header_end; at != std::string::npos && at < text.size();) {
    const size_t end = text.find('\n', ++at);
    AddLine(std::string_view(text).substr(at, end == std::string::npos ? end : end - at), records);
    at = end;
  }
  return records;
}

Status Journal::Append(std::string line) {
  line += '\n';
  const std::lock_guard<std::mutex> lock(mutex_);
  const ssize_t n = ::write(fd_.get(), line.data(), line.size());
  if (n == std::ssize(line)) return OkStatus();
  return n < 0 ? ErrnoError(errno, path_) : IoError(path_ + ": the disk took only part of a line");
}

Status Journal::Add(const TensorRecord& record) { return Append(ToJson(ToValue(record))); }
Status Journal::Add(const FileRecord& record) { return Append(ToJson(ToValue(record))); }

Status Journal::Remove() { return RemoveAll(path_); }

}  // namespace nemo
