#include "tests/libcore/runtime/model/far_backend.h"

#include <cstdint>
#include <utility>

namespace nemo::testing {
namespace {

// Not a canonical address on any machine of ours: reading it is a fault, adding to it is harmless.
constexpr uintptr_t kFar = uintptr_t{1} << 62;

template <typename T>
T* Far(T* near) {
  return reinterpret_cast<T*>(reinterpret_cast<uintptr_t>(near) | kFar);
}
/// Null stays null; anything else must be far, or the engine passed host memory to an operation.
template <typename T>
T* Near(T* far) {
  if (far == nullptr) return nullptr;
  NEMO_CHECK((reinterpret_cast<uintptr_t>(far) & kFar) != 0);
  return reinterpret_cast<T*>(reinterpret_cast<uintptr_t>(far) & ~kFar);
}

class FarBuffer : public Buffer {
 public:
  explicit FarBuffer(std::unique_ptr<Buffer> near) : near_(std::move(near)) {}
  void* data() override { return Far(near_->data()); }
  const void* data() const override { return Far(std::as_const(*near_).data()); }
  int64_t size_bytes() const override { return near_->size_bytes(); }

 private:
  std::unique_ptr<Buffer> near_;
};

class FarBackend : public Backend {
 public:
  explicit FarBackend(std::unique_ptr<Backend> near) : near_(std::move(near)) {}
  Backend& near() { return *near_; }

  std::string_view name() const override { return "far"; }
  std::string_view variant() const override { return near_->variant(); }
  const OpTable& ops() const override;
  bool host_memory() const override { return false; }
  Result<std::unique_ptr<Buffer>> Allocate(int64_t size_bytes) override {
    NEMO_ASSIGN_OR_RETURN(std::unique_ptr<Buffer> buffer, near_->Allocate(size_bytes));
    return std::unique_ptr<Buffer>(std::make_unique<FarBuffer>(std::move(buffer)));
  }
  Status Upload(void* device, std::span<const std::byte> host) override {
    return near_->Upload(Near(device), host);
  }
  Status Download(std::span<std::byte> host, const void* device) override {
    return near_->Download(host, Near(device));
  }
  Result<std::unique_ptr<PackedWeight>> AllocateWeight(int64_t n, int64_t k,
                                                       int num_leaves) override {
    return near_->AllocateWeight(n, k, num_leaves);
  }
  Status PackRows(PackedWeight& weight, int64_t row_begin, std::span<const BF16> rows) override {
    return near_->PackRows(weight, row_begin, rows);
  }
  Status Synchronize() override { return near_->Synchronize(); }

 private:
  std::unique_ptr<Backend> near_;
};

Backend& NearOf(Backend& backend) { return static_cast<FarBackend&>(backend).near(); }

Status Linear(Backend& b, const LinearArgs& args) {
  LinearArgs a = args;
  a.x = Near(a.x);
  a.y = Near(a.y);
  return NearOf(b).ops().linear(NearOf(b), a);
}

Status Embed(Backend& b, const EmbedArgs& args) {
  EmbedArgs a = args;
  a.token_ids = Near(a.token_ids);
  a.table = Near(a.table);
  a.out = Near(a.out);
  return NearOf(b).ops().embed(NearOf(b), a);
}

Status ResidualNorm(Backend& b, const ResidualNormArgs& args) {
  ResidualNormArgs a = args;
  a.x = Near(a.x);
  a.update = Near(a.update);
  a.weight = Near(a.weight);
  a.bias = Near(a.bias);
  a.h = Near(a.h);
  return NearOf(b).ops().residual_norm(NearOf(b), a);
}

Status RopeAppend(Backend& b, const RopeAppendArgs& args) {
  RopeAppendArgs a = args;
  a.qkv = Near(a.qkv);
  a.cos = Near(a.cos);
  a.sin = Near(a.sin);
  a.positions = Near(a.positions);
  a.sequence_of = Near(a.sequence_of);
  a.page_table = Near(a.page_table);
  a.pages = Near(a.pages);
  return NearOf(b).ops().rope_append(NearOf(b), a);
}

Status Attention(Backend& b, const AttentionArgs& args) {
  AttentionArgs a = args;
  a.qkv = Near(a.qkv);
  a.positions = Near(a.positions);
  a.sequence_of = Near(a.sequence_of);
  a.page_table = Near(a.page_table);
  a.pages = Near(a.pages);
  a.out = Near(a.out);
  return NearOf(b).ops().attention(NearOf(b), a);
}

Status HeadStats(Backend& b, const HeadStatsArgs& args) {
  HeadStatsArgs a = args;
  a.logits = Near(a.logits);
  a.out = Near(a.out);
  return NearOf(b).ops().head_stats(NearOf(b), a);
}

Status ShardDraw(Backend& b, const ShardDrawArgs& args) {
  ShardDrawArgs a = args;
  a.logits = Near(a.logits);
  a.draws = Near(a.draws);
  a.used = Near(a.used);
  a.scaled = Near(a.scaled);
  a.best = Near(a.best);
  a.num_candidates = Near(a.num_candidates);
  a.chunks = Near(a.chunks);
  return NearOf(b).ops().shard_draw(NearOf(b), a);
}

Status PickLogits(Backend& b, const PickLogitsArgs& args) {
  PickLogitsArgs a = args;
  a.logits = Near(a.logits);
  a.ids = Near(a.ids);
  a.out = Near(a.out);
  return NearOf(b).ops().pick_logits(NearOf(b), a);
}

const OpTable& FarBackend::ops() const {
  static constexpr OpTable kOps = {Linear,    Embed,     ResidualNorm, RopeAppend,
                                   Attention, HeadStats, ShardDraw,    PickLogits};
  return kOps;
}

}  // namespace

std::unique_ptr<Backend> MakeFarBackend(std::unique_ptr<Backend> near) {
  return std::make_unique<FarBackend>(std::move(near));
}

}  // namespace nemo::testing
