#include "formats/torch/stream_form.h"

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "formats/torch/storage_id.h"
#include "libcore/base/format.h"

namespace nemo::torch {
namespace {

using Kind = PickleNode::Kind;

// Protocol 2, LONG1 of ten bytes, 0x1950a86a20f9469cfc6c, STOP.
constexpr std::string_view kMagic = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
constexpr int64_t kProtocol = 1001;
constexpr int64_t kFirstWindowBytes = int64_t{4} << 20;
constexpr int64_t kCountBytes = 8;

/// The pickles at the front of the stream, and where they end.
struct Front {
  PickleDocument object;
  PickleDocument keys;  // a list of texts, in the order of the storages
  int64_t end_bytes;
};

Status CheckSystem(const PickleNode& info) {
  const PickleNode* little = info.Find("little_endian");
  if (little == nullptr) return Corruption("the stream does not say its byte order");
  NEMO_ASSIGN_OR_RETURN(const bool is_little, little->AsBool());
  if (!is_little) return Unsupported("big-endian; this build reads little-endian files");
  return OkStatus();
}

Result<Front> ParseFront(std::string window) {
  const auto bytes = std::make_shared<const std::string>(std::move(window));
  auto at = static_cast<int64_t>(kMagic.size());
  const auto next = [&]() -> Result<PickleDocument> {
    Result<PickleDocument> pickle = ParsePickle(bytes, at);
    if (pickle) at += pickle->size_bytes();
    return pickle;
  };
  NEMO_ASSIGN_OR_RETURN(const PickleDocument protocol, next());
  NEMO_ASSIGN_OR_RETURN(const int64_t version, protocol.root().AsInt());
  if (version != kProtocol) {
    return Unsupported(Format("protocol {} of the stream form, expected {}", version, kProtocol));
  }
  NEMO_ASSIGN_OR_RETURN(const PickleDocument system, next());
  NEMO_RETURN_IF_ERROR(CheckSystem(system.root()));
  NEMO_ASSIGN_OR_RETURN(PickleDocument object, next());
  NEMO_ASSIGN_OR_RETURN(PickleDocument keys, next());
  return Front{std::move(object), std::move(keys), at};
}

/// Nothing says how long the pickles are, so the window grows until they fit.
Result<Front> ReadFront(const RandomAccessFile& file) {
  for (int64_t limit = kFirstWindowBytes;; limit *= 4) {
    const int64_t size = std::min({limit, file.size_bytes(), kMaxPickleBytes});
    std::string window(static_cast<size_t>(size), '\0');
    NEMO_RETURN_IF_ERROR(file.ReadAt(0, std::as_writable_bytes(std::span(window))));
    Result<Front> front = ParseFront(std::move(window));
    if (front || size < limit) return front;
  }
}

/// Bytes of an element of each storage, by key: only the references to it know.
Result<std::map<std::string, int64_t, std::less<>>> ItemSizes(const PickleDocument& object) {
  std::map<std::string, int64_t, std::less<>> sizes;
  for (const PickleNode* id : object.persistent_ids()) {
    NEMO_ASSIGN_OR_RETURN(const StorageId storage, ParseStorageId(*id));
    NEMO_ASSIGN_OR_RETURN(const DType dtype, StorageDType(*storage.type));
    const auto [it, added] = sizes.emplace(storage.key, SizeOf(dtype));
    if (!added && it->second != SizeOf(dtype)) {
      return Corruption(Format("storage '{}' has two element types", storage.key.substr(0, 100)));
    }
  }
  return sizes;
}

/// Each storage: its number of elements, then its bytes. A key is copied once: the list may repeat
/// a long one as often as it likes.
Status PlaceStorages(const std::shared_ptr<RandomAccessFile>& file, const Front& front,
                     TorchFile& torch_file) {
  NEMO_ASSIGN_OR_RETURN(const auto item_sizes, ItemSizes(front.object));
  NEMO_ASSIGN_OR_RETURN(const auto keys, front.keys.root().AsItems(Kind::kList));
  int64_t at = front.end_bytes;
  for (const PickleNode* node : keys) {
    NEMO_ASSIGN_OR_RETURN(const std::string_view key, node->AsText());
    const std::string place = Format("storage '{}'", key.substr(0, 100));
    const auto item_size = item_sizes.find(key);
    if (item_size == item_sizes.end()) {
      return Corruption(Format("{}: no tensor refers to it", place));
    }
    std::array<std::byte, kCountBytes> buffer;
    NEMO_RETURN_IF_ERROR(file->ReadAt(at, buffer));
    at += kCountBytes;
    int64_t size = 0;
    for (size_t i = buffer.size(); i-- > 0;) size = size << 8 | static_cast<int64_t>(buffer[i]);
    if (size < 0 || __builtin_mul_overflow(size, item_size->second, &size) ||
        size > file->size_bytes() - at) {
      return Corruption(Format("{}: it ends past the file ({} bytes); the copy is incomplete",
                               place, file->size_bytes()));
    }
    if (!torch_file.storages.emplace(key, SliceFile(file, at, size, file->name() + ": " + place))
             .second) {
      return Corruption(Format("{}: duplicate key", place));
    }
    at += size;
  }
  return OkStatus();
}

}  // namespace

bool LooksLikeStreamForm(const RandomAccessFile& file) {
  std::array<std::byte, kMagic.size()> head;
  if (file.size_bytes() < static_cast<int64_t>(head.size()) || !file.ReadAt(0, head).ok()) {
    return false;
  }
  return std::equal(head.begin(), head.end(), std::as_bytes(std::span(kMagic)).begin());
}

Result<TorchFile> OpenStreamForm(std::shared_ptr<RandomAccessFile> file) {
  Result<Front> front = ReadFront(*file);
  if (!front) return front.error().At(file->name());
  TorchFile torch_file{file->name(), std::move(front->object), {}};
  Front rest{std::move(torch_file.pickle), std::move(front->keys), front->end_bytes};
  const Status status = PlaceStorages(file, rest, torch_file);
  if (!status.ok()) return status.At(file->name());
  torch_file.pickle = std::move(rest.object);
  return torch_file;
}

}  // namespace nemo::torch
