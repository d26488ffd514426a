#include "libcore/layout/plan.h"

#include "libcore/base/format.h"

namespace nemo {
namespace {

Value ToValue(const Move& move) {
  const bool zeros = move.source_name.empty();
  Value value(
      Value::Object{{"source", zeros ? Value() : Value(move.source_name + ToString(move.source))},
                    {"target", ToString(move.target)}});
  if (move.transform == Transform::kAddOne) value.Set("transform", "add_one");
  return value;
}

}  // namespace

int64_t PlannedFile::size_bytes() const {
  int64_t sum = 0;
  for (const PlannedTensor& tensor : tensors) sum += tensor.tensor.spec.size_bytes();
  return sum;
}

int64_t Plan::size_bytes() const {
  int64_t sum = 0;
  for (const PlannedFile& file : files) sum += file.size_bytes();
  return sum;
}

Value ToValue(const Plan& plan) {
  Value::Array files;
  for (const PlannedFile& file : plan.files) {
    Value::Array tensors;
    for (const PlannedTensor& planned : file.tensors) {
      Value::Array moves;
      for (const Move& move : planned.moves) moves.push_back(ToValue(move));
      const TensorSpec& spec = planned.tensor.spec;
      tensors.push_back(Value(Value::Object{{"name", spec.name},
                                            {"dtype", DTypeName(spec.dtype)},
                                            {"shape", Value::ArrayOf(spec.shape)},
                                            {"moves", Value(std::move(moves))}}));
    }
    files.push_back(Value(Value::Object{{"file", file.stem},
                                        {"bytes", file.size_bytes()},
                                        {"tensors", Value(std::move(tensors))}}));
  }
  return Value(Value::Object{{"layout", ToValue(plan.layout)},
                             {"padded_vocab_size", plan.config.padded_vocab_size},
                             {"bytes", plan.size_bytes()},
                             {"files", Value(std::move(files))}});
}

}  // namespace nemo
