// Plain values and their pickle: the writing counterpart of pickle.h. The bytes are those of
// CPython's pickler where it would be given the same values: every object that it memoizes has its
// place in the memo here too. Facts: CPython Lib/pickle.py (save_*), Modules/_pickle.c (batches).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nemo::torch {

/// One value to be pickled; a tree that owns its children.
class PickleValue {
 public:
  using List = std::vector<PickleValue>;
  using Dict = std::vector<std::pair<PickleValue, PickleValue>>;

  // What Python writes as None, True, 3, 0.5 and "text".
  PickleValue() = default;
  PickleValue(bool value) : kind_(Kind::kBool), int_(value) {}       // NOLINT(google-explicit-*)
  PickleValue(int value) : kind_(Kind::kInt), int_(value) {}         // NOLINT(google-explicit-*)
  PickleValue(int64_t value) : kind_(Kind::kInt), int_(value) {}     // NOLINT(google-explicit-*)
  PickleValue(double value) : kind_(Kind::kFloat), float_(value) {}  // NOLINT(google-explicit-*)
  PickleValue(const char* text) : PickleValue(std::string_view(text)) {}         // NOLINT
  PickleValue(std::string_view text) : kind_(Kind::kText), text_(text) {}        // NOLINT
  PickleValue(const std::string& text) : PickleValue(std::string_view(text)) {}  // NOLINT

  static PickleValue TupleOf(List items);
  static PickleValue TupleOf(const std::vector<int64_t>& items);
  static PickleValue ListOf(List items);
  static PickleValue DictOf(Dict entries);
  /// A class or function: ("torch._utils", "_rebuild_tensor_v2").
  static PickleValue Global(std::string_view module, std::string_view name);
  /// callable(*args); `callable` is a Global.
  static PickleValue Call(PickleValue callable, List args);
  /// collections.OrderedDict with these entries.
  static PickleValue OrderedDict(Dict entries);
  /// An instance of the class `type` whose state, a dict or what __setstate__ takes, is `state`;
  /// None: nothing is set.
  static PickleValue Object(PickleValue type, PickleValue state);
  /// What the unpickler is asked for: a storage.
  static PickleValue PersistentId(PickleValue id);

 private:
  friend class PickleWriter;
  enum class Kind : uint8_t {
    kNone,
    kBool,
    kInt,
    kFloat,
    kText,
    kTuple,
    kList,
    kDict,
    kGlobal,
    kCall,    ///< items: callable, args; entries set behind it
    kObject,  ///< items: type, state
    kPersistentId,
  };

  Kind kind_ = Kind::kNone;
  int64_t int_ = 0;
  double float_ = 0;
  std::string text_;  ///< of a global: module, line feed, name
  List items_;
  Dict entries_;
};

/// `value` in protocol 2 (torch files) or 4 (.metadata).
std::string WritePickle(const PickleValue& value, int protocol);

}  // namespace nemo::torch
