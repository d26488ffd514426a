// What the suite of all backends asks: who has the operation, and is it right? And whether two
// instruction sets give the same bits.
#include <cstdio>
#include <vector>

#include "kernels/registry.h"

namespace {

/// Two rows through a product; the result's bits.
std::vector<nemo::BF16> Product(const char* isa) {
  const auto made = nemo::CreateBackend("cpu", {.isa = isa});
  if (!made) return {};
  nemo::Backend& backend = **made;
  constexpr int64_t kN = 70, kK = 37;
  auto weight = backend.AllocateWeight(kN, kK, 1);
  std::vector<nemo::BF16> rows(kN * kK), x(2 * kK), y(2 * kN);
  for (size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<nemo::BF16>(0x3f00 + i * 7 % 256);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<nemo::BF16>(0xbe80 + i * 5 % 256);
  if (!weight || !backend.PackRows(**weight, 0, rows).ok()) return {};
  const nemo::LinearArgs args{.weight = weight->get(), .x = x.data(), .m = 2, .y = y.data()};
  if (!backend.ops().linear(backend, args).ok() || !backend.Synchronize().ok()) return {};
  return y;
}

}  // namespace

int main() {
  for (const nemo::BackendRow& row : nemo::Backends()) {
    // The others of this build have tables of the size that it was built with.
    if (row.name != "cpu" && row.name != "reference") continue;
    const auto backend = nemo::CreateBackend(row.name, {});
    if (!backend) return 1;
    const auto scale = (*backend)->ops().scale;
    float x[3] = {1, 2, 3};
    if (scale == nullptr) {
      std::printf("%s lacks it\n", row.name.data());
    } else if (scale(**backend, {x, 3, 2.0f}).ok()) {
      std::printf("%s: %g %g %g\n", row.name.data(), x[0], x[1], x[2]);
    }
  }
  const auto plain = Product("plain");
  if (!plain.empty() && plain == Product("scalar")) std::puts("plain: the bits of scalar");
}
