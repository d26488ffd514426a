// Pickles written opcode by opcode (protocol 2), as expressions: Pickle(Dict({{Text("a"),
// Int(1)}})).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nemo::testing {

using Opcodes = std::string;

std::string LittleEndian(uint64_t value, int size);

inline Opcodes None() { return "N"; }
inline Opcodes False() { return "\x89"; }
Opcodes Int(int64_t value);
Opcodes Text(std::string_view text);
Opcodes Global(std::string_view module, std::string_view name);
Opcodes Tuple(const std::vector<Opcodes>& items);
Opcodes List(const std::vector<Opcodes>& items);
Opcodes Dict(const std::vector<std::pair<Opcodes, Opcodes>>& entries);
/// What calling `callable` with the tuple `args` would give.
Opcodes Call(const Opcodes& callable, const Opcodes& args);
/// An object made without arguments, then given `state`.
Opcodes Object(const Opcodes& type, const Opcodes& state);
Opcodes PersistentId(const Opcodes& id);
/// torch.Size.
Opcodes Size(const std::vector<int64_t>& extents);

std::string Pickle(const Opcodes& value);

}  // namespace nemo::testing
