// The parameters of the checkpoint named on the command line, and the backends of this build.
#include <cstdio>

#include "formats/format.h"
#include "kernels/registry.h"
#include "libcore/tensor/box.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const auto checkpoint = nemo::OpenCheckpoint(argv[1]);
  if (!checkpoint) {
    std::fprintf(stderr, "%s\n", checkpoint.error().message().c_str());
    return 3;
  }
  long long parameters = 0;
  for (const nemo::TensorSpec& spec : checkpoint->source->specs()) {
    parameters += nemo::NumElements(spec.shape);
  }
  std::printf("%lld parameters\n", parameters);
  for (const nemo::BackendRow& row : nemo::Backends()) std::printf("%s\n", row.name.data());
}
