#include "kernels/cuda/dynamic_library.h"

#include <dlfcn.h>

#include "libcore/base/format.h"

namespace nemo::cuda {

Result<DynamicLibrary> DynamicLibrary::Open(const std::string& name, const std::string& what) {
  void* const handle = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle != nullptr) return DynamicLibrary(handle, name);
  const char* const reason = dlerror();
  return Unavailable(Format("{} is not here: {}", what, reason == nullptr ? name : reason));
}

void* DynamicLibrary::FindSymbol(const char* name) const { return dlsym(handle_, name); }

Status DynamicLibrary::Missing(const char* name) const {
  return Unavailable(Format("{} has no function {}: it is of another version", name_, name));
}

}  // namespace nemo::cuda
