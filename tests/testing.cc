#include "tests/testing.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <unistd.h>

#include "libcore/base/check.h"
#include "libcore/tensor/dense.h"

namespace nemo::testing {
namespace {

class BytesFile : public RandomAccessFile {
 public:
  BytesFile(std::string name, std::string bytes)
      : name_(std::move(name)), bytes_(std::move(bytes)) {}
  int64_t size_bytes() const override { return static_cast<int64_t>(bytes_.size()); }
  const std::string& name() const override { return name_; }
  Status ReadAt(int64_t offset_bytes, std::span<std::byte> out) const override {
    if (offset_bytes < 0 || offset_bytes > size_bytes() ||
        static_cast<int64_t>(out.size()) > size_bytes() - offset_bytes) {
      return Corruption(name_ + ": read past the end");
    }
    // Not memcpy: an empty span may have no address.
    std::copy_n(std::as_bytes(std::span(bytes_)).begin() + offset_bytes, out.size(), out.begin());
    return OkStatus();
  }

 private:
  std::string name_, bytes_;
};

class BytesTree : public FileTree {
 public:
  BytesTree(std::string name, std::map<std::string, std::string> files)
      : name_(std::move(name)), contents_(std::move(files)) {
    for (const auto& [file, bytes] : contents_) files_.push_back(file);
  }
  const std::vector<std::string>& files() const override { return files_; }
  const std::string& name() const override { return name_; }
  Result<std::shared_ptr<RandomAccessFile>> Open(std::string_view name) const override {
    const auto it = contents_.find(std::string(name));
    if (it == contents_.end()) return NotFound(name_ + ": no file " + std::string(name));
    return MemoryFile(it->first, it->second);
  }

 private:
  std::string name_;
  std::map<std::string, std::string> contents_;
  std::vector<std::string> files_;
};

}  // namespace

std::string GoldenPath(std::string_view name) { return JoinPath(NEMO_TEST_DIR "/golden", name); }
std::string DataPath(std::string_view name) { return JoinPath(NEMO_TEST_DIR "/data", name); }

std::string SharedPath(std::string_view name) {
  const char* shared = std::getenv("NEMO_SHARED");
  const std::string root = shared != nullptr ? shared : NEMO_TEST_DIR "/../../shared";
  const std::string path = JoinPath(root, name);
  return KindOf(path) == PathKind::kAbsent ? "" : path;
}

TempDir::TempDir() {
  const char* base = std::getenv("TMPDIR");
  std::string pattern = JoinPath(base != nullptr ? base : "/tmp", "nemo_test_XXXXXX");
  NEMO_CHECK(mkdtemp(pattern.data()) != nullptr);
  path_ = pattern;
}
TempDir::~TempDir() { static_cast<void>(RemoveAll(path_).ok()); }

std::shared_ptr<RandomAccessFile> MemoryFile(std::string name, std::string bytes) {
  return std::make_shared<BytesFile>(std::move(name), std::move(bytes));
}
std::shared_ptr<FileTree> MemoryTree(std::string name, std::map<std::string, std::string> files) {
  return std::make_shared<BytesTree>(std::move(name), std::move(files));
}

std::string ReadFileOrDie(const std::string& path) {
  auto text = ReadAllFrom(path, int64_t{1} << 32);
  if (!text) {
    std::fprintf(stderr, "%s\n", text.error().message().c_str());
    std::abort();
  }
  return std::move(text).value();
}

void WriteFileOrDie(const std::string& path, std::string_view bytes) {
  NEMO_CHECK(CreateDirectories(DirName(path)).ok());
  std::FILE* file = std::fopen(path.c_str(), "wb");
  NEMO_CHECK(file != nullptr);
  NEMO_CHECK(std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size());
  NEMO_CHECK(std::fclose(file) == 0);
}

void MemorySource::Add(TensorSpec spec, std::vector<std::byte> data) {
  NEMO_CHECK(spec.size_bytes() == static_cast<int64_t>(data.size()));
  data_[spec.name] = std::move(data);
  const auto at = std::lower_bound(specs_.begin(), specs_.end(), spec,
                                   [](const auto& a, const auto& b) { return a.name < b.name; });
  specs_.insert(at, std::move(spec));
}

Status MemorySource::Read(std::string_view name, const Box& box, std::span<std::byte> out) const {
  NEMO_ASSIGN_OR_RETURN(const TensorSpec* spec,
                        CheckRead(*this, name, box, static_cast<int64_t>(out.size())));
  CopyBox(data_.find(name)->second.data(), spec->shape, box, out.data(), box.extent,
          Box::Whole(box.extent), SizeOf(spec->dtype));
  return OkStatus();
}

std::vector<std::string> MemorySource::FilesOf(std::string_view, const Box&) const {
  return {"memory"};
}

std::vector<std::byte> ReadTensorOrDie(const TensorSource& source, std::string_view name) {
  const TensorSpec* spec = FindSpec(source.specs(), name);
  NEMO_CHECK(spec != nullptr);
  std::vector<std::byte> data(static_cast<size_t>(spec->size_bytes()));
  const Status status = source.Read(name, Box::Whole(spec->shape), data);
  if (!status.ok()) {
    std::fprintf(stderr, "%s\n", status.message().c_str());
    std::abort();
  }
  return data;
}

}  // namespace nemo::testing
