#include "formats/nemo/weights_form.h"

#include "libcore/base/format.h"

namespace nemo {

std::span<const WeightsForm* const> WeightsForms() {
  static constexpr const WeightsForm* kForms[] = {&kZarrForm, &kTorchForm};
  return kForms;
}

Result<const WeightsForm*> FindWeightsForm(std::string_view name) {
  std::string known;
  for (const WeightsForm* form : WeightsForms()) {
    if (form->name == name) return form;
    known += Format("{}{}", known.empty() ? "" : ", ", form->name);
  }
  return InvalidArgument(
      Format("the weights of a .nemo are not written as '{}'; known: {}", name, known));
}

}  // namespace nemo
