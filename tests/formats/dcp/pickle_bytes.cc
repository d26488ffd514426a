#include "tests/formats/dcp/pickle_bytes.h"

namespace nemo::testing {
namespace {

Opcodes Joined(const std::vector<Opcodes>& items) {
  Opcodes joined;
  for (const Opcodes& item : items) joined += item;
  return joined;
}

}  // namespace

std::string LittleEndian(uint64_t value, int size) {
  std::string bytes;
  for (; size > 0; --size, value >>= 8) bytes += static_cast<char>(value & 0xff);
  return bytes;
}

Opcodes Int(int64_t value) {
  return std::string("\x8a\x08") + LittleEndian(static_cast<uint64_t>(value), 8);
}

Opcodes Text(std::string_view text) {
  return Opcodes("X") + LittleEndian(text.size(), 4) + std::string(text);
}

Opcodes Global(std::string_view module, std::string_view name) {
  return Opcodes("c") + std::string(module) + "\n" + std::string(name) + "\n";
}

Opcodes Tuple(const std::vector<Opcodes>& items) { return "(" + Joined(items) + "t"; }

Opcodes List(const std::vector<Opcodes>& items) { return "](" + Joined(items) + "e"; }

Opcodes Dict(const std::vector<std::pair<Opcodes, Opcodes>>& entries) {
  Opcodes dict = "}(";
  for (const auto& [key, value] : entries) dict += key + value;
  return dict + "u";
}

Opcodes Call(const Opcodes& callable, const Opcodes& args) { return callable + args + "R"; }

Opcodes Object(const Opcodes& type, const Opcodes& state) { return type + ")\x81" + state + "b"; }

Opcodes PersistentId(const Opcodes& id) { return id + "Q"; }

Opcodes Size(const std::vector<int64_t>& extents) {
  std::vector<Opcodes> items;
  for (const int64_t extent : extents) items.push_back(Int(extent));
  return Call(Global("torch", "Size"), Tuple({Tuple(items)}));
}

std::string Pickle(const Opcodes& value) { return "\x80\x02" + value + "."; }

}  // namespace nemo::testing
