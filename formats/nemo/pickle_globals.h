// Which Python names a pickle refers to, found without running or building any of it.
// Facts: CPython Lib/pickletools.py (opcodes and their arguments).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace nemo {

/// "module name" for each GLOBAL, INST and STACK_GLOBAL of the pickle at the front of `bytes`, in
/// order. The two names of a STACK_GLOBAL are taken to be the last two texts pushed or fetched from
/// the memo, as every pickler writes them; a stack is not kept. Ends at STOP, at an unknown opcode
/// or where the bytes end: what a Python reader would have run until there.
std::vector<std::string> PickleGlobals(std::string_view bytes);

}  // namespace nemo
