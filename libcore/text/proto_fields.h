// Protocol buffer messages, field by field, without a schema: as much of the wire format as a
// SentencePiece model needs. Facts: the protocol buffer encoding guide.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "libcore/base/status.h"

namespace nemo {

/// One field of a message.
struct ProtoField {
  uint64_t number = 0;
  int wire_type = 0;       ///< 0: value; 1, 5: eight and four bytes; 2: bytes of any number
  std::string_view bytes;  ///< of wire types 1, 2 and 5
  uint64_t value = 0;      ///< of wire type 0
};

/// Calls `visit` for each field of `message`, in order, until one fails. kCorruption: the message
/// is no sequence of fields.
Status ForEachField(std::string_view message,
                    const std::function<Status(const ProtoField&)>& visit);

}  // namespace nemo
