#include "kernels/comm/message_comm.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "libcore/base/format.h"
#include "libcore/runtime/math.h"

namespace nemo {
namespace {

constexpr size_t kPieceFloats = 4 << 20;  // 16 MiB of scratch per peer's part

/// a += b, or a = b + a. The operand of the lower rank stands left, so that even NaN payloads
/// agree.
void AddFloats(std::span<float> a, const float* b, bool b_first) {
  const FlushDenormals flush;
  if (b_first) {
    for (size_t i = 0; i < a.size(); ++i) a[i] = b[i] + a[i];
  } else {
    for (size_t i = 0; i < a.size(); ++i) a[i] = a[i] + b[i];
  }
}

}  // namespace

Status MessageComm::AllReduceSum(std::span<float> data) {
  NEMO_RETURN_IF_ERROR(CheckAlive());
  const Clock::time_point deadline = NewDeadline();
  for (size_t begin = 0; begin < data.size(); begin += kPieceFloats) {
    NEMO_RETURN_IF_ERROR(
        ReducePiece(data.subspan(begin, std::min(kPieceFloats, data.size() - begin)), deadline));
  }
  return OkStatus();
}

Status MessageComm::ReducePiece(std::span<float> data, Clock::time_point deadline) {
  if (size() == 1) return OkStatus();
  return std::has_single_bit(static_cast<unsigned>(size())) ? ReduceByDoubling(data, deadline)
                                                            : ReduceInRankOrder(data, deadline);
}

Status MessageComm::ReduceByDoubling(std::span<float> data, Clock::time_point deadline) {
  parts_.resize(data.size());
  const std::span<float> theirs(parts_);
  for (int distance = 1; distance < size(); distance *= 2) {
    const int partner = rank() ^ distance;
    NEMO_RETURN_IF_ERROR(Transfer({.operation = "all-reduce",
                                   .deadline = deadline,
                                   .to = partner,
                                   .out = std::as_bytes(data),
                                   .from = partner,
                                   .in = std::as_writable_bytes(theirs)}));
    AddFloats(data, theirs.data(), partner < rank());
  }
  return OkStatus();
}

Status MessageComm::ReduceInRankOrder(std::span<float> data, Clock::time_point deadline) {
  parts_.resize(data.size() * size());
  const std::span<float> parts(parts_);
  std::memcpy(parts.data() + data.size() * rank(), data.data(), data.size_bytes());
  NEMO_RETURN_IF_ERROR(
      GatherRing({.operation = "all-reduce", .deadline = deadline}, std::as_writable_bytes(parts)));
  std::memcpy(data.data(), parts.data(), data.size_bytes());
  for (int part = 1; part < size(); ++part) {
    AddFloats(data, parts.data() + data.size() * part, false);
  }
  return OkStatus();
}

Status MessageComm::AllGather(std::span<const std::byte> in, std::span<std::byte> out) {
  if (out.size() != in.size() * size()) {
    return InvalidArgument(Format("all-gather: {} bytes from each of {} ranks do not fill {} bytes",
                                  in.size(), size(), out.size()));
  }
  NEMO_RETURN_IF_ERROR(CheckAlive());
  if (in.empty()) return OkStatus();
  std::memmove(out.data() + in.size() * rank(), in.data(), in.size());
  return GatherRing({.operation = "all-gather", .deadline = NewDeadline()}, out);
}

/// `out` holds this rank's part in its place. Each step passes on the part that came in the step
/// before.
Status MessageComm::GatherRing(Exchange exchange, std::span<std::byte> out) {
  const size_t part_size = out.size() / size();
  exchange.to = (rank() + 1) % size();
  exchange.from = (rank() + size() - 1) % size();
  for (int step = 0; step + 1 < size(); ++step) {
    exchange.out = out.subspan(part_size * ((rank() + size() - step) % size()), part_size);
    exchange.in = out.subspan(part_size * ((rank() + size() - step - 1) % size()), part_size);
    NEMO_RETURN_IF_ERROR(Transfer(exchange));
  }
  return OkStatus();
}

/// A binomial tree: in each round the ranks that have the data double.
Status MessageComm::Broadcast(std::span<std::byte> data, int root) {
  if (root < 0 || root >= size()) {
    return InvalidArgument(Format("broadcast: root {} is outside a group of {}", root, size()));
  }
  NEMO_RETURN_IF_ERROR(CheckAlive());
  Exchange exchange{.operation = "broadcast", .deadline = NewDeadline()};
  const int relative = (rank() + size() - root) % size();
  for (int distance = 1; distance < size(); distance *= 2) {
    if (relative >= 2 * distance) continue;
    if (relative >= distance) {
      exchange.to = kNobody;
      exchange.from = (relative - distance + root) % size();
      exchange.in = data;
    } else if (relative + distance < size()) {
      exchange.to = (relative + distance + root) % size();
      exchange.out = data;
      exchange.from = kNobody;
    } else {
      continue;
    }
    NEMO_RETURN_IF_ERROR(Transfer(exchange));
  }
  return OkStatus();
}

Status MessageComm::Send(std::span<const std::byte> data, int peer) {
  NEMO_RETURN_IF_ERROR(CheckPeer("send", peer));
  NEMO_RETURN_IF_ERROR(CheckAlive());
  return Transfer({.operation = "send", .deadline = NewDeadline(), .to = peer, .out = data});
}

Status MessageComm::Recv(std::span<std::byte> data, int peer) {
  NEMO_RETURN_IF_ERROR(CheckPeer("receive", peer));
  NEMO_RETURN_IF_ERROR(CheckAlive());
  return Transfer({.operation = "receive", .deadline = NewDeadline(), .from = peer, .in = data});
}

Status MessageComm::Post(std::span<const std::byte> data, int peer) {
  NEMO_RETURN_IF_ERROR(CheckPeer("post", peer));
  NEMO_RETURN_IF_ERROR(CheckAlive());
  return Leave(data, peer);
}

/// In round d each rank tells the one 2^d after it; after log2(size) rounds everybody has heard of
/// everybody.
Status MessageComm::Barrier() {
  NEMO_RETURN_IF_ERROR(CheckAlive());
  const std::byte here{1};
  std::byte there{};
  Exchange exchange{.operation = "barrier",
                    .deadline = NewDeadline(),
                    .out = std::span(&here, 1),
                    .in = std::span(&there, 1)};
  for (int distance = 1; distance < size(); distance *= 2) {
    exchange.to = (rank() + distance) % size();
    exchange.from = (rank() + size() - distance) % size();
    NEMO_RETURN_IF_ERROR(Transfer(exchange));
  }
  return OkStatus();
}

Status MessageComm::CheckPeer(std::string_view operation, int peer) const {
  if (peer >= 0 && peer < size() && peer != rank()) return OkStatus();
  return InvalidArgument(
      Format("{}: rank {} of a group of {} has no peer {}", operation, rank(), size(), peer));
}

std::string MessageComm::LateText(const Exchange& exchange, bool sent, int world_rank,
                                  int world_peer) const {
  return Format(
      "{}: rank {} waited {} ms for rank {} {}; that rank is stuck, dead, or runs another program",
      exchange.operation, world_rank, deadline_ms_, world_peer, sent ? "to send" : "to receive");
}

Result<std::vector<int>> MessageComm::SplitMembers(int color, int key) {
  const std::pair<int, int> mine{color, key};
  std::vector<std::pair<int, int>> all(size());
  NEMO_RETURN_IF_ERROR(
      AllGather(std::as_bytes(std::span(&mine, 1)), std::as_writable_bytes(std::span(all))));
  std::vector<int> members;
  for (int peer = 0; peer < size(); ++peer) {
    if (all[peer].first == color) members.push_back(peer);
  }
  std::stable_sort(members.begin(), members.end(),
                   [&](int a, int b) { return all[a].second < all[b].second; });
  return members;
}

}  // namespace nemo
