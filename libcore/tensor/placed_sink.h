// PlacedSink: the half of a TensorSink that containers with dense, contiguous tensors share. A
// container adds how its index looks; declaring, writing, syncing, hashing and renaming are here.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/file.h"
#include "libcore/tensor/declaration.h"
#include "libcore/tensor/sink.h"

namespace nemo {

class PlacedSink : public TensorSink {
 public:
  /// The file is written as `path`.partial until Finish.
  explicit PlacedSink(const std::string& path);
  /// As `temporary_path`. When the two are the same it keeps that name, and who made the sink
  /// publishes it.
  PlacedSink(std::string path, std::string temporary_path);

  Status Declare(std::vector<SinkTensor> tensors) final;
  Status Resume(std::vector<SinkTensor> tensors) final;
  Result<TensorPlace> PlaceOf(std::string_view name) const final;
  Status Write(std::string_view name, const Box& box, std::span<const std::byte> in) final;
  Status Recall(std::string_view name, const Box& box, std::span<std::byte> out) final;
  Result<FileSummary> Finish(const std::map<std::string, std::string>& checksums) final;

 protected:
  /// Where everything lies.
  struct Placement {
    std::vector<int64_t> offsets;  ///< parallel to the declared tensors
    int64_t size_bytes = 0;        ///< of the whole file
  };
  /// Creates a file at `path` with the index, the checksums still zeros: the same bytes for the
  /// same declaration. Names are unique and shapes sound.
  virtual Result<Placement> WriteIndex(const std::string& path,
                                       const std::vector<SinkTensor>& tensors) = 0;
  /// Puts the checksums into the index at temporary_path() without moving a byte of anything else.
  virtual Status WriteChecksums(const std::vector<SinkTensor>& tensors,
                                const std::map<std::string, std::string>& checksums) = 0;
  /// Sees every byte of data on its way in, or back from an earlier run: `bytes` of the declared
  /// tensor `tensor` from its byte `offset_bytes` on. Any thread, any order.
  virtual void Observe(size_t tensor, int64_t offset_bytes, std::span<const std::byte> bytes);
  /// The "file" at `path`, for containers whose file is several on disk. Called after WriteIndex.
  virtual Result<std::unique_ptr<WritableFile>> OpenToWrite(const std::string& path) const;
  virtual Result<std::shared_ptr<RandomAccessFile>> OpenToRead(const std::string& path) const;

  const std::string& path() const { return path_; }
  const std::string& temporary_path() const { return temporary_path_; }
  /// What stands in the index until the checksums are known; as long as they are.
  static const std::string& NoChecksum();

 private:
  Status Take(std::vector<SinkTensor> tensors);
  Status Open(const Placement& placement);
  Status Graft(const std::string& index_path, const Placement& placement);
  std::vector<TensorPlace> PlacesIn(const Placement& placement) const;
  /// The index of `name`, when `box` and a buffer of `size_bytes` suit it.
  Result<size_t> Check(std::string_view name, const Box& box, int64_t size_bytes) const;

  std::string path_;
  std::string temporary_path_;
  Declaration declaration_;
  std::vector<TensorPlace> places_;     ///< parallel to the declared tensors
  std::unique_ptr<WritableFile> file_;  ///< open between Declare and Finish
};

}  // namespace nemo
