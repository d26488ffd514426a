// The pickler behind WritePickle: opcodes, the memo, batches.
#include <algorithm>
#include <bit>
#include <map>

#include "formats/torch/pickle_value.h"
#include "libcore/base/check.h"

namespace nemo::torch {
namespace {

// Elements between a MARK and its APPENDS or SETITEMS.
constexpr size_t kBatch = 1000;

/// The lowest byte first.
std::string Little(uint64_t value, int size) {
  std::string bytes;
  for (int i = 0; i < size; ++i) bytes += static_cast<char>(value >> (8 * i) & 0xff);
  return bytes;
}

}  // namespace

/// Writes one pickle.
class PickleWriter {
 public:
  explicit PickleWriter(int protocol) : short_forms_(protocol >= 4) {
    NEMO_CHECK(protocol == 2 || protocol == 4);
    out_ = {'\x80', static_cast<char>(protocol)};
  }

  std::string Run(const PickleValue& value) && {
    Save(value);
    out_ += '.';
    return std::move(out_);
  }

 private:
  using Kind = PickleValue::Kind;

  void Save(const PickleValue& value);
  void SaveInt(int64_t value);
  void SaveFloat(double value);
  void SaveText(std::string_view text);
  void SaveTuple(const PickleValue::List& items);
  void SaveGlobal(const std::string& text);
  void SaveObject(const PickleValue& value);
  void AppendItems(const PickleValue::List& items);
  void SetEntries(const PickleValue::Dict& entries);

  /// Gives what lies on top of the stack its place in the memo.
  int64_t Memoize();
  /// True when `key` was pickled before: pushes it from the memo.
  bool Recall(const std::string& key);

  const bool short_forms_;  ///< protocol 4
  std::string out_;
  int64_t num_memoized_ = 0;
  std::map<std::string, int64_t> places_;  ///< of texts and globals in the memo
};

void PickleWriter::Save(const PickleValue& value) {
  switch (value.kind_) {
    case Kind::kNone:
      out_ += 'N';
      return;
    case Kind::kBool:
      out_ += value.int_ != 0 ? '\x88' : '\x89';
      return;
    case Kind::kInt:
      return SaveInt(value.int_);
    case Kind::kFloat:
      return SaveFloat(value.float_);
    case Kind::kText:
      return SaveText(value.text_);
    case Kind::kTuple:
      return SaveTuple(value.items_);
    case Kind::kList:
      out_ += ']';
      Memoize();
      return AppendItems(value.items_);
    case Kind::kDict:
      out_ += '}';
      Memoize();
      return SetEntries(value.entries_);
    case Kind::kGlobal:
      return SaveGlobal(value.text_);
    case Kind::kCall:
      for (const PickleValue& item : value.items_) Save(item);
      out_ += 'R';
      Memoize();
      return SetEntries(value.entries_);
    case Kind::kObject:
      return SaveObject(value);
    case Kind::kPersistentId:
      Save(value.items_[0]);
      out_ += 'Q';
      return;
  }
}

void PickleWriter::SaveInt(int64_t value) {
  const auto bits = static_cast<uint64_t>(value);
  if (value >= 0 && value <= 0xff) {
    out_ += 'K' + Little(bits, 1);
  } else if (value >= 0 && value <= 0xffff) {
    out_ += 'M' + Little(bits, 2);
  } else if (value >= INT32_MIN && value <= INT32_MAX) {
    out_ += 'J' + Little(bits, 4);
  } else {
    // Two's complement in as few bytes as keep the sign.
    int size = 5;
    while (size < 8 && value >> (8 * size - 1) != 0 && value >> (8 * size - 1) != -1) ++size;
    out_ += '\x8a' + Little(static_cast<uint64_t>(size), 1) + Little(bits, size);
  }
}

void PickleWriter::SaveFloat(double value) {
  std::string bytes = Little(std::bit_cast<uint64_t>(value), 8);
  std::reverse(bytes.begin(), bytes.end());
  out_ += 'G' + bytes;
}

void PickleWriter::SaveText(std::string_view text) {
  const std::string key = "text " + std::string(text);
  if (Recall(key)) return;
  if (short_forms_ && text.size() <= 0xff) {
    out_ += '\x8c' + Little(text.size(), 1);
  } else {
    NEMO_CHECK(text.size() <= UINT32_MAX);
    out_ += 'X' + Little(text.size(), 4);
  }
  out_ += text;
  places_[key] = Memoize();
}

void PickleWriter::SaveTuple(const PickleValue::List& items) {
  constexpr size_t kShort = 3;
  if (items.empty()) {
    out_ += ')';
    return;
  }
  if (items.size() > kShort) out_ += '(';
  for (const PickleValue& item : items) Save(item);
  out_ += items.size() > kShort ? 't' : static_cast<char>('\x84' + items.size());
  Memoize();
}

void PickleWriter::SaveGlobal(const std::string& text) {
  const std::string key = "global " + text;
  if (Recall(key)) return;
  if (short_forms_) {
    const size_t end = text.find('\n');
    SaveText(std::string_view(text).substr(0, end));
    SaveText(std::string_view(text).substr(end + 1));
    out_ += '\x93';
  } else {
    out_ += 'c' + text + '\n';
  }
  places_[key] = Memoize();
}

void PickleWriter::SaveObject(const PickleValue& value) {
  Save(value.items_[0]);
  out_ += ")\x81";
  Memoize();
  if (value.items_[1].kind_ == Kind::kNone) return;
  Save(value.items_[1]);
  out_ += 'b';
}

void PickleWriter::AppendItems(const PickleValue::List& items) {
  if (items.size() == 1) {
    Save(items[0]);
    out_ += 'a';
    return;
  }
  for (size_t first = 0; first < items.size(); first += kBatch) {
    out_ += '(';
    const size_t end = std::min(items.size(), first + kBatch);
    for (size_t i = first; i < end; ++i) Save(items[i]);
    out_ += 'e';
  }
}

void PickleWriter::SetEntries(const PickleValue::Dict& entries) {
  const auto save = [this](const auto& entry) {
    Save(entry.first);
    Save(entry.second);
  };
  if (entries.size() == 1) {
    save(entries[0]);
    out_ += 's';
    return;
  }
  for (size_t first = 0; first < entries.size(); first += kBatch) {
    out_ += '(';
    const size_t end = std::min(entries.size(), first + kBatch);
    for (size_t i = first; i < end; ++i) save(entries[i]);
    out_ += 'u';
  }
}

int64_t PickleWriter::Memoize() {
  const int64_t place = num_memoized_++;
  if (short_forms_) {
    out_ += '\x94';
  } else if (place <= 0xff) {
    out_ += 'q' + Little(static_cast<uint64_t>(place), 1);
  } else {
    out_ += 'r' + Little(static_cast<uint64_t>(place), 4);
  }
  return place;
}

bool PickleWriter::Recall(const std::string& key) {
  const auto found = places_.find(key);
  if (found == places_.end()) return false;
  const auto place = static_cast<uint64_t>(found->second);
  if (place <= 0xff) {
    out_ += 'h' + Little(place, 1);
  } else {
    out_ += 'j' + Little(place, 4);
  }
  return true;
}

std::string WritePickle(const PickleValue& value, int protocol) {
  return PickleWriter(protocol).Run(value);
}

}  // namespace nemo::torch
