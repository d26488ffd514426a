#include "formats/torch/pickle_machine.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "libcore/base/format.h"

namespace nemo::torch {
namespace {

constexpr size_t kMaxMemo = 10'000'000;

// The opcodes that checkpoints have, by CPython's names.
enum Opcode : uint8_t {
  kProto = 0x80,
  kFrame = 0x95,
  kStop = '.',
  kMark = '(',
  kPop = '0',
  kPopMark = '1',
  kNone = 'N',
  kNewTrue = 0x88,
  kNewFalse = 0x89,
  kBinInt = 'J',
  kBinInt1 = 'K',
  kBinInt2 = 'M',
  kLong1 = 0x8a,
  kLong4 = 0x8b,
  kBinFloat = 'G',
  kShortBinUnicode = 0x8c,
  kBinUnicode = 'X',
  kBinUnicode8 = 0x8d,
  kShortBinBytes = 'C',
  kBinBytes = 'B',
  kBinBytes8 = 0x8e,
  kByteArray8 = 0x96,
  kEmptyTuple = ')',
  kTuple = 't',
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kEmptyList = ']',
  kAppend = 'a',
  kAppends = 'e',
  kEmptySet = 0x8f,
  kAddItems = 0x90,
  kFrozenSet = 0x91,
  kEmptyDict = '}',
  kSetItem = 's',
  kSetItems = 'u',
  kBinPut = 'q',
  kLongBinPut = 'r',
  kMemoize = 0x94,
  kBinGet = 'h',
  kLongBinGet = 'j',
  kGlobalName = 'c',
  kStackGlobal = 0x93,
  kReduce = 'R',
  kNewObj = 0x81,
  kNewObjEx = 0x92,
  kBuild = 'b',
  kBinPersId = 'Q',
};

}  // namespace

Result<PickleDocument> PickleMachine::Run() {
  while (true) {
    const size_t at = at_;
    Result<std::string_view> opcode = Take(1);
    if (!opcode) return opcode.error();
    const auto code = static_cast<uint8_t>(opcode->front());
    if (code == kStop) break;
    if (const Status status = Step(code); !status.ok()) {
      return status.At(Format("pickle: byte {} (opcode 0x{:02x})", at - begin_, code));
    }
  }
  NEMO_ASSIGN_OR_RETURN(storage_->root, Pop());
  NEMO_RETURN_IF_ERROR(CheckKeys());
  storage_->size_bytes = static_cast<int64_t>(at_ - begin_);
  return PickleDocument(std::move(storage_));
}

Status PickleMachine::Step(uint8_t opcode) {
  switch (opcode) {
    case kProto: {
      NEMO_ASSIGN_OR_RETURN(const uint64_t protocol, TakeNumber(1));
      if (protocol >= 2 && protocol <= 5) return OkStatus();
      return Corruption(Format("protocol {}, expected 2 to 5", protocol));
    }
    case kFrame:
      return TakeNumber(8).error();
    case kMark:
      if (marks_.size() >= kMaxPickleDepth)
        return Corruption(Format("more than {} levels", kMaxPickleDepth));
      marks_.push_back(stack_.size());
      return OkStatus();
    case kPop:
      return Pop().error();
    case kPopMark: {
      NEMO_ASSIGN_OR_RETURN(const size_t first, PopMark());
      stack_.resize(first);
      return OkStatus();
    }
    case kNone:
      return PushNew(Kind::kNone);
    case kNewTrue:
    case kNewFalse: {
      NEMO_ASSIGN_OR_RETURN(PickleNode * node, NewNode(Kind::kBool));
      node->bool_ = opcode == kNewTrue;
      return Push(node);
    }
    default:
      return StepNumber(opcode);
  }
}

Status PickleMachine::StepNumber(uint8_t opcode) {
  switch (opcode) {
    case kBinInt1:
    case kBinInt2: {
      NEMO_ASSIGN_OR_RETURN(const uint64_t value, TakeNumber(opcode == kBinInt1 ? 1 : 2));
      return PushInt(static_cast<int64_t>(value));
    }
    case kBinInt: {
      NEMO_ASSIGN_OR_RETURN(const uint64_t value, TakeNumber(4));
      return PushInt(static_cast<int32_t>(static_cast<uint32_t>(value)));
    }
    case kLong1:
      return PushLong(TakeCounted(1));
    case kLong4:
      return PushLong(TakeCounted(4));
    case kBinFloat: {
      NEMO_ASSIGN_OR_RETURN(const std::string_view big_endian, Take(8));
      NEMO_ASSIGN_OR_RETURN(PickleNode * node, NewNode(Kind::kFloat));
      const std::string little(big_endian.rbegin(), big_endian.rend());
      node->float_ = std::bit_cast<double>(LittleEndian(little));
      return Push(node);
    }
    default:
      return StepText(opcode);
  }
}

Status PickleMachine::StepText(uint8_t opcode) {
  switch (opcode) {
    case kShortBinUnicode:
      return PushText(Kind::kText, TakeCounted(1));
    case kBinUnicode:
      return PushText(Kind::kText, TakeCounted(4));
    case kBinUnicode8:
      return PushText(Kind::kText, TakeCounted(8));
    case kShortBinBytes:
      return PushText(Kind::kBytes, TakeCounted(1));
    case kBinBytes:
      return PushText(Kind::kBytes, TakeCounted(4));
    case kBinBytes8:
    case kByteArray8:
      return PushText(Kind::kBytes, TakeCounted(8));
    default:
      return StepSequence(opcode);
  }
}

Status PickleMachine::StepSequence(uint8_t opcode) {
  switch (opcode) {
    case kEmptyTuple:
      return PushNew(Kind::kTuple);
    case kEmptyList:
      return PushNew(Kind::kList);
    case kEmptySet:
      return PushNew(Kind::kSet);
    case kTuple1:
    case kTuple2:
    case kTuple3: {
      const size_t count = opcode - kTuple1 + size_t{1};
      const size_t reach = stack_.size() - (marks_.empty() ? 0 : marks_.back());
      if (reach < count) return Corruption("the stack is empty");
      return PushTuple(Kind::kTuple, stack_.size() - count);
    }
    case kTuple:
    case kFrozenSet: {
      NEMO_ASSIGN_OR_RETURN(const size_t first, PopMark());
      return PushTuple(opcode == kTuple ? Kind::kTuple : Kind::kSet, first);
    }
    case kAppend:
      return AddItems(stack_.size() - std::min<size_t>(stack_.size(), 1));
    case kAppends:
    case kAddItems: {
      NEMO_ASSIGN_OR_RETURN(const size_t first, PopMark());
      return AddItems(first);
    }
    default:
      return StepDict(opcode);
  }
}

Status PickleMachine::StepDict(uint8_t opcode) {
  switch (opcode) {
    case kEmptyDict:
      return PushNew(Kind::kDict);
    case kSetItem:
      return AddEntries(stack_.size() - std::min<size_t>(stack_.size(), 2));
    case kSetItems: {
      NEMO_ASSIGN_OR_RETURN(const size_t first, PopMark());
      return AddEntries(first);
    }
    default:
      return StepMemo(opcode);
  }
}

Status PickleMachine::StepMemo(uint8_t opcode) {
  switch (opcode) {
    case kBinPut:
    case kLongBinPut:
    case kMemoize: {
      uint64_t index = memo_.size();
      if (opcode != kMemoize) {
        NEMO_ASSIGN_OR_RETURN(index, TakeNumber(opcode == kBinPut ? 1 : 4));
      }
      if (memo_.size() >= kMaxMemo) return Corruption(Format("a memo above {} items", kMaxMemo));
      NEMO_ASSIGN_OR_RETURN(memo_[index], Top());
      return OkStatus();
    }
    case kBinGet:
    case kLongBinGet: {
      NEMO_ASSIGN_OR_RETURN(const uint64_t index, TakeNumber(opcode == kBinGet ? 1 : 4));
      const auto found = memo_.find(index);
      if (found == memo_.end()) return Corruption(Format("nothing in the memo under {}", index));
      return Push(found->second);
    }
    default:
      return StepObject(opcode);
  }
}

Status PickleMachine::StepObject(uint8_t opcode) {
  switch (opcode) {
    case kGlobalName: {
      NEMO_ASSIGN_OR_RETURN(const std::string_view module, TakeLine());
      NEMO_ASSIGN_OR_RETURN(const std::string_view name, TakeLine());
      return PushGlobal(module, name);
    }
    case kStackGlobal: {
      NEMO_ASSIGN_OR_RETURN(const PickleNode* name, Pop());
      NEMO_ASSIGN_OR_RETURN(const PickleNode* module, Pop());
      NEMO_ASSIGN_OR_RETURN(const std::string_view name_text, name->AsText());
      NEMO_ASSIGN_OR_RETURN(const std::string_view module_text, module->AsText());
      return PushGlobal(module_text, name_text);
    }
    case kReduce:
    case kNewObj:
    case kNewObjEx: {
      PickleNode* keywords = nullptr;
      if (opcode == kNewObjEx) {
        NEMO_ASSIGN_OR_RETURN(keywords, Pop());
      }
      NEMO_ASSIGN_OR_RETURN(PickleNode * args, Pop());
      NEMO_ASSIGN_OR_RETURN(PickleNode * callable, Pop());
      return Call(callable, args, keywords);
    }
    case kBuild:
      return Build();
    case kBinPersId: {
      NEMO_ASSIGN_OR_RETURN(PickleNode * id, Pop());
      NEMO_ASSIGN_OR_RETURN(PickleNode * node, NewNode(Kind::kPersistentId));
      node->parts().args = id;
      NEMO_RETURN_IF_ERROR(AddChild(*node, id));
      storage_->persistent_ids.push_back(node);
      return Push(node);
    }
    default:
      return Corruption("no checkpoint has this opcode; the file is damaged");
  }
}

}  // namespace nemo::torch
