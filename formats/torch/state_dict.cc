#include "formats/torch/state_dict.h"

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "formats/torch/tensor.h"
#include "libcore/base/format.h"
#include "libcore/tensor/spec.h"

namespace nemo::torch {
namespace {

using Kind = PickleNode::Kind;

constexpr int kMaxLevels = 16;
/// A dict, a tensor or a long name may stand in many places of a small pickle. What is made of it
/// is bounded by the pickle's size: saved names take fewer bytes than what describes their tensors.
constexpr int64_t kMaxGrowth = 16;
constexpr int64_t kNamedBytes = 64;  // besides the name itself
constexpr std::string_view kExtraState = "_extra_state";

struct Named {
  std::string name;
  StridedTensor tensor;
};

class StateDictSource : public TensorSource {
 public:
  StateDictSource(std::shared_ptr<const TorchFile> file, std::string label,
                  std::vector<Named> tensors)
      : file_(std::move(file)), label_(std::move(label)) {
    for (Named& named : tensors) {
      specs_.push_back({std::move(named.name), named.tensor.dtype, named.tensor.shape});
      tensors_.push_back(std::move(named.tensor));
    }
  }

  std::span<const TensorSpec> specs() const override { return specs_; }

  Status Read(std::string_view name, const Box& box, std::span<std::byte> out) const override {
    const auto spec = CheckRead(*this, name, box, static_cast<int64_t>(out.size()));
    if (!spec) return spec.error().At(label_);
    return ReadTensor(tensors_[static_cast<size_t>(*spec - specs_.data())], box, out);
  }

  int64_t PhaseOf(std::string_view name, const Box& box) const override {
    const TensorSpec* spec = FindSpec(specs_, name);
    if (spec == nullptr) return 0;
    return PhaseOfTensor(tensors_[static_cast<size_t>(spec - specs_.data())], box);
  }

  Status ProveReads() const override {
    for (const StridedTensor& tensor : tensors_) NEMO_RETURN_IF_ERROR(tensor.storage->ProveReads());
    return OkStatus();
  }

  std::vector<std::string> FilesOf(std::string_view name, const Box&) const override {
    if (FindSpec(specs_, name) == nullptr) return {};
    return {label_};
  }

 private:
  std::shared_ptr<const TorchFile> file_;
  std::string label_;
  std::vector<TensorSpec> specs_;       // sorted by name
  std::vector<StridedTensor> tensors_;  // parallel to specs_
};

class Collector {
 public:
  explicit Collector(const TorchFile& file)
      : file_(file),
        entries_left_(file.pickle.size_bytes()),
        bytes_left_(kMaxGrowth * file.pickle.size_bytes()) {}

  /// Adds what lies in `dict`, whose own name with its dot is `prefix`.
  Status Collect(const PickleNode& dict, const std::string& prefix, int levels) {
    if (levels == 0) return Corruption(Format("dicts nested deeper than {}", kMaxLevels));
    for (const PickleNode::Entry& entry : dict.entries()) {
      if (--entries_left_ < 0) return TooMany();
      const bool is_dict = entry.value->Is(Kind::kDict);
      if (!entry.key->Is(Kind::kText) || !(is_dict || IsTensor(*entry.value))) continue;
      const std::string_view key = *entry.key->AsText();
      bytes_left_ -= kNamedBytes + static_cast<int64_t>(prefix.size() + key.size());
      if (bytes_left_ < 0) return TooMany();
      std::string name = Format("{}{}", prefix, key);
      if (is_dict) {
        NEMO_RETURN_IF_ERROR(Collect(*entry.value, name + ".", levels - 1));
      } else if (!name.ends_with(kExtraState)) {
        Result<StridedTensor> tensor = TensorOf(file_, *entry.value);
        if (!tensor) return tensor.error().At(Format("tensor {}", name.substr(0, 200)));
        found_.push_back({std::move(name), std::move(tensor).value()});
      }
    }
    return OkStatus();
  }
  std::vector<Named>& found() { return found_; }

 private:
  static Status TooMany() {
    return Corruption("more names than the pickle describes: dicts that repeat one another");
  }

  const TorchFile& file_;
  int64_t entries_left_, bytes_left_;
  std::vector<Named> found_;
};

}  // namespace

Result<std::shared_ptr<const TensorSource>> OpenStateDict(std::shared_ptr<const TorchFile> file,
                                                          const PickleNode& dict,
                                                          std::string label) {
  if (!dict.Is(Kind::kDict)) {
    return Corruption(Format("{}: expected a state dict (names with their tensors), found {}",
                             file->name, dict.Describe()));
  }
  Collector collector(*file);
  const Status status = collector.Collect(dict, "", kMaxLevels);
  if (!status.ok()) return status.At(file->name);
  std::vector<Named>& found = collector.found();
  std::sort(found.begin(), found.end(),
            [](const Named& a, const Named& b) { return a.name < b.name; });
  const auto twice = std::adjacent_find(
      found.begin(), found.end(), [](const Named& a, const Named& b) { return a.name == b.name; });
  if (twice != found.end()) {
    return Corruption(Format("{}: duplicate key '{}'", file->name, twice->name.substr(0, 200)));
  }
  return std::shared_ptr<const TensorSource>(
      std::make_shared<StateDictSource>(std::move(file), std::move(label), std::move(found)));
}

}  // namespace nemo::torch
