// Pickles as trees of plain data. An inert machine reads them: nothing that a pickle names is
// imported, called or built; calls become nodes that say what would be called with what. Where it
// stands: torch files, and the .metadata of distributed checkpoints, carry their index in a pickle.
// Facts: CPython Lib/pickletools.py (opcodes and their arguments), Lib/pickle.py (what they build).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/status.h"

namespace nemo::torch {

/// One value of a pickle. Lives in its PickleDocument, and so do the texts and nodes it hands out.
/// What the memo refers to is one node with several parents; a hostile pickle may even make a node
/// its own descendant, so who recurses must bound the depth.
class PickleNode {
 public:
  enum class Kind : uint8_t {
    kNone,
    kBool,
    kInt,
    kBigInt,  ///< beyond 64 bits; never needed, so only its bytes are kept
    kFloat,
    kText,
    kBytes,
    kTuple,
    kList,
    kSet,
    kDict,          ///< also collections.OrderedDict and defaultdict
    kGlobal,        ///< a class or function by name
    kObject,        ///< what Python would get by calling `callable` with `args`
    kPersistentId,  ///< something kept outside of the pickle: a storage
  };
  /// torch's own kernels take no more.
  static constexpr size_t kMaxAxes = 64;
  struct Entry {
    const PickleNode* key;
    const PickleNode* value;
  };

  Kind kind() const { return kind_; }
  bool Is(Kind kind) const { return kind_ == kind; }
  /// "an integer", "a dict", "an object of torch Size": for messages.
  std::string Describe() const;

  // Typed access to hostile input. kCorruption: another kind, with both named.
  Result<bool> AsBool() const;
  Result<int64_t> AsInt() const;
  Result<double> AsFloat() const;  ///< integers widen
  Result<std::string_view> AsText() const;
  Result<std::string_view> AsBytes() const;
  /// Elements of a tuple, list or set of exactly this kind.
  Result<std::span<const PickleNode* const>> AsItems(Kind kind) const;
  /// A tuple or list of at most `max_size` integers; torch.Size counts as one. Many tensors may
  /// share one long list, and a copy for each would be more than the pickle.
  Result<std::vector<int64_t>> AsIntList(size_t max_size = kMaxAxes) const;

  /// Elements of a tuple, list or set, and what was appended to an object; empty for other kinds.
  std::span<const PickleNode* const> items() const;
  /// Of a dict in the order written, and items set on an object; empty for other kinds.
  std::span<const Entry> entries() const;
  /// The value under a text key among entries(); nullptr: none. Linear in their number.
  const PickleNode* Find(std::string_view key) const;

  /// Of a kGlobal: "torch._utils" and "_rebuild_tensor_v2"; empty for other kinds.
  std::string_view module() const;
  std::string_view name() const;
  bool IsGlobal(std::string_view module, std::string_view name) const;

  // Of a kObject; nullptr for other kinds.
  const PickleNode* callable() const;  ///< always a kGlobal
  const PickleNode* args() const;      ///< always a kTuple
  const PickleNode* state() const;     ///< what BUILD would have given it; nullptr: nothing
  /// An object whose callable is that global.
  bool IsObjectOf(std::string_view module, std::string_view name) const;
  /// The attribute of an object whose state is a dict, or a tuple of two with dicts; nullptr: none.
  const PickleNode* Attribute(std::string_view key) const;

  /// Of a kPersistentId: usually a tuple. nullptr for other kinds.
  const PickleNode* id() const;

 private:
  friend class PickleMachine;
  /// What only nodes with children have.
  struct Parts {
    std::vector<const PickleNode*> items;
    std::vector<Entry> entries;
    const PickleNode* callable = nullptr;
    const PickleNode* args = nullptr;  // of a persistent id: the id
    const PickleNode* state = nullptr;
    std::string_view name;
  };
  Parts& parts();

  Kind kind_ = Kind::kNone;
  uint16_t depth_ = 0;  // levels of nodes below this one
  union {
    bool bool_;
    int64_t int_ = 0;  // of a text: its place among all texts, equal ones have the same
    double float_;
  };
  std::string_view text_;  // text, bytes, module of a global
  std::unique_ptr<Parts> parts_;
};

/// A parsed pickle; owns its nodes and the bytes they refer to.
class PickleDocument {
 public:
  PickleDocument(PickleDocument&&) noexcept;
  PickleDocument& operator=(PickleDocument&&) noexcept;
  ~PickleDocument();

  const PickleNode& root() const;
  /// From the first opcode to STOP; more may follow in the same bytes.
  int64_t size_bytes() const;
  /// Every kPersistentId in the order written, also those that root() does not lead to.
  std::span<const PickleNode* const> persistent_ids() const;

 private:
  friend class PickleMachine;
  struct Storage;
  explicit PickleDocument(std::unique_ptr<Storage> storage);
  std::unique_ptr<Storage> storage_;
};

/// Pickles above this are not read (the one of a 340B checkpoint has less than a megabyte).
inline constexpr int64_t kMaxPickleBytes = int64_t{128} << 20;

/// Reads the pickle (protocol 2 to 5) that begins at `offset_bytes` of `bytes`. Cost is linear in
/// its size; at most 2^22 nodes, 1000 levels deep. kCorruption, with the byte: truncated, an opcode
/// that no checkpoint has, an empty stack, limits passed, a key twice in one dict; also "unsafe
/// pickle" as soon as it names what runs commands or code (os.system, eval ...) or calls what is
/// not a plain global.
Result<PickleDocument> ParsePickle(std::shared_ptr<const std::string> bytes,
                                   int64_t offset_bytes = 0);
Result<PickleDocument> ParsePickle(std::string bytes);

/// "posix system": the first name for which ParsePickle refuses the pickles that stand one behind
/// the other in `bytes`; empty when they end, or cannot be understood, before there is one.
std::string FindUnsafeGlobal(std::string bytes);

}  // namespace nemo::torch
