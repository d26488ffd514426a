#include "libcore/eval/registry.h"

#include "libcore/base/format.h"

namespace nemo::eval {

std::span<const KindRow> TaskKinds() {
  static const KindRow kinds[] = {kMultipleChoice, kGenerateUntil, kPerplexity, kCode};
  return kinds;
}

Result<const KindRow*> FindKind(std::string_view name) {
  std::vector<std::string_view> names;
  for (const KindRow& kind : TaskKinds()) {
    if (kind.name == name) return &kind;
    names.push_back(kind.name);
  }
  return InvalidArgument(Format("kind: there is no '{}'; there are {}", name, FormatList(names)));
}

Result<std::vector<std::string>> RenderList(const ListSpec& list, const Value& scope) {
  std::vector<std::string> texts;
  int64_t size_bytes = 0;
  const auto add = [&](std::string text) {
    size_bytes += std::ssize(text);
    texts.push_back(std::move(text));
    return CheckTextBytes(size_bytes);
  };
  for (const Template& item : list.items) {
    NEMO_ASSIGN_OR_RETURN(std::string text, item.Render(scope));
    NEMO_RETURN_IF_ERROR(add(std::move(text)));
  }
  if (list.each.empty()) return texts;
  NEMO_ASSIGN_OR_RETURN(const Value* elements, Lookup(scope, list.each));
  if (!elements->is_array()) {
    return InvalidArgument(
        Format("each: field {} is a {}, not a list", list.each.back(), elements->type_name()));
  }
  Value inner = scope;
  for (const Value& element : elements->as_array()) {
    inner.Set("item", element);
    inner.Set("letter", std::string(1, static_cast<char>('A' + texts.size() % 26)));
    NEMO_ASSIGN_OR_RETURN(std::string text, list.item.Render(inner));
    NEMO_RETURN_IF_ERROR(add(std::move(text)));
  }
  return texts;
}

}  // namespace nemo::eval
