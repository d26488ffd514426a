#include "libcore/text/model_proto.h"

#include <cmath>
#include <cstdint>
#include <cstring>

#include "libcore/base/format.h"
#include "libcore/text/proto_fields.h"

namespace nemo {
namespace {

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

Status CheckPiece(const ProtoField& field) {
  if (field.number != 2 || field.wire_type != 5) return OkStatus();
  float score = 0;
  std::memcpy(&score, field.bytes.data(), sizeof(score));
  if (!std::isfinite(score)) return Corruption("a score is not a finite number");
  return OkStatus();
}

}  // namespace

Status CheckSentencePieceModel(std::string_view model_bytes) {
  constexpr uint64_t kPieces = 1, kNormalizer = 3, kDenormalizer = 5, kCharsMap = 2;
  return ForEachField(model_bytes, [&](const ProtoField& field) -> Status {
    if (field.wire_type != 2) return OkStatus();
    if (field.number == kPieces) return ForEachField(field.bytes, CheckPiece).At("a piece");
    if (field.number != kNormalizer && field.number != kDenormalizer) return OkStatus();
    return ForEachField(field.bytes,
                        [&](const ProtoField& inner) {
                          if (inner.number != kCharsMap || inner.wire_type != 2) return OkStatus();
                          return CheckCharsMap(inner.bytes);
                        })
        .At("normalisation table");
  });
}

}  // namespace nemo
