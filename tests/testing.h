// What tests share: temporary folders, golden paths, an in-memory source.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libcore/base/file.h"
#include "libcore/base/status.h"
#include "libcore/tensor/source.h"

namespace nemo::testing {

/// tests/golden/NAME, tests/data/NAME.
std::string GoldenPath(std::string_view name);
std::string DataPath(std::string_view name);
/// The shared material beside the project (`$NEMO_SHARED`, else ../shared); empty when it is
/// absent: then skip, with the reason.
std::string SharedPath(std::string_view name);

/// A fresh folder, removed with the object.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  const std::string& path() const { return path_; }
  std::string operator/(std::string_view name) const { return JoinPath(path_, name); }

 private:
  std::string path_;
};

/// Bytes in memory as a file. For damage tests: change the bytes, parse again.
std::shared_ptr<RandomAccessFile> MemoryFile(std::string name, std::string bytes);
/// Files in memory as a tree.
std::shared_ptr<FileTree> MemoryTree(std::string name, std::map<std::string, std::string> files);

std::string ReadFileOrDie(const std::string& path);
void WriteFileOrDie(const std::string& path, std::string_view bytes);

/// Tensors in memory: the second implementation of TensorSource.
class MemorySource : public TensorSource {
 public:
  void Add(TensorSpec spec, std::vector<std::byte> data);
  std::span<const TensorSpec> specs() const override { return specs_; }
  Status Read(std::string_view name, const Box& box, std::span<std::byte> out) const override;
  std::vector<std::string> FilesOf(std::string_view name, const Box& box) const override;

 private:
  std::vector<TensorSpec> specs_;
  std::map<std::string, std::vector<std::byte>, std::less<>> data_;
};

/// All bytes of a tensor.
std::vector<std::byte> ReadTensorOrDie(const TensorSource& source, std::string_view name);

}  // namespace nemo::testing
