#include "formats/torch/unsafe_globals.h"

#include <algorithm>
#include <iterator>

namespace nemo::torch {
namespace {

// With everything below them: "os" stands for "os.path" too.
constexpr std::string_view kModules[] = {
    "os",         "posix",    "nt",      "subprocess", "sys",       "pty",      "socket",
    "shutil",     "ctypes",   "runpy",   "imp",        "importlib", "code",     "codeop",
    "pdb",        "bdb",      "timeit",  "popen2",     "commands",  "platform", "profile",
    "webbrowser", "cProfile", "asyncio", "marshal"};

constexpr std::string_view kBuiltins[] = {
    "eval", "exec",  "execfile", "compile", "__import__", "getattr", "setattr",    "delattr",
    "open", "input", "globals",  "locals",  "vars",       "apply",   "breakpoint", "memoryview"};
constexpr std::string_view kBuiltinModules[] = {"builtins", "__builtin__", "__builtins__"};

struct Global {
  std::string_view module, name;
};
constexpr Global kFunctions[] = {{"torch", "load"},     {"torch.serialization", "load"},
                                 {"torch.hub", "load"}, {"numpy", "load"},
                                 {"pickle", "load"},    {"pickle", "loads"},
                                 {"_pickle", "load"},   {"_pickle", "loads"},
                                 {"io", "open"},        {"_io", "open"},
                                 {"io", "FileIO"},      {"_io", "FileIO"}};

template <typename List>
bool Among(const List& list, std::string_view value) {
  return std::find(std::begin(list), std::end(list), value) != std::end(list);
}

/// `module` or a package that holds it.
bool IsUnsafeModule(std::string_view module) {
  return std::any_of(std::begin(kModules), std::end(kModules), [&](std::string_view unsafe) {
    if (!module.starts_with(unsafe)) return false;
    return module.size() == unsafe.size() || module[unsafe.size()] == '.';
  });
}

}  // namespace

bool IsUnsafeGlobal(std::string_view module, std::string_view name) {
  if (IsUnsafeModule(module)) return true;
  // Protocol 4 may name an attribute of an attribute: "eval.__call__".
  const std::string_view first = name.substr(0, name.find('.'));
  if (Among(kBuiltinModules, module)) return Among(kBuiltins, first);
  return std::any_of(std::begin(kFunctions), std::end(kFunctions), [&](const Global& unsafe) {
    return unsafe.module == module && unsafe.name == first;
  });
}

}  // namespace nemo::torch
