#include "formats/torch/pickle.h"

#include <utility>

#include "formats/torch/pickle_machine.h"
#include "libcore/base/check.h"

namespace nemo::torch {

PickleDocument::PickleDocument(std::unique_ptr<Storage> storage) : storage_(std::move(storage)) {}
PickleDocument::PickleDocument(PickleDocument&&) noexcept = default;
PickleDocument& PickleDocument::operator=(PickleDocument&&) noexcept = default;
PickleDocument::~PickleDocument() = default;
const PickleNode& PickleDocument::root() const { return *storage_->root; }
int64_t PickleDocument::size_bytes() const { return storage_->size_bytes; }
std::span<const PickleNode* const> PickleDocument::persistent_ids() const {
  return storage_->persistent_ids;
}

Result<PickleDocument> ParsePickle(std::shared_ptr<const std::string> bytes, int64_t offset_bytes) {
  NEMO_CHECK(offset_bytes >= 0 && offset_bytes <= static_cast<int64_t>(bytes->size()));
  return PickleMachine(std::move(bytes), offset_bytes).Run();
}

Result<PickleDocument> ParsePickle(std::string bytes) {
  return ParsePickle(std::make_shared<const std::string>(std::move(bytes)));
}

std::string FindUnsafeGlobal(std::string bytes) {
  const auto shared = std::make_shared<const std::string>(std::move(bytes));
  int64_t at = 0;
  while (at < static_cast<int64_t>(shared->size())) {
    PickleMachine machine(shared, at);
    const Result<PickleDocument> pickle = machine.Run();
    if (!pickle) return machine.unsafe_global();
    at += pickle->size_bytes();
  }
  return "";
}

}  // namespace nemo::torch
