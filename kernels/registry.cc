#include "kernels/registry.h"

#include <string>

#include "kernels/cpu/backend.h"
#include "kernels/reference/backend.h"
#include "libcore/base/check.h"
#include "libcore/base/format.h"
#ifdef NEMO_CUDA
#include "kernels/cuda/backend.h"
#endif

namespace nemo {
namespace {

bool Always() { return true; }

constexpr BackendRow kRows[] = {
    {"cpu", "host processor: AVX-512, AVX2 or portable code, chosen at run time", CreateCpuBackend,
     Always, false},
    {"reference", "host processor, one thread, written to be read: the oracle of the others",
     [](const BackendOptions&) -> Result<std::unique_ptr<Backend>> {
       return CreateReferenceBackend();
     },
     Always, true},
#ifdef NEMO_CUDA
    {"cuda", "NVIDIA GPU", CreateCudaBackend, CudaAvailable, false, ProbeCuda, CudaLibraryLinear,
     CudaLibraryName},
#endif
};

}  // namespace

std::span<const BackendRow> Backends() { return kRows; }

const BackendRow& RowOf(const Backend& backend) {
  for (const BackendRow& row : kRows) {
    if (row.name == backend.name()) return row;
  }
  NEMO_CHECK(false);
  return kRows[0];
}

Result<std::unique_ptr<Backend>> CreateBackend(std::string_view name,
                                               const BackendOptions& options) {
  std::string known;
  for (const BackendRow& row : kRows) {
    if (row.name == name) return row.create(options);
    known += Format("{}{}", known.empty() ? "" : ", ", row.name);
  }
  return InvalidArgument(Format("unknown backend '{}'; this build has: {}", name, known));
}

}  // namespace nemo
