// Files of a tree that are open only while they are in use: a checkpoint may have more of them
// than a process may hold open.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libcore/base/file.h"
#include "libcore/base/status.h"

namespace nemo::dcp {

/// Thread-safe. The files it hands out keep it alive.
class FilePool : public std::enable_shared_from_this<FilePool> {
 public:
  static constexpr size_t kMaxOpen = 64;

  explicit FilePool(std::shared_ptr<FileTree> tree) : tree_(std::move(tree)) {}

  /// `name` of the tree; each ReadAt opens it when it is not among those used last. kNotFound.
  Result<std::shared_ptr<RandomAccessFile>> File(const std::string& name);

 private:
  friend class PooledFile;
  /// The open file, which now is the one used last.
  Result<std::shared_ptr<RandomAccessFile>> Acquire(const std::string& name);

  std::shared_ptr<FileTree> tree_;
  std::mutex mutex_;
  // At most kMaxOpen, the one used last at the end; guarded by mutex_.
  std::vector<std::pair<std::string, std::shared_ptr<RandomAccessFile>>> open_;
};

}  // namespace nemo::dcp
