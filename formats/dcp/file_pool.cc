#include "formats/dcp/file_pool.h"

#include <algorithm>

namespace nemo::dcp {

class PooledFile : public RandomAccessFile {
 public:
  PooledFile(std::shared_ptr<FilePool> pool, std::string name, const RandomAccessFile& file)
      : pool_(std::move(pool)),
        name_(std::move(name)),
        label_(file.name()),
        size_bytes_(file.size_bytes()) {}

  int64_t size_bytes() const override { return size_bytes_; }
  const std::string& name() const override { return label_; }
  Status ReadAt(int64_t offset_bytes, std::span<std::byte> out) const override {
    NEMO_ASSIGN_OR_RETURN(const auto file, pool_->Acquire(name_));
    return file->ReadAt(offset_bytes, out);
  }

 private:
  std::shared_ptr<FilePool> pool_;
  std::string name_;   // in the tree
  std::string label_;  // for messages
  int64_t size_bytes_;
};

Result<std::shared_ptr<RandomAccessFile>> FilePool::File(const std::string& name) {
  NEMO_ASSIGN_OR_RETURN(const auto file, Acquire(name));
  return std::shared_ptr<RandomAccessFile>(
      std::make_shared<PooledFile>(shared_from_this(), name, *file));
}

Result<std::shared_ptr<RandomAccessFile>> FilePool::Acquire(const std::string& name) {
  const std::lock_guard lock(mutex_);
  const auto it = std::find_if(open_.begin(), open_.end(),
                               [&](const auto& entry) { return entry.first == name; });
  if (it != open_.end()) {
    std::rotate(it, it + 1, open_.end());
    return open_.back().second;
  }
  NEMO_ASSIGN_OR_RETURN(auto file, tree_->Open(name));
  if (open_.size() == kMaxOpen) open_.erase(open_.begin());
  open_.emplace_back(name, file);
  return file;
}

}  // namespace nemo::dcp
