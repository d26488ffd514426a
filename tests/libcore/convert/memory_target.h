// A Target and its sinks in memory: the second implementation of both, and a way to look at every
// byte.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "libcore/convert/target.h"
#include "libcore/model/canonical_source.h"
#include "libcore/tensor/dense.h"
#include "tests/testing.h"

namespace nemo::testing {

struct MemoryFileContents {
  std::vector<SinkTensor> tensors;
  std::map<std::string, std::vector<std::byte>> data;
  std::map<std::string, std::string> checksums;
  bool finished = false;
};

class MemorySink : public TensorSink {
 public:
  explicit MemorySink(MemoryFileContents& file) : file_(file) {}
  Status Declare(std::vector<SinkTensor> tensors) override {
    for (const SinkTensor& t : tensors) {
      file_.data[t.spec.name].assign(static_cast<size_t>(t.spec.size_bytes()), std::byte{0xee});
    }
    file_.tensors = std::move(tensors);
    return OkStatus();
  }
  Status Resume(std::vector<SinkTensor> tensors) override {
    if (file_.data.empty()) return Declare(std::move(tensors));
    file_.tensors = std::move(tensors);
    return OkStatus();
  }
  Result<TensorPlace> PlaceOf(std::string_view name) const override {
    const auto it = file_.data.find(std::string(name));
    if (it == file_.data.end()) return NotFound(std::string(name));
    return TensorPlace{0, static_cast<int64_t>(it->second.size())};
  }
  Status Write(std::string_view name, const Box& box, std::span<const std::byte> in) override {
    for (const SinkTensor& t : file_.tensors) {
      if (t.spec.name != name) continue;
      CopyBox(in.data(), box.extent, Box::Whole(box.extent), file_.data[t.spec.name].data(),
              t.spec.shape, box, SizeOf(t.spec.dtype));
      return OkStatus();
    }
    return NotFound(std::string(name));
  }
  Status Recall(std::string_view name, const Box& box, std::span<std::byte> out) override {
    for (const SinkTensor& t : file_.tensors) {
      if (t.spec.name != name) continue;
      CopyBox(file_.data[t.spec.name].data(), t.spec.shape, box, out.data(), box.extent,
              Box::Whole(box.extent), SizeOf(t.spec.dtype));
      return OkStatus();
    }
    return NotFound(std::string(name));
  }
  Result<FileSummary> Finish(const std::map<std::string, std::string>& checksums) override {
    file_.checksums = checksums;
    file_.finished = true;
    return FileSummary{1, "00"};
  }

 private:
  MemoryFileContents& file_;
};

class MemoryTarget : public Target {
 public:
  Result<std::unique_ptr<TensorSink>> OpenFile(const PlannedFile& file) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    return std::unique_ptr<TensorSink>(std::make_unique<MemorySink>(files[file.stem]));
  }
  Status Finish(const Plan& plan, const std::vector<WrittenFile>& written) override {
    finished = written.size() == plan.files.size();
    return OkStatus();
  }
  void Abandon() override { abandoned = true; }

  /// What was written, seen under its canonical names again.
  std::shared_ptr<CanonicalSource> Read(const Plan& plan,
                                        const std::vector<TensorSpec>& specs) const {
    std::vector<std::shared_ptr<const TensorSource>> sources;
    NameMap map;
    for (size_t i = 0; i < plan.files.size(); ++i) {
      auto source = std::make_shared<MemorySource>();
      for (const PlannedTensor& planned : plan.files[i].tensors) {
        const TensorSpec& spec = planned.tensor.spec;
        source->Add(spec, files.at(plan.files[i].stem).data.at(spec.name));
        for (const ShardPart& part : planned.parts) {
          map.Add(planned.canonical_name,
                  {part.canonical, static_cast<int>(i), spec.name, part.local});
        }
      }
      sources.push_back(std::move(source));
    }
    auto result = CanonicalSource::Create(specs, std::move(map), std::move(sources));
    NEMO_CHECK(result.has_value());
    return *result;
  }

  std::map<std::string, MemoryFileContents> files;
  bool finished = false;
  bool abandoned = false;

 private:
  std::mutex mutex_;
};

}  // namespace nemo::testing
