#include <algorithm>
#include <utility>

#include "formats/torch/pickle_machine.h"
#include "formats/torch/unsafe_globals.h"
#include "libcore/base/format.h"

namespace nemo::torch {
namespace {

constexpr size_t kMaxNodes = size_t{1} << 22;

}  // namespace

uint64_t LittleEndian(std::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[i]);
  return value;
}

Result<std::string_view> PickleMachine::Take(uint64_t size) {
  if (size > bytes_.size() - at_) {
    return Corruption(
        Format("pickle: ends at byte {}, before STOP; the file is truncated or damaged",
               bytes_.size() - begin_));
  }
  const std::string_view taken = bytes_.substr(at_, static_cast<size_t>(size));
  at_ += static_cast<size_t>(size);
  return taken;
}

Result<uint64_t> PickleMachine::TakeNumber(uint64_t size) {
  NEMO_ASSIGN_OR_RETURN(const std::string_view bytes, Take(size));
  return LittleEndian(bytes);
}

Result<std::string_view> PickleMachine::TakeLine() {
  const size_t end = bytes_.find('\n', at_);
  NEMO_ASSIGN_OR_RETURN(const std::string_view line,
                        Take(end == std::string_view::npos ? bytes_.size() : end - at_));
  NEMO_RETURN_IF_ERROR(Take(1).error());
  return line;
}

Result<std::string_view> PickleMachine::TakeCounted(uint64_t count_size) {
  NEMO_ASSIGN_OR_RETURN(const uint64_t count, TakeNumber(count_size));
  return Take(count);
}

Result<PickleNode*> PickleMachine::NewNode(Kind kind) {
  if (storage_->nodes.size() >= kMaxNodes) {
    return Corruption(Format("more than {} values; this is no checkpoint", kMaxNodes));
  }
  PickleNode& node = storage_->nodes.emplace_back();
  node.kind_ = kind;
  return &node;
}

Status PickleMachine::Push(PickleNode* node) {
  stack_.push_back(node);
  return OkStatus();
}

Status PickleMachine::PushNew(Kind kind) {
  NEMO_ASSIGN_OR_RETURN(PickleNode * node, NewNode(kind));
  return Push(node);
}

Status PickleMachine::PushText(Kind kind, Result<std::string_view> text) {
  if (!text) return text.error();
  NEMO_ASSIGN_OR_RETURN(PickleNode * node, NewNode(kind));
  node->text_ = *text;
  return Push(node);
}

Status PickleMachine::PushInt(int64_t value) {
  NEMO_ASSIGN_OR_RETURN(PickleNode * node, NewNode(Kind::kInt));
  node->int_ = value;
  return Push(node);
}

Status PickleMachine::PushLong(Result<std::string_view> bytes) {
  if (!bytes) return bytes.error();
  if (bytes->size() > 8) return PushText(Kind::kBigInt, *bytes);
  if (bytes->empty()) return PushInt(0);
  // Two's complement of as many bytes as there are.
  const int unused_bits = 64 - 8 * static_cast<int>(bytes->size());
  return PushInt(static_cast<int64_t>(LittleEndian(*bytes) << unused_bits) >> unused_bits);
}

Status PickleMachine::PushTuple(Kind kind, size_t first) {
  NEMO_ASSIGN_OR_RETURN(PickleNode * tuple, NewNode(kind));
  for (size_t i = first; i < stack_.size(); ++i) {
    NEMO_RETURN_IF_ERROR(AddChild(*tuple, stack_[i]));
  }
  if (first < stack_.size()) {
    tuple->parts().items.assign(stack_.begin() + static_cast<std::ptrdiff_t>(first), stack_.end());
  }
  stack_.resize(first);
  return Push(tuple);
}

Result<PickleNode*> PickleMachine::Top() const {
  if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) {
    return Corruption("pickle: a value is taken from an empty stack; the file is damaged");
  }
  return stack_.back();
}

Result<PickleNode*> PickleMachine::Pop() {
  NEMO_ASSIGN_OR_RETURN(PickleNode * top, Top());
  stack_.pop_back();
  return top;
}

Result<size_t> PickleMachine::PopMark() {
  if (marks_.empty()) return Corruption("no mark was set");
  const size_t first = marks_.back();
  marks_.pop_back();
  return first;
}

Result<PickleNode*> PickleMachine::Receiver(size_t first) const {
  if (first <= (marks_.empty() ? 0 : marks_.back())) {
    return Corruption("values for a container that is not there");
  }
  return stack_[first - 1];
}

Status PickleMachine::AddChild(PickleNode& parent, const PickleNode* child) {
  const int depth = child->depth_ + 1;
  if (depth > kMaxPickleDepth)
    return Corruption(Format("values nested deeper than {}", kMaxPickleDepth));
  parent.depth_ = std::max(parent.depth_, static_cast<uint16_t>(depth));
  return OkStatus();
}

Status PickleMachine::AddItems(size_t first) {
  NEMO_ASSIGN_OR_RETURN(PickleNode * receiver, Receiver(first));
  if (!receiver->Is(Kind::kList) && !receiver->Is(Kind::kSet) && !receiver->Is(Kind::kObject)) {
    return Corruption(Format("items for {}", receiver->Describe()));
  }
  for (size_t i = first; i < stack_.size(); ++i) {
    NEMO_RETURN_IF_ERROR(AddChild(*receiver, stack_[i]));
    receiver->parts().items.push_back(stack_[i]);
  }
  stack_.resize(first);
  return OkStatus();
}

Status PickleMachine::AddEntries(size_t first) {
  NEMO_ASSIGN_OR_RETURN(PickleNode * receiver, Receiver(first));
  if (!receiver->Is(Kind::kDict) && !receiver->Is(Kind::kObject)) {
    return Corruption(Format("keys and values for {}", receiver->Describe()));
  }
  if ((stack_.size() - first) % 2 != 0) return Corruption("a key without a value");
  for (size_t i = first; i < stack_.size(); i += 2) {
    NEMO_RETURN_IF_ERROR(AddChild(*receiver, stack_[i]));
    NEMO_RETURN_IF_ERROR(AddChild(*receiver, stack_[i + 1]));
    receiver->parts().entries.push_back({stack_[i], stack_[i + 1]});
  }
  stack_.resize(first);
  return OkStatus();
}

Status PickleMachine::PushGlobal(std::string_view module, std::string_view name) {
  if (IsUnsafeGlobal(module, name)) {
    unsafe_global_ = Format("{} {}", module, name);
    return Corruption(
        Format("unsafe pickle: it would run '{}' when Python loads it. Nothing here does, but this "
               "is not what a save writes: do not trust this checkpoint",
               unsafe_global_));
  }
  NEMO_ASSIGN_OR_RETURN(PickleNode * node, NewNode(Kind::kGlobal));
  node->text_ = module;
  node->parts().name = name;
  return Push(node);
}

Status PickleMachine::Call(PickleNode* callable, PickleNode* args, const PickleNode* keywords) {
  if (!args->Is(Kind::kTuple)) {
    return Corruption(Format("arguments are {}, expected a tuple", args->Describe()));
  }
  if (!callable->Is(Kind::kGlobal)) {
    return Corruption(Format("unsafe pickle: it would call {}", callable->Describe()));
  }
  if (callable->IsGlobal("collections", "OrderedDict") && args->items().empty()) {
    return PushNew(Kind::kDict);
  }
  if (callable->IsGlobal("collections", "defaultdict")) return PushNew(Kind::kDict);
  NEMO_ASSIGN_OR_RETURN(PickleNode * object, NewNode(Kind::kObject));
  object->parts().callable = callable;
  object->parts().args = args;
  NEMO_RETURN_IF_ERROR(AddChild(*object, args));
  if (keywords != nullptr) {
    object->parts().state = keywords;
    NEMO_RETURN_IF_ERROR(AddChild(*object, keywords));
  }
  return Push(object);
}

Status PickleMachine::Build() {
  NEMO_ASSIGN_OR_RETURN(PickleNode * state, Pop());
  NEMO_ASSIGN_OR_RETURN(PickleNode * object, Top());
  // State dicts carry version numbers as attributes of the dict: of no use to a reader.
  if (object->Is(Kind::kDict)) return OkStatus();
  if (!object->Is(Kind::kObject)) {
    return Corruption(Format("attributes for {}", object->Describe()));
  }
  object->parts().state = state;
  return AddChild(*object, state);
}

Status PickleMachine::CheckKeys() const {
  // The memo may put one long text into many dicts: texts are compared once, and dicts compare the
  // places that they have in that order, which stand in int_.
  std::vector<PickleNode*> texts;
  for (PickleNode& node : storage_->nodes) {
    if (node.Is(Kind::kText)) texts.push_back(&node);
  }
  std::sort(texts.begin(), texts.end(),
            [](const PickleNode* a, const PickleNode* b) { return a->text_ < b->text_; });
  for (size_t i = 1; i < texts.size(); ++i) {
    texts[i]->int_ = texts[i - 1]->int_ + (texts[i]->text_ == texts[i - 1]->text_ ? 0 : 1);
  }
  std::vector<const PickleNode*> keys;
  for (const PickleNode& node : storage_->nodes) {
    if (!node.Is(Kind::kDict)) continue;
    keys.clear();
    for (const PickleNode::Entry& entry : node.entries()) {
      if (entry.key->Is(Kind::kText)) keys.push_back(entry.key);
    }
    std::sort(keys.begin(), keys.end(),
              [](const PickleNode* a, const PickleNode* b) { return a->int_ < b->int_; });
    const auto twice = std::adjacent_find(
        keys.begin(), keys.end(),
        [](const PickleNode* a, const PickleNode* b) { return a->int_ == b->int_; });
    if (twice != keys.end()) {
      return Corruption(Format("pickle: duplicate key '{}' in one dict; two values claim one name",
                               (*twice)->text_.substr(0, 200)));
    }
  }
  return OkStatus();
}

}  // namespace nemo::torch
