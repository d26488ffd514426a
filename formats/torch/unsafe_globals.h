// Python names whose only use in a pickle is to run something.
#pragma once

#include <string_view>

namespace nemo::torch {

/// True for functions that run commands or code, open files or fetch attributes (os.system, eval,
/// getattr ...), and for everything in modules made for that. A safety net for people: whoever
/// writes such a name did not save a checkpoint. That nothing of a pickle is ever run does not rest
/// on it.
bool IsUnsafeGlobal(std::string_view module, std::string_view name);

}  // namespace nemo::torch
