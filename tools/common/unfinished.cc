#include "tools/common/unfinished.h"

#include <filesystem>
#include <span>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <utility>

#include "libcore/base/file.h"
#include "libcore/base/format.h"
#include "libcore/base/hash.h"
#include "libcore/base/json.h"

namespace nemo {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSuffix = ".journal";

}  // namespace

JournalFiles::JournalFiles(std::string destination, std::string key)
    : destination_(std::move(destination)), key_(std::move(key)) {
  while (destination_.size() > 1 && destination_.ends_with('/')) destination_.pop_back();
}

std::vector<std::string> JournalFiles::Paths() const {
  const std::string first = destination_ + std::string(kSuffix);
  std::vector<std::string> paths;
  if (KindOf(first) == PathKind::kFile) paths.push_back(first);
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(DirName(destination_), error)) {
    const std::string name = entry.path().filename().string();
    const std::string prefix = BaseName(first) + ".";
    const bool is_rank = name.starts_with(prefix) && name.size() > prefix.size() &&
                         name.find_first_not_of("0123456789", prefix.size()) == std::string::npos;
    if (is_rank) paths.push_back(JoinPath(DirName(destination_), name));
  }
  return paths;
}

Result<JournalFiles::State> JournalFiles::Look() const {
  if (Paths().empty()) return State::kNothing;
  NEMO_ASSIGN_OR_RETURN(const JournalRecords records, Records());
  const bool is_growing = KindOf(destination_ + ".partial") != PathKind::kAbsent;
  if (!is_growing && KindOf(destination_) != PathKind::kAbsent) return State::kFinished;
  return is_growing && !records.tensors.empty() ? State::kUnfinished : State::kNothing;
}

Result<JournalRecords> JournalFiles::Records() const {
  JournalRecords all;
  for (const std::string& path : Paths()) {
    NEMO_ASSIGN_OR_RETURN(JournalRecords records, Journal::Read(path, key_));
    all.tensors.merge(records.tensors);
    all.files.merge(records.files);
  }
  return all;
}

Result<std::unique_ptr<Journal>> JournalFiles::Open(int rank, bool resume) const {
  std::string path = destination_ + std::string(kSuffix);
  if (rank > 0) path += Format(".{}", rank);
  const bool is_there = KindOf(path) == PathKind::kFile;
  return resume && is_there ? Journal::Continue(path, key_) : Journal::Begin(path, key_);
}

Status JournalFiles::RemoveAll() const {
  for (const std::string& path : Paths()) NEMO_RETURN_IF_ERROR(nemo::RemoveAll(path));
  return OkStatus();
}

std::string ConversionKey(const Plan& plan, const std::string& format, const std::string& container,
                          const std::string& encoding, const std::string& source_index_xxh3) {
  Value value;
  value.Set("source", source_index_xxh3);
  value.Set("format", format);
  value.Set("container", container);
  value.Set("encoding", encoding);
  value.Set("plan", ToValue(plan));
  const std::string text = ToJson(value);
  return HashHex(std::as_bytes(std::span(text)));
}

int64_t AllocatedBytes(const std::string& path) {
  const auto blocks_of = [](const std::string& file) {
    struct stat info = {};
    return ::stat(file.c_str(), &info) == 0 ? static_cast<int64_t>(info.st_blocks) * 512 : 0;
  };
  if (KindOf(path) != PathKind::kDirectory) return blocks_of(path);
  int64_t sum = 0;
  std::error_code error;
  for (const auto& entry : fs::recursive_directory_iterator(path, error)) {
    sum += blocks_of(entry.path().string());
  }
  return sum;
}

int64_t FreeBytesAt(const std::string& path) {
  std::error_code error;
  fs::path place = fs::absolute(path, error);
  while (!fs::exists(place, error) && place.has_relative_path()) place = place.parent_path();
  struct statvfs info = {};
  if (statvfs(place.c_str(), &info) != 0) return -1;
  return static_cast<int64_t>(info.f_bavail) * static_cast<int64_t>(info.f_frsize);
}

}  // namespace nemo
