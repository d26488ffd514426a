// The inert machine behind ParsePickle: what each opcode does to the stack, the memo and the nodes.
// pickle_machine.cc has the opcodes, pickle_stack.cc what they do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "formats/torch/pickle.h"
#include "libcore/base/status.h"

namespace nemo::torch {

struct PickleDocument::Storage {
  std::shared_ptr<const std::string> bytes;
  std::deque<PickleNode> nodes;  // never moves what it holds
  std::vector<const PickleNode*> persistent_ids;
  const PickleNode* root = nullptr;
  int64_t size_bytes = 0;
};

/// Levels of nodes, and of marks.
inline constexpr int kMaxPickleDepth = 1000;

/// An unsigned number of up to eight bytes, the lowest first.
uint64_t LittleEndian(std::string_view bytes);

/// The stack, the memo and the nodes of one pickle.
class PickleMachine {
 public:
  using Kind = PickleNode::Kind;

  PickleMachine(std::shared_ptr<const std::string> bytes, int64_t offset_bytes)
      : storage_(std::make_unique<PickleDocument::Storage>()),
        begin_(static_cast<size_t>(offset_bytes)),
        at_(begin_) {
    storage_->bytes = std::move(bytes);
    bytes_ = *storage_->bytes;
  }

  Result<PickleDocument> Run();
  const std::string& unsafe_global() const { return unsafe_global_; }

 private:
  Status Step(uint8_t opcode);
  Status StepNumber(uint8_t opcode);
  Status StepText(uint8_t opcode);
  Status StepSequence(uint8_t opcode);
  Status StepDict(uint8_t opcode);
  Status StepMemo(uint8_t opcode);
  Status StepObject(uint8_t opcode);

  // Arguments of opcodes.
  Result<std::string_view> Take(uint64_t size);
  Result<uint64_t> TakeNumber(uint64_t size);
  Result<std::string_view> TakeLine();
  Result<std::string_view> TakeCounted(uint64_t count_size);

  // The stack. What lies below the last mark is out of reach, as in CPython.
  Result<PickleNode*> NewNode(Kind kind);
  Status Push(PickleNode* node);
  Status PushNew(Kind kind);
  Status PushText(Kind kind, Result<std::string_view> text);
  Status PushInt(int64_t value);
  Status PushLong(Result<std::string_view> bytes);
  Status PushTuple(Kind kind, size_t first);
  Result<PickleNode*> Pop();
  Result<PickleNode*> Top() const;
  Result<size_t> PopMark();
  /// The node below position `first`, to which what lies from there on is added.
  Result<PickleNode*> Receiver(size_t first) const;

  Status AddChild(PickleNode& parent, const PickleNode* child);
  Status AddItems(size_t first);
  Status AddEntries(size_t first);
  Status PushGlobal(std::string_view module, std::string_view name);
  Status Call(PickleNode* callable, PickleNode* args, const PickleNode* keywords);
  Status Build();
  Status CheckKeys() const;

  std::unique_ptr<PickleDocument::Storage> storage_;
  std::string_view bytes_;
  size_t begin_, at_;
  std::vector<PickleNode*> stack_;
  std::vector<size_t> marks_;  // heights of the stack
  std::unordered_map<uint64_t, PickleNode*> memo_;
  std::string unsafe_global_;
};

}  // namespace nemo::torch
