#include "libcore/eval/python_random.h"

#include <array>
#include <bit>
#include <numeric>
#include <sstream>
#include <unordered_set>

#include "libcore/base/check.h"

namespace nemo::eval {
namespace {

constexpr size_t kWords = 624;

// init_by_array of mt19937ar with the one key `seed`; std::mt19937(seed) is another seeding.
std::array<uint32_t, kWords> SeededState(uint32_t seed) {
  std::array<uint32_t, kWords> state;
  state[0] = 19650218u;
  for (uint32_t i = 1; i < kWords; ++i) {
    state[i] = 1812433253u * (state[i - 1] ^ (state[i - 1] >> 30)) + i;
  }
  size_t i = 1;
  const auto next = [&] {
    if (++i == kWords) {
      state[0] = state[kWords - 1];
      i = 1;
    }
  };
  const auto mixed = [&](uint32_t factor) {
    return state[i] ^ ((state[i - 1] ^ (state[i - 1] >> 30)) * factor);
  };
  for (size_t k = 0; k < kWords; ++k, next()) state[i] = mixed(1664525u) + seed;
  for (size_t k = 1; k < kWords; ++k, next()) state[i] = mixed(1566083941u) - uint32_t(i);
  state[0] = 0x80000000u;
  return state;
}

// Where sample() begins to prefer a set of what was taken over a copy of the list.
int64_t PoolLimit(int64_t count) {
  int64_t limit = 21;
  if (count <= 5) return limit;
  int64_t power = 1;  // 4 ** ceil(log(3 * count, 4))
  while (power < 3 * count) power *= 4;
  return limit + power;
}

}  // namespace

PythonRandom::PythonRandom(uint32_t seed) {
  std::stringstream text;  // the standard's one way to set the state: all words as text
  for (const uint32_t word : SeededState(seed)) text << word << ' ';
  text << kWords;
  text >> twister_;
  NEMO_CHECK(!text.fail());
}

uint64_t PythonRandom::Below(uint64_t limit) {
  const int bits = std::bit_width(limit);
  NEMO_CHECK(limit > 0 && bits <= 32);
  uint64_t draw;
  do {
    draw = static_cast<uint64_t>(twister_()) >> (32 - bits);
  } while (draw >= limit);
  return draw;
}

std::vector<int64_t> PythonRandom::Sample(int64_t population, int64_t count) {
  NEMO_CHECK(count >= 0 && count <= population);
  std::vector<int64_t> taken;
  if (population <= PoolLimit(count)) {
    std::vector<int64_t> pool(population);
    std::iota(pool.begin(), pool.end(), 0);
    for (int64_t i = 0; i < count; ++i) {
      const auto j = static_cast<int64_t>(Below(population - i));
      taken.push_back(pool[j]);
      pool[j] = pool[population - i - 1];
    }
    return taken;
  }
  std::unordered_set<int64_t> seen;
  while (std::ssize(taken) < count) {
    const auto j = static_cast<int64_t>(Below(population));
    if (seen.insert(j).second) taken.push_back(j);
  }
  return taken;
}

}  // namespace nemo::eval
