#include "libcore/tensor/declaration.h"

#include <utility>

#include "libcore/base/format.h"

namespace nemo {

Result<Declaration> Declaration::Create(std::vector<SinkTensor> tensors) {
  Declaration declaration;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const TensorSpec& spec = tensors[i].spec;
    if (!declaration.index_of_.emplace(spec.name, i).second) {
      return InvalidArgument(Format("tensor {} is declared twice", spec.name));
    }
    if (const Status status = CheckSpec(spec); !status.ok()) {
      return InvalidArgument(status.message());
    }
  }
  declaration.tensors_ = std::move(tensors);
  return declaration;
}

Result<size_t> Declaration::Find(std::string_view name) const {
  const auto it = index_of_.find(name);
  if (it == index_of_.end()) return NotFound(Format("no tensor '{}'", name));
  return it->second;
}

Result<size_t> Declaration::Find(std::string_view name, const Box& box, int64_t size_bytes) const {
  NEMO_ASSIGN_OR_RETURN(const size_t index, Find(name));
  NEMO_RETURN_IF_ERROR(CheckBox(spec(index), box, size_bytes));
  return index;
}

Status Declaration::CheckChecksums(const std::map<std::string, std::string>& checksums) const {
  for (const SinkTensor& tensor : tensors_) {
    const auto it = checksums.find(tensor.spec.name);
    if (it == checksums.end() || it->second.size() != kChecksumDigits) {
      return InvalidArgument(Format("tensor {} was given no XXH3-128 of {} digits",
                                    tensor.spec.name, kChecksumDigits));
    }
  }
  return OkStatus();
}

}  // namespace nemo
