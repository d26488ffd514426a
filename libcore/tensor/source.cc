#include "libcore/tensor/source.h"

#include <algorithm>

#include "libcore/base/format.h"

namespace nemo {

const TensorSpec* FindSpec(std::span<const TensorSpec> specs, std::string_view name) {
  const auto it = std::lower_bound(
      specs.begin(), specs.end(), name,
      [](const TensorSpec& spec, std::string_view key) { return spec.name < key; });
  return it != specs.end() && it->name == name ? &*it : nullptr;
}

Result<const TensorSpec*> CheckRead(const TensorSource& source, std::string_view name,
                                    const Box& box, int64_t out_size_bytes) {
  const TensorSpec* spec = FindSpec(source.specs(), name);
  if (spec == nullptr) return NotFound(Format("no tensor '{}'", name));
  NEMO_RETURN_IF_ERROR(CheckBox(*spec, box, out_size_bytes));
  return spec;
}

}  // namespace nemo
