#include <algorithm>

#include "formats/torch/pickle.h"
#include "libcore/base/format.h"

namespace nemo::torch {
namespace {

std::string_view KindName(PickleNode::Kind kind) {
  switch (kind) {
    case PickleNode::Kind::kNone:
      return "None";
    case PickleNode::Kind::kBool:
      return "a boolean";
    case PickleNode::Kind::kInt:
      return "an integer";
    case PickleNode::Kind::kBigInt:
      return "an integer beyond 64 bits";
    case PickleNode::Kind::kFloat:
      return "a float";
    case PickleNode::Kind::kText:
      return "a text";
    case PickleNode::Kind::kBytes:
      return "bytes";
    case PickleNode::Kind::kTuple:
      return "a tuple";
    case PickleNode::Kind::kList:
      return "a list";
    case PickleNode::Kind::kSet:
      return "a set";
    case PickleNode::Kind::kDict:
      return "a dict";
    case PickleNode::Kind::kGlobal:
      return "the global";
    case PickleNode::Kind::kObject:
      return "an object of";
    case PickleNode::Kind::kPersistentId:
      return "a persistent id";
  }
  return "unknown";
}

Status Expected(std::string_view what, const PickleNode& found) {
  return Corruption(Format("expected {}, found {}", what, found.Describe()));
}

/// Names come from outside: messages keep them short.
std::string_view Shortened(std::string_view name) { return name.substr(0, 200); }

}  // namespace

PickleNode::Parts& PickleNode::parts() {
  if (parts_ == nullptr) parts_ = std::make_unique<Parts>();
  return *parts_;
}

std::string PickleNode::Describe() const {
  const PickleNode* global = Is(Kind::kObject) ? callable() : this;
  if (!global->Is(Kind::kGlobal)) return std::string(KindName(kind_));
  return Format("{} {} {}", KindName(kind_), Shortened(global->module()),
                Shortened(global->name()));
}

Result<bool> PickleNode::AsBool() const {
  if (!Is(Kind::kBool)) return Expected("a boolean", *this);
  return bool_;
}

Result<int64_t> PickleNode::AsInt() const {
  if (!Is(Kind::kInt)) return Expected("an integer", *this);
  return int_;
}

Result<double> PickleNode::AsFloat() const {
  if (Is(Kind::kInt)) return static_cast<double>(int_);
  if (!Is(Kind::kFloat)) return Expected("a number", *this);
  return float_;
}

Result<std::string_view> PickleNode::AsText() const {
  if (!Is(Kind::kText)) return Expected("a text", *this);
  return text_;
}

Result<std::string_view> PickleNode::AsBytes() const {
  if (!Is(Kind::kBytes)) return Expected("bytes", *this);
  return text_;
}

Result<std::span<const PickleNode* const>> PickleNode::AsItems(Kind kind) const {
  if (!Is(kind)) return Expected(KindName(kind), *this);
  return items();
}

Result<std::vector<int64_t>> PickleNode::AsIntList(size_t max_size) const {
  if (IsObjectOf("torch", "Size")) {
    const auto args = this->args()->items();
    if (args.size() != 1 || args[0]->Is(Kind::kObject)) return Expected("one tuple", *this);
    return args[0]->AsIntList(max_size);
  }
  if (!Is(Kind::kTuple) && !Is(Kind::kList)) return Expected("a tuple of integers", *this);
  if (items().size() > max_size) {
    return Corruption(Format("expected at most {} integers, found {} of {}", max_size, Describe(),
                             items().size()));
  }
  std::vector<int64_t> values;
  for (const PickleNode* item : items()) {
    NEMO_ASSIGN_OR_RETURN(const int64_t value, item->AsInt());
    values.push_back(value);
  }
  return values;
}

std::span<const PickleNode* const> PickleNode::items() const {
  if (parts_ == nullptr) return {};
  return parts_->items;
}

std::span<const PickleNode::Entry> PickleNode::entries() const {
  if (parts_ == nullptr) return {};
  return parts_->entries;
}

const PickleNode* PickleNode::Find(std::string_view key) const {
  for (const Entry& entry : entries()) {
    if (entry.key->Is(Kind::kText) && entry.key->text_ == key) return entry.value;
  }
  return nullptr;
}

std::string_view PickleNode::module() const { return Is(Kind::kGlobal) ? text_ : ""; }

std::string_view PickleNode::name() const { return Is(Kind::kGlobal) ? parts_->name : ""; }

bool PickleNode::IsGlobal(std::string_view module, std::string_view name) const {
  return Is(Kind::kGlobal) && text_ == module && parts_->name == name;
}

const PickleNode* PickleNode::callable() const {
  return Is(Kind::kObject) ? parts_->callable : nullptr;
}

const PickleNode* PickleNode::args() const { return Is(Kind::kObject) ? parts_->args : nullptr; }

const PickleNode* PickleNode::state() const { return Is(Kind::kObject) ? parts_->state : nullptr; }

bool PickleNode::IsObjectOf(std::string_view module, std::string_view name) const {
  return Is(Kind::kObject) && parts_->callable->IsGlobal(module, name);
}

const PickleNode* PickleNode::Attribute(std::string_view key) const {
  const PickleNode* state = this->state();
  if (state == nullptr) return nullptr;
  if (state->Is(Kind::kDict)) return state->Find(key);
  // (attributes, slots): how an object with __slots__ is saved.
  if (!state->Is(Kind::kTuple) || state->items().size() != 2) return nullptr;
  for (const PickleNode* half : state->items()) {
    if (const PickleNode* found = half->Is(Kind::kDict) ? half->Find(key) : nullptr) return found;
  }
  return nullptr;
}

const PickleNode* PickleNode::id() const {
  return Is(Kind::kPersistentId) ? parts_->args : nullptr;
}

}  // namespace nemo::torch
