// What differs from answer to answer: the seed where a client names none, and the answer's id.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace nemo {

/// Unpredictable, another one in each call. Below 2^63, so that JSON can name it.
uint64_t FreshSeed();

/// `prefix` and a random UUID: "cmpl-e3caddd5-2f16-4b26-bca3-79e700cbc0f9".
std::string AnswerId(std::string_view prefix);

}  // namespace nemo
