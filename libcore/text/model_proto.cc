#include "libcore/text/model_proto.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>

#include "libcore/base/format.h"

namespace nemo {
namespace {

/// One field of a message: its number, wire type and, for length-delimited ones, its bytes; for
/// fixed32, its four bytes.
struct Field {
  uint64_t number = 0;
  int wire_type = 0;
  std::string_view bytes;
};

Result<uint64_t> ReadVarint(std::string_view& in, int max_bytes) {
  uint64_t value = 0;
  for (int i = 0; i < max_bytes; ++i) {
    if (in.empty()) return Corruption("ends inside a number");
    const auto byte = static_cast<uint8_t>(in.front());
    in.remove_prefix(1);
    value |= static_cast<uint64_t>(byte & 0x7f) << (7 * i);
    if ((byte & 0x80) == 0) return value;
  }
  return Corruption(Format("a number of more than {} bytes", max_bytes));
}

Result<Field> ReadField(std::string_view& in) {
  NEMO_ASSIGN_OR_RETURN(const uint64_t tag, ReadVarint(in, 5));
  Field field = {tag >> 3, static_cast<int>(tag & 7), {}};
  uint64_t size_bytes = 0;
  switch (field.wire_type) {
    case 0: {
      NEMO_ASSIGN_OR_RETURN([[maybe_unused]] const uint64_t value, ReadVarint(in, 10));
      return field;
    }
    case 1:
      size_bytes = 8;
      break;
    case 5:
      size_bytes = 4;
      break;
    case 2: {
      NEMO_ASSIGN_OR_RETURN(size_bytes, ReadVarint(in, 10));
      break;
    }
    default:
      return Corruption(Format("field {} has wire type {}", field.number, field.wire_type));
  }
  if (size_bytes > in.size()) {
    return Corruption(
        Format("field {} has {} bytes, {} are left", field.number, size_bytes, in.size()));
  }
  field.bytes = in.substr(0, size_bytes);
  in.remove_prefix(size_bytes);
  return field;
}

Status ForEachField(std::string_view message, const std::function<Status(const Field&)>& visit) {
  while (!message.empty()) {
    NEMO_ASSIGN_OR_RETURN(const Field field, ReadField(message));
    NEMO_RETURN_IF_ERROR(visit(field));
  }
  return OkStatus();
}

uint32_t ReadU32(std::string_view bytes, size_t index) {
  uint32_t value = 0;
  std::memcpy(&value, bytes.data() + index * 4, 4);
  return value;
}

/// Every step a search can take from any unit lands inside the array, and every value it can return
/// lies inside the replacement texts.
Status CheckTrie(std::string_view units, size_t replacements_size) {
  const size_t count = units.size() / 4;
  for (size_t i = 0; i < count; ++i) {
    const uint32_t unit = ReadU32(units, i);
    if ((unit >> 31) != 0) continue;  // a value; searches stop here
    const uint32_t offset = (unit >> 10) << ((unit & 0x200u) >> 6);
    const size_t base = i ^ offset;
    if ((base | 0xff) >= count) {
      return Corruption(
          Format("unit {} of the trie leads to unit {} of {}", i, base | 0xff, count));
    }
    const bool has_value = (unit & 0x100u) != 0;
    if (has_value && (ReadU32(units, base) & 0x7fffffffu) >= replacements_size) {
      return Corruption(Format("unit {} of the trie names a replacement past the {} bytes of them",
                               i, replacements_size));
    }
  }
  return OkStatus();
}

/// [u32 size][trie units][NUL-terminated replacement texts]. Empty: no normalisation.
Status CheckCharsMap(std::string_view map) {
  if (map.empty()) return OkStatus();
  if (map.size() < 4) return Corruption("shorter than its own length");
  const size_t trie_bytes = ReadU32(map, 0);
  map.remove_prefix(4);
  if (trie_bytes >= map.size() || trie_bytes == 0 || trie_bytes % 1024 != 0) {
    return Corruption(Format("a trie of {} bytes in a table of {}", trie_bytes, map.size()));
  }
  if (map.back() != '\0') return Corruption("the last replacement has no end");
  return CheckTrie(map.substr(0, trie_bytes), map.size() - trie_bytes);
}

Status CheckPiece(const Field& field) {
  if (field.number != 2 || field.wire_type != 5) return OkStatus();
  float score = 0;
  std::memcpy(&score, field.bytes.data(), sizeof(score));
  if (!std::isfinite(score)) return Corruption("a score is not a finite number");
  return OkStatus();
}

}  // namespace

Status CheckSentencePieceModel(std::string_view model_bytes) {
  constexpr uint64_t kPieces = 1, kNormalizer = 3, kDenormalizer = 5, kCharsMap = 2;
  return ForEachField(model_bytes, [&](const Field& field) -> Status {
    if (field.wire_type != 2) return OkStatus();
    if (field.number == kPieces) return ForEachField(field.bytes, CheckPiece).At("a piece");
    if (field.number != kNormalizer && field.number != kDenormalizer) return OkStatus();
    return ForEachField(field.bytes,
                        [&](const Field& inner) {
                          if (inner.number != kCharsMap || inner.wire_type != 2) return OkStatus();
                          return CheckCharsMap(inner.bytes);
                        })
        .At("normalisation table");
  });
}

}  // namespace nemo
