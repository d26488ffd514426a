// A shared library that is looked for when it is first wanted, and its functions.
#pragma once

#include <memory>
#include <string>

#include "libcore/base/status.h"

namespace nemo::cuda {

/// Stays loaded until the process ends: libraries of this kind have threads and handlers of their
/// own.
class DynamicLibrary {
 public:
  /// `name` is looked for where the system looks (LD_LIBRARY_PATH, ldconfig). kUnavailable, with
  /// the loader's words and `what`, for people.
  static Result<DynamicLibrary> Open(const std::string& name, const std::string& what);

  /// kUnavailable: the library has no such function.
  template <typename Function>
  Status Find(const char* name, Function** function) const {
    void* const symbol = FindSymbol(name);
    if (symbol == nullptr) return Missing(name);
    *function = reinterpret_cast<Function*>(symbol);
    return OkStatus();
  }

 private:
  DynamicLibrary(void* handle, std::string name) : handle_(handle), name_(std::move(name)) {}
  void* FindSymbol(const char* name) const;
  Status Missing(const char* name) const;

  void* handle_;
  std::string name_;
};

}  // namespace nemo::cuda
