// The inert pickle machine, and walking the nodes it makes.
#include "formats/torch/pickle.h"
#include "tests/fuzz/harness.h"

namespace {

/// Visits at most `budget` nodes: a node may stand in many places, even below itself.
void Walk(const nemo::torch::PickleNode& node, int depth, int& budget) {
  if (depth > 100 || --budget < 0) return;
  static_cast<void>(node.Describe());
  static_cast<void>(node.AsIntList());
  static_cast<void>(node.Attribute("args"));
  for (const auto* item : node.items()) Walk(*item, depth + 1, budget);
  for (const auto& entry : node.entries()) {
    Walk(*entry.key, depth + 1, budget);
    Walk(*entry.value, depth + 1, budget);
  }
  for (const auto* inner : {node.callable(), node.args(), node.state(), node.id()}) {
    if (inner != nullptr) Walk(*inner, depth + 1, budget);
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string bytes = nemo::fuzz::Bytes(data, size);
  const nemo::fuzz::MemoryLimit limit(size, 256);
  static_cast<void>(nemo::torch::FindUnsafeGlobal(bytes));
  const auto pickle = nemo::torch::ParsePickle(bytes);
  if (!pickle) return 0;
  int budget = 10'000;
  Walk(pickle->root(), 0, budget);
  for (const auto* id : pickle->persistent_ids()) Walk(*id, 0, budget);
  return 0;
}
