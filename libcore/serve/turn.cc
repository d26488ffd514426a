#include "libcore/serve/turn.h"

#include <cstring>
#include <string>
#include <type_traits>

namespace nemo {
namespace {

constexpr uint32_t kMark = 0x314e5254;  // "TRN1"

class Packer {
 public:
  template <typename T>
  requires std::is_arithmetic_v<T>
  void operator()(const T& number) { Append(&number, sizeof(number)); }
  void operator()(const std::string& text) { List(text); }
  template <typename T>
  void operator()(const std::vector<T>& list) {
    if constexpr (std::is_arithmetic_v<T>) {
      List(list);
    } else {
      (*this)(static_cast<uint64_t>(list.size()));
      for (const T& element : list) (*this)(element);
    }
  }
  void operator()(const GenerateRequest& request);
  std::vector<std::byte> Take() { return std::move(bytes_); }

 private:
  template <typename Sequence>
  void List(const Sequence& list) {
    (*this)(static_cast<uint64_t>(list.size()));
    Append(list.data(), list.size() * sizeof(*list.data()));
  }
  void Append(const void* data, size_t size) {
    const auto* begin = static_cast<const std::byte*>(data);
    bytes_.insert(bytes_.end(), begin, begin + size);
  }

  std::vector<std::byte> bytes_;
};

/// Reads what Packer wrote; after a fault it goes on with zeros and empty lists.
class Unpacker {
 public:
  explicit Unpacker(std::span<const std::byte> bytes) : bytes_(bytes) {}

  template <typename T>
  requires std::is_arithmetic_v<T>
  void operator()(T& number) {
    if constexpr (std::is_same_v<T, bool>) {
      uint8_t byte = 0;
      (*this)(byte);
      number = byte != 0;
    } else {
      Take(&number, sizeof(number));
    }
  }
  void operator()(std::string& text) { List(text); }
  template <typename T>
  void operator()(std::vector<T>& list) {
    if constexpr (std::is_arithmetic_v<T>) {
      List(list);
    } else {
      // An element has a byte at least, so a lying count cannot take more memory than its message.
      list.resize(Count(1));
      for (T& element : list) (*this)(element);
    }
  }
  void operator()(GenerateRequest& request);
  bool whole() const { return !failed_ && bytes_.empty(); }

 private:
  size_t Count(size_t element_bytes) {
    uint64_t count = 0;
    (*this)(count);
    if (count > bytes_.size() / element_bytes) failed_ = true;
    return failed_ ? 0 : static_cast<size_t>(count);
  }
  template <typename Sequence>
  void List(Sequence& list) {
    list.resize(Count(sizeof(*list.data())));
    Take(list.data(), list.size() * sizeof(*list.data()));
  }
  void Take(void* out, size_t size) {
    if (size > bytes_.size()) failed_ = true;
    if (failed_ || size == 0) return;
    std::memcpy(out, bytes_.data(), size);
    bytes_ = bytes_.subspan(size);
  }

  std::span<const std::byte> bytes_;
  bool failed_ = false;
};

/// The fields of a request, once for both directions.
template <typename Request, typename Visitor>
void VisitRequest(Request& request, Visitor& visit) {
  visit(request.prompt_ids);
  visit(request.tokens_to_generate);
  visit(request.min_tokens_to_generate);
  auto& sampling = request.sampling;
  visit(sampling.greedy);
  visit(sampling.temperature);
  visit(sampling.top_k);
  visit(sampling.top_p);
  visit(sampling.repetition_penalty);
  auto repetition = static_cast<int32_t>(sampling.repetition);
  visit(repetition);
  if constexpr (!std::is_const_v<Request>) {
    sampling.repetition = static_cast<Repetition>(repetition);
  }
  visit(sampling.seed);
  visit(request.end_strings);
  visit(request.stop_strings);
  visit(request.draw_index);
  visit(request.logprobs);
  visit(request.logprobs_begin);
  visit(request.top_logprobs);
  visit(request.full_logprobs);
  visit(request.token_texts);
}

void Packer::operator()(const GenerateRequest& request) { VisitRequest(request, *this); }
void Unpacker::operator()(GenerateRequest& request) { VisitRequest(request, *this); }

template <typename T, typename Visitor>
void VisitTurn(T& turn, Visitor& visit) {
  visit(turn.added);
  visit(turn.cancelled);
  visit(turn.is_pulse);
  visit(turn.is_last);
}

/// Of a turn that only steps nothing but its size goes out: 0.
Status SendTurn(const Turn& turn, Communicator& world) {
  const std::vector<std::byte> bytes = turn.empty() ? std::vector<std::byte>() : PackTurn(turn);
  const int64_t size_bytes = std::ssize(bytes);
  for (int peer = 1; peer < world.size(); ++peer) {
    NEMO_RETURN_IF_ERROR(world.Post(std::as_bytes(std::span(&size_bytes, size_t{1})), peer));
    if (size_bytes > 0) NEMO_RETURN_IF_ERROR(world.Post(bytes, peer));
  }
  return OkStatus();
}

Status ReceiveTurn(Turn* turn, Communicator& world) {
  *turn = Turn();
  int64_t size_bytes = 0;
  NEMO_RETURN_IF_ERROR(world.Recv(std::as_writable_bytes(std::span(&size_bytes, size_t{1})), 0));
  if (size_bytes == 0) return OkStatus();
  std::vector<std::byte> bytes(static_cast<size_t>(size_bytes));
  NEMO_RETURN_IF_ERROR(world.Recv(bytes, 0));
  NEMO_ASSIGN_OR_RETURN(*turn, UnpackTurn(bytes));
  return OkStatus();
}

}  // namespace

std::vector<std::byte> PackTurn(const Turn& turn) {
  Packer pack;
  pack(kMark);
  VisitTurn(turn, pack);
  return pack.Take();
}

Result<Turn> UnpackTurn(std::span<const std::byte> bytes) {
  Unpacker unpack(bytes);
  uint32_t mark = 0;
  unpack(mark);
  Turn turn;
  VisitTurn(turn, unpack);
  if (mark == kMark && unpack.whole()) return turn;
  return Unavailable(
      "a message from rank 0 is not what this program sends: start the same nemo-generate on all "
      "ranks");
}

Status ShareTurn(Turn* turn, Communicator& world) {
  if (world.size() == 1) return OkStatus();
  NEMO_RETURN_IF_ERROR(world.rank() == 0 ? SendTurn(*turn, world) : ReceiveTurn(turn, world));
  return turn->is_pulse ? world.Barrier() : OkStatus();
}

}  // namespace nemo
