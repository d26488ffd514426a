#include "tools/nemo-generate/answer_file.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <memory>
#include <sys/file.h>
#include <unistd.h>

#include "libcore/base/file.h"
#include "libcore/base/format.h"
#include "libcore/base/json.h"

namespace nemo {
namespace {

constexpr double kSyncSeconds = 1;

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Status WriteAll(int fd, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoError(errno, path);
    text.remove_prefix(static_cast<size_t>(n));
  }
  return OkStatus();
}

Status Sync(int fd, const std::string& path) {
  return ::fdatasync(fd) == 0 ? OkStatus() : ErrnoError(errno, path);
}

/// Lines of a file, however long, one at a time.
class LineReader {
 public:
  ~LineReader() {
    std::free(line_);
    if (file_ != nullptr) std::fclose(file_);
  }
  Status Open(const std::string& path) {
    file_ = std::fopen(path.c_str(), "re");
    return file_ != nullptr ? OkStatus() : ErrnoError(errno, path);
  }
  /// False at the end, and at a line without its newline.
  bool Next(std::string* line) {
    const ssize_t n = ::getline(&line_, &capacity_, file_);
    if (n <= 0 || line_[n - 1] != '\n') return false;
    line->assign(line_, static_cast<size_t>(n));
    return true;
  }

 private:
  std::FILE* file_ = nullptr;
  char* line_ = nullptr;
  size_t capacity_ = 0;
};

}  // namespace

Result<AnswerFile::Line> AnswerFile::ParseLine(const std::string& text) const {
  NEMO_ASSIGN_OR_RETURN(const Value value, ParseJson(text));
  Line line;
  NEMO_ASSIGN_OR_RETURN(line.index, value.GetInt("index"));
  NEMO_ASSIGN_OR_RETURN(const std::string run, value.GetString("run"));
  if (const Value* seed = value.Find("seed"); seed != nullptr && seed->is_int()) {
    line.seed = seed->as_int();
  }
  if (run != mark_.Text()) {
    const bool same_model = run.starts_with(mark_.model + "-");
    return InvalidArgument(
        Format("the answers there are of {}; --resume needs the same model, prompts and "
               "parameters, --force begins anew",
               same_model ? "other prompts or parameters" : "another model"));
  }
  if (line.index < 0 || line.index >= std::ssize(finished_) || finished_[line.index]) {
    return Corruption(Format("answer {} of {} is there twice, or there is no such", line.index,
                             finished_.size()));
  }
  return line;
}

Status AnswerFile::TakeLines(const std::string& path, int64_t* end) {
  LineReader reader;
  NEMO_RETURN_IF_ERROR(reader.Open(path));
  *end = 0;
  for (std::string text; reader.Next(&text); *end += std::ssize(text)) {
    auto line = ParseLine(text);
    if (!line) {
      const bool torn = line.error().code() != StatusCode::kInvalidArgument && !lines_.empty();
      if (torn) break;
      return InvalidArgument(Format("{}: {}", path,
                                    line.error().code() == StatusCode::kInvalidArgument
                                        ? line.error().message()
                                        : "is there, and does not hold answers of this tool; "
                                          "--force replaces it"));
    }
    line->offset_bytes = *end;
    line->size_bytes = std::ssize(text);
    finished_[line->index] = true;
    lines_.push_back(*line);
  }
  return OkStatus();
}

Status AnswerFile::Create(bool keep) {
  const std::string partial = PartialPath();
  fd_ = Descriptor(::open(partial.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666));
  if (fd_.get() < 0) return ErrnoError(errno, partial);
  if (::flock(fd_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) {
      return Unavailable(
          Format("{}: another process is writing these answers; wait for it, or name another file",
                 partial));
    }
    if (errno != ENOLCK && errno != EOPNOTSUPP) return ErrnoError(errno, partial + ": lock");
  }
  NEMO_RETURN_IF_ERROR(RemoveAll(SortedPath()));
  if (keep) NEMO_RETURN_IF_ERROR(TakeLines(partial, &size_bytes_));
  if (::ftruncate(fd_.get(), size_bytes_) != 0) return ErrnoError(errno, partial);
  return OkStatus();
}

Result<std::unique_ptr<AnswerFile>> AnswerFile::Open(const std::string& path, Mode mode,
                                                     const RunMark& mark, int64_t num_answers) {
  std::unique_ptr<AnswerFile> file(new AnswerFile(path, mark, num_answers));
  const bool has_partial = KindOf(file->PartialPath()) != PathKind::kAbsent;
  const bool has_whole = KindOf(path) != PathKind::kAbsent;
  if (mode == Mode::kNew && has_partial) {
    return InvalidArgument(Format(
        "{}: a stopped run has left its answers here; --resume goes on with them, --force begins "
        "anew",
        file->PartialPath()));
  }
  if (mode == Mode::kNew && has_whole) {
    return InvalidArgument(Format("{}: is already there; --force replaces it", path));
  }
  // Both are there when --force had begun to replace one: the stopped run is what goes on.
  if (mode == Mode::kResume && has_whole && !has_partial) {
    int64_t end = 0;
    NEMO_RETURN_IF_ERROR(file->TakeLines(path, &end));
    if (file->num_finished() != num_answers) {
      return InvalidArgument(
          Format("{}: holds {} answers, and there are {} prompts; --force "
                 "begins anew",
                 path, file->num_finished(), num_answers));
    }
    return file;
  }
  NEMO_RETURN_IF_ERROR(file->Create(mode == Mode::kResume));
  return file;
}

std::optional<int64_t> AnswerFile::SeedOf(int64_t index) const {
  for (const Line& line : lines_) {
    if (line.index == index) return line.seed;
  }
  return std::nullopt;
}

Status AnswerFile::Add(int64_t index, const Value& answer) {
  Value value;
  value.Set("index", index);
  value.Set("run", mark_.Text());
  for (const auto& [key, field] : answer.as_object()) value.Set(key, field);
  const std::string text = ToJson(value) + "\n";
  NEMO_RETURN_IF_ERROR(WriteAll(fd_.get(), text, PartialPath()));
  lines_.push_back({index, size_bytes_, std::ssize(text), std::nullopt});
  size_bytes_ += std::ssize(text);
  finished_[index] = true;
  if (const double now = Now(); now > synced_seconds_ + kSyncSeconds) {
    synced_seconds_ = now;
    return Sync(fd_.get(), PartialPath());
  }
  return OkStatus();
}

/// A copy with the lines in order takes the place of the file. A kill leaves either.
Status AnswerFile::Sort() {
  std::vector<Line> sorted = lines_;
  std::sort(sorted.begin(), sorted.end(),
            [](const Line& a, const Line& b) { return a.index < b.index; });
  const std::string path = SortedPath();
  Descriptor out(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (out.get() < 0) return ErrnoError(errno, path);
  std::string text;
  for (const Line& line : sorted) {
    text.resize(static_cast<size_t>(line.size_bytes));
    for (int64_t done = 0; done < line.size_bytes;) {
      const ssize_t n =
          ::pread(fd_.get(), text.data() + done, static_cast<size_t>(line.size_bytes - done),
                  line.offset_bytes + done);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return ErrnoError(n < 0 ? errno : EIO, PartialPath());
      done += n;
    }
    NEMO_RETURN_IF_ERROR(WriteAll(out.get(), text, path));
  }
  NEMO_RETURN_IF_ERROR(Sync(out.get(), path));
  return RenameAndSync(path, PartialPath());
}

Status AnswerFile::Finish() {
  if (fd_.get() < 0) return OkStatus();
  const bool in_order = std::is_sorted(
      lines_.begin(), lines_.end(), [](const Line& a, const Line& b) { return a.index < b.index; });
  if (in_order) {
    NEMO_RETURN_IF_ERROR(Sync(fd_.get(), PartialPath()));
  } else {
    NEMO_RETURN_IF_ERROR(Sort());
  }
  return RenameAndSync(PartialPath(), path_);
}

}  // namespace nemo
