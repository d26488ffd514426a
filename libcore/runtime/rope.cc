#include "libcore/runtime/rope.h"

#include <cmath>

#include "libcore/runtime/element.h"

namespace nemo {

template <typename T>
BasicRopeTables<T> MakeRopeTables(int64_t num_positions, int64_t rotary_dim, double base) {
  const int64_t half = rotary_dim / 2;
  std::vector<float> inverse_frequency(half);
  for (int64_t i = 0; i < half; ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(rotary_dim);
    // Powers in double, rounded once: libraries' powf differ in the last bit.
    const auto power =
        static_cast<float>(std::pow(static_cast<double>(static_cast<float>(base)), exponent));
    inverse_frequency[i] = 1.0f / power;
  }
  BasicRopeTables<T> tables;
  tables.cos.resize(num_positions * half);
  tables.sin.resize(num_positions * half);
  for (int64_t position = 0; position < num_positions; ++position) {
    for (int64_t i = 0; i < half; ++i) {
      const float angle = static_cast<float>(position) * inverse_frequency[i];
      tables.cos[position * half + i] =
          RoundTo<T>(static_cast<float>(std::cos(static_cast<double>(angle))));
      tables.sin[position * half + i] =
          RoundTo<T>(static_cast<float>(std::sin(static_cast<double>(angle))));
    }
  }
  return tables;
}

template BasicRopeTables<BF16> MakeRopeTables(int64_t, int64_t, double);
template BasicRopeTables<float> MakeRopeTables(int64_t, int64_t, double);

}  // namespace nemo
