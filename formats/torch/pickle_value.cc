#include "formats/torch/pickle_value.h"

namespace nemo::torch {

PickleValue PickleValue::TupleOf(List items) {
  PickleValue value;
  value.kind_ = Kind::kTuple;
  value.items_ = std::move(items);
  return value;
}

PickleValue PickleValue::TupleOf(const std::vector<int64_t>& items) {
  return TupleOf(List(items.begin(), items.end()));
}

PickleValue PickleValue::ListOf(List items) {
  PickleValue value;
  value.kind_ = Kind::kList;
  value.items_ = std::move(items);
  return value;
}

PickleValue PickleValue::DictOf(Dict entries) {
  PickleValue value;
  value.kind_ = Kind::kDict;
  value.entries_ = std::move(entries);
  return value;
}

PickleValue PickleValue::Global(std::string_view module, std::string_view name) {
  PickleValue value;
  value.kind_ = Kind::kGlobal;
  value.text_ = std::string(module) + "\n" + std::string(name);
  return value;
}

PickleValue PickleValue::Call(PickleValue callable, List args) {
  PickleValue value;
  value.kind_ = Kind::kCall;
  value.items_ = {std::move(callable), TupleOf(std::move(args))};
  return value;
}

PickleValue PickleValue::OrderedDict(Dict entries) {
  PickleValue value = Call(Global("collections", "OrderedDict"), {});
  value.entries_ = std::move(entries);
  return value;
}

PickleValue PickleValue::Object(PickleValue type, PickleValue state) {
  PickleValue value;
  value.kind_ = Kind::kObject;
  value.items_ = {std::move(type), std::move(state)};
  return value;
}

PickleValue PickleValue::PersistentId(PickleValue id) {
  PickleValue value;
  value.kind_ = Kind::kPersistentId;
  value.items_ = {std::move(id)};
  return value;
}

}  // namespace nemo::torch
