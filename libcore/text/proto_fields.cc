#include "libcore/text/proto_fields.h"

#include "libcore/base/format.h"

namespace nemo {
namespace {

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

Result<ProtoField> ReadField(std::string_view& in) {
  NEMO_ASSIGN_OR_RETURN(const uint64_t tag, ReadVarint(in, 5));
  ProtoField field = {tag >> 3, static_cast<int>(tag & 7), {}, 0};
  uint64_t size_bytes = 0;
  switch (field.wire_type) {
    case 0: {
      NEMO_ASSIGN_OR_RETURN(field.value, ReadVarint(in, 10));
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

}  // namespace

Status ForEachField(std::string_view message,
                    const std::function<Status(const ProtoField&)>& visit) {
  while (!message.empty()) {
    NEMO_ASSIGN_OR_RETURN(const ProtoField field, ReadField(message));
    NEMO_RETURN_IF_ERROR(visit(field));
  }
  return OkStatus();
}

}  // namespace nemo
