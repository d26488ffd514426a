// Tensors that conformance suites write and read: every rank from 0 to 3, every dtype asked for, no
// elements at all, and bfloat16 bits that arithmetic would change (signalling NaN, negative zero).
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "tests/testing.h"

namespace nemo::testing {

/// Bytes that differ from place to place and from tensor to tensor.
inline std::vector<std::byte> PatternBytes(int64_t size_bytes, uint32_t seed) {
  std::vector<std::byte> data(static_cast<size_t>(size_bytes));
  uint32_t state = seed * 2654435761u + 1;
  for (std::byte& byte : data) {
    state = state * 1664525u + 1013904223u;
    byte = static_cast<std::byte>(state >> 24);
  }
  return data;
}

/// The sample in the order in which it is declared to sinks, which is not the order of names.
inline std::vector<TensorSpec> SampleSpecs(const std::vector<DType>& dtypes) {
  std::vector<TensorSpec> specs = {
      {"decoder.layers.0.mlp.linear_fc1.weight", DType::kBF16, {24, 7}},
      {"decoder.layers.0.self_attention.linear_qkv.weight", DType::kBF16, {3, 5, 4}},
      {"a.bias", DType::kBF16, {11}},
      {"no.elements", DType::kBF16, {0, 4}},
      {"scalar", DType::kBF16, {}},
  };
  for (const DType dtype : dtypes) {
    specs.push_back({"dtype." + std::string(DTypeName(dtype)), dtype, {3, 3}});
  }
  return specs;
}

inline MemorySource SampleSource(const std::vector<TensorSpec>& specs) {
  MemorySource source;
  uint32_t seed = 1;
  for (const TensorSpec& spec : specs) {
    std::vector<std::byte> data = PatternBytes(spec.size_bytes(), seed++);
    constexpr uint16_t kTroublesome[] = {0x7f81, 0xffa5, 0x8000, 0x0001};
    if (spec.dtype == DType::kBF16 && data.size() >= sizeof(kTroublesome)) {
      std::memcpy(data.data(), kTroublesome, sizeof(kTroublesome));
    }
    source.Add(spec, std::move(data));
  }
  return source;
}

}  // namespace nemo::testing
