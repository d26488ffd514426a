#include "libcore/base/hash.h"

#include <new>

#include <xxhash.h>
#ifdef NEMO_XXHASH_DISPATCH
#include <xxh_x86dispatch.h>  // the same functions, chosen for the CPU at run time
#endif

#include "libcore/base/check.h"
#include "libcore/base/format.h"

namespace nemo {

struct Hasher::State {
  State() : xxh(XXH3_createState()) {
    NEMO_CHECK(xxh != nullptr && XXH3_128bits_reset(xxh) == XXH_OK);
  }
  ~State() { XXH3_freeState(xxh); }
  XXH3_state_t* xxh;
};

namespace {
std::string Hex(XXH128_hash_t hash) { return Format("{:016x}{:016x}", hash.high64, hash.low64); }
}  // namespace

Hasher::Hasher() : state_(std::make_unique<State>()) {}
Hasher::~Hasher() = default;
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;

void Hasher::Update(std::span<const std::byte> data) {
  NEMO_CHECK(XXH3_128bits_update(state_->xxh, data.data(), data.size()) == XXH_OK);
}
std::string Hasher::HexDigest() const { return Hex(XXH3_128bits_digest(state_->xxh)); }

std::string HashHex(std::span<const std::byte> data) {
  return Hex(XXH3_128bits(data.data(), data.size()));
}

}  // namespace nemo
