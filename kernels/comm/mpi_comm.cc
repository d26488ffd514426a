#include "kernels/comm/mpi_comm.h"

#include <cstdlib>

#include "libcore/base/format.h"

#ifdef NEMO_MPI
// The C++ interface of old is not wanted.
#define OMPI_SKIP_MPICXX 1
#define MPICH_SKIP_MPICXX 1
#include <algorithm>
#include <chrono>
#include <iterator>
#include <list>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

#include <mpi.h>

#include "kernels/comm/backoff.h"
#include "kernels/comm/message_comm.h"
#include "kernels/comm/peer_watch.h"
#include "libcore/base/progress.h"
#endif

namespace nemo {

namespace {

/// What the launcher has put there; null: there was none.
const char* RankInEnvironment() {
  for (const char* name :
       {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "MV2_COMM_WORLD_RANK"}) {
    if (const char* text = std::getenv(name)) return text;
  }
  return nullptr;
}

}  // namespace

bool LaunchedByMpi() { return RankInEnvironment() != nullptr; }

int LaunchRank() {
  const char* text = RankInEnvironment();
  return text == nullptr ? 0 : std::atoi(text);
}

#ifdef NEMO_MPI
namespace {

constexpr int64_t kMaxMessageBytes = int64_t{1} << 30;  // MPI counts are int
/// Under srun Open MPI may let a rank out of MPI_Init while another still waits in it for its first
/// fence; a message that reaches that one then ends it by signal 11, for it has nobody yet to give
/// it to (seen with 4.1.4 once in 70 starts of more ranks than cores; open-mpi/ompi issue 12495 has
/// it for 5.0.3). Nothing tells a rank that the others are out without sending it a message, so the
/// first message waits this long.
constexpr std::chrono::milliseconds kSrunHeadStart{200};
constexpr int kExitPeer = 4;  // the tools' exit code for devices and peers

Status MpiError(std::string_view what, int code) {
  char text[MPI_MAX_ERROR_STRING] = "";
  int length = 0;
  MPI_Error_string(code, text, &length);
  return Unavailable(Format("{}: {}", what, std::string_view(text, length)));
}

/// The process's part in the MPI world: whether it was aborted, and how the others hear of it. A
/// reason travels as a message on a communicator of its own, which every waiting rank looks at.
class World {
 public:
  static World& Get() {
    static auto* world = new World;  // outlives the handlers that run at exit
    return *world;
  }

  /// Starts MPI unless it runs.
  Status Start() {
    if (control_ != MPI_COMM_NULL) return OkStatus();
    int provided = 0;
    if (const int code = MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &provided)) {
      return MpiError("MPI does not start", code);
    }
    if (std::getenv("SLURM_STEP_ID") != nullptr) std::this_thread::sleep_for(kSrunHeadStart);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    if (const int code = MPI_Comm_dup(MPI_COMM_WORLD, &control_)) {
      return MpiError("MPI_Comm_dup", code);
    }
    if (const int code = WatchPeers()) return MpiError("MPI_Comm_split_type", code);
    std::atexit([] { World::Get().Finalize(kExitPeer); });
    if (provided < MPI_THREAD_SERIALIZED) {
      return Unavailable(
          "this MPI does not allow calls from threads other than the main one; "
          "it must be built with MPI_THREAD_SERIALIZED");
    }
    return OkStatus();
  }

  void Abort(const std::string& reason) {
    if (is_aborted_) return;
    is_aborted_ = true;
    reason_ = reason;
    int size = 0;
    MPI_Comm_size(control_, &size);
    const auto send = [&](auto how, int peer, MPI_Request* request) {
      how(reason_.data(), static_cast<int>(reason_.size()), MPI_CHAR, peer, 0, control_, request);
    };
    std::vector<MPI_Request> requests;
    for (int peer = 1; peer < size; ++peer) {
      if (peer != Rank()) send(MPI_Isend, peer, &requests.emplace_back());
    }
    MPI_Request to_first = MPI_REQUEST_NULL;
    // Is through when it is received, not when it has left.
    if (Rank() != 0) send(MPI_Issend, 0, &to_first);
    // The text is short, so it leaves at once; a peer that is gone must not keep this one waiting.
    WaitFor(requests, std::chrono::milliseconds(100));
    first_rank_knows_ = WaitFor(std::span(&to_first, 1), std::chrono::milliseconds(500));
  }

  bool first_rank_knows() const { return first_rank_knows_; }

  Status CheckAlive() {
    if (!is_aborted_) ReadReason();
    return is_aborted_ ? Unavailable(reason_) : OkStatus();
  }

  /// Aborts when a rank of this machine has died; this one waits for `peer`.
  Status CheckPeers(std::string_view operation, int peer) {
    const std::optional<PeerProcess> dead = watch_.FindDead();
    if (!dead) return OkStatus();
    Abort(Format("{}: rank {} (process {}) has died; rank {} waited for rank {}", operation,
                 dead->rank, dead->pid, Rank(), peer));
    return CheckAlive();
  }

  /// The same for a rank that is alone in its group, and so never waits for anybody.
  Status CheckOthers() {
    NEMO_RETURN_IF_ERROR(CheckAlive());
    const std::optional<PeerProcess> dead = watch_.FindDead();
    if (!dead) return OkStatus();
    Abort(Format("rank {} (process {}) has died; rank {} was at work", dead->rank, dead->pid,
                 Rank()));
    return CheckAlive();
  }

  /// Takes a message under way, to world rank `peer`, into its care.
  void Keep(std::vector<std::byte> data, MPI_Request request, int peer, int64_t deadline_ms) {
    posted_.push_back({std::move(data), request, peer, deadline_ms,
                       std::chrono::steady_clock::now() + std::chrono::milliseconds(deadline_ms)});
  }

  /// Moves the posted messages on and forgets those that arrived.
  Status CheckPosted() {
    for (auto posted = posted_.begin(); posted != posted_.end();) {
      int is_sent = 0;
      const int code = MPI_Test(&posted->request, &is_sent, MPI_STATUS_IGNORE);
      if (code != MPI_SUCCESS ||
          (is_sent == 0 && std::chrono::steady_clock::now() > posted->deadline)) {
        Abort(code != MPI_SUCCESS
                  ? MpiError(Format("post: rank {} cannot send to rank {}", Rank(), posted->peer),
                             code)
                        .message()
                  : Format("post: rank {} waited {} ms for rank {} to receive; that rank is "
                           "stuck, dead, or runs another program",
                           Rank(), posted->deadline_ms, posted->peer));
        return CheckAlive();
      }
      posted = is_sent != 0 ? posted_.erase(posted) : std::next(posted);
    }
    return OkStatus();
  }

  void Finalize(int exit_code) {
    int is_finalized = 0;
    MPI_Finalized(&is_finalized);
    if (control_ == MPI_COMM_NULL || is_finalized != 0) return;
    while (!is_aborted_ && !posted_.empty() && CheckPosted().ok()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    if (is_aborted_) {
      std::this_thread::sleep_for(std::chrono::milliseconds(500));
      MPI_Abort(MPI_COMM_WORLD, exit_code);
    }
    MPI_Finalize();
  }

 private:
  /// True: all are through.
  static bool WaitFor(std::span<MPI_Request> requests, std::chrono::milliseconds limit) {
    const auto end = std::chrono::steady_clock::now() + limit;
    while (true) {
      int all_sent = 0;
      MPI_Testall(static_cast<int>(requests.size()), requests.data(), &all_sent,
                  MPI_STATUSES_IGNORE);
      if (all_sent != 0 || std::chrono::steady_clock::now() > end) return all_sent != 0;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

  int Rank() const {
    int rank = 0;
    MPI_Comm_rank(control_, &rank);
    return rank;
  }

  /// Learns the processes of this machine's ranks.
  int WatchPeers() {
    MPI_Comm machine = MPI_COMM_NULL;
    if (const int code =
            MPI_Comm_split_type(control_, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &machine)) {
      return code;
    }
    int size = 0, rank = 0;
    MPI_Comm_size(machine, &size);
    MPI_Comm_rank(control_, &rank);
    const PeerProcess mine = {rank, getpid()};
    std::vector<PeerProcess> all(size);
    const int code =
        MPI_Allgather(&mine, sizeof(mine), MPI_BYTE, all.data(), sizeof(mine), MPI_BYTE, machine);
    MPI_Comm_free(&machine);
    if (code == MPI_SUCCESS) watch_ = PeerWatch(all);
    return code;
  }

  void ReadReason() {
    int is_there = 0;
    MPI_Status status;
    if (MPI_Iprobe(MPI_ANY_SOURCE, 0, control_, &is_there, &status) != MPI_SUCCESS || !is_there) {
      return;
    }
    int length = 0;
    MPI_Get_count(&status, MPI_CHAR, &length);
    reason_.resize(length);
    MPI_Recv(reason_.data(), length, MPI_CHAR, status.MPI_SOURCE, 0, control_, MPI_STATUS_IGNORE);
    is_aborted_ = true;
  }

  struct Posted {
    std::vector<std::byte> data;
    MPI_Request request;
    int peer;
    int64_t deadline_ms;
    std::chrono::steady_clock::time_point deadline;
  };

  MPI_Comm control_ = MPI_COMM_NULL;
  std::list<Posted> posted_;
  PeerWatch watch_;
  bool is_aborted_ = false;
  bool first_rank_knows_ = true;  // the reason, as far as this rank had to tell it
  std::string reason_;
};

/// Its MPI communicator is not freed before MPI_Finalize: freeing is collective, and a rank that
/// leaves because of an error must not wait for the others.
class MpiComm final : public MessageComm {
 public:
  MpiComm(MPI_Comm comm, const CommOptions& options)
      : MessageComm(options.deadline_ms), options_(options), comm_(comm) {
    MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN);
    MPI_Comm_rank(comm_, &rank_);
    MPI_Comm_size(comm_, &size_);
    MPI_Group mine, all;
    MPI_Comm_group(comm_, &mine);
    MPI_Comm_group(MPI_COMM_WORLD, &all);
    std::vector<int> ranks(size_);
    for (int rank = 0; rank < size_; ++rank) ranks[rank] = rank;
    world_ranks_.resize(size_);
    MPI_Group_translate_ranks(mine, size_, ranks.data(), all, world_ranks_.data());
    MPI_Group_free(&mine);
    MPI_Group_free(&all);
  }

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  void Abort(const std::string& reason) override { World::Get().Abort(reason); }

  Result<std::unique_ptr<Communicator>> Split(int color, int key) override {
    // Creating a group by its members involves only them, after an exchange that has a deadline.
    NEMO_ASSIGN_OR_RETURN(const std::vector<int> members, SplitMembers(color, key));
    MPI_Group all, mine;
    MPI_Comm_group(comm_, &all);
    MPI_Group_incl(all, static_cast<int>(members.size()), members.data(), &mine);
    MPI_Comm child = MPI_COMM_NULL;
    const int code = MPI_Comm_create_group(comm_, mine, 0, &child);
    MPI_Group_free(&mine);
    MPI_Group_free(&all);
    if (code != MPI_SUCCESS) return Fail(MpiError("split", code).message());
    return std::unique_ptr<Communicator>(std::make_unique<MpiComm>(child, options_));
  }

 protected:
  Status CheckAlive() override {
    return size_ == 1 ? World::Get().CheckOthers() : World::Get().CheckAlive();
  }

  Status Leave(std::span<const std::byte> data, int peer) override {
    for (size_t begin = 0; begin == 0 || begin < data.size(); begin += kMaxMessageBytes) {
      const auto piece =
          data.subspan(begin, std::min<size_t>(kMaxMessageBytes, data.size() - begin));
      std::vector<std::byte> copy(piece.begin(), piece.end());
      MPI_Request request = MPI_REQUEST_NULL;
      if (const int code = MPI_Isend(copy.data(), static_cast<int>(copy.size()), MPI_BYTE, peer, 0,
                                     comm_, &request)) {
        return Fail(MpiError(Format("post: rank {} cannot send to rank {}", WorldRank(rank_),
                                    WorldRank(peer)),
                             code)
                        .message());
      }
      World::Get().Keep(std::move(copy), request, WorldRank(peer), deadline_ms());
    }
    return World::Get().CheckPosted();
  }

  Status Transfer(const Exchange& exchange) override {
    Exchange piece = exchange;
    const auto cut = [](auto bytes, size_t begin) {
      begin = std::min(begin, bytes.size());
      return bytes.subspan(begin, std::min<size_t>(kMaxMessageBytes, bytes.size() - begin));
    };
    const size_t total = std::max(exchange.out.size(), exchange.in.size());
    for (size_t begin = 0; begin == 0 || begin < total; begin += kMaxMessageBytes) {
      piece.out = cut(exchange.out, begin);
      piece.in = cut(exchange.in, begin);
      if (begin > 0 && piece.out.empty()) piece.to = kNobody;
      if (begin > 0 && piece.in.empty()) piece.from = kNobody;
      NEMO_RETURN_IF_ERROR(TransferPiece(piece));
    }
    return OkStatus();
  }

 private:
  enum { kReceive, kSend };

  Status TransferPiece(const Exchange& exchange) {
    MPI_Request requests[2] = {MPI_REQUEST_NULL, MPI_REQUEST_NULL};
    int code = MPI_SUCCESS;
    if (exchange.from != kNobody) {
      code = MPI_Irecv(exchange.in.data(), static_cast<int>(exchange.in.size()), MPI_BYTE,
                       exchange.from, 0, comm_, &requests[kReceive]);
    }
    if (code == MPI_SUCCESS && exchange.to != kNobody) {
      code = MPI_Isend(exchange.out.data(), static_cast<int>(exchange.out.size()), MPI_BYTE,
                       exchange.to, 0, comm_, &requests[kSend]);
    }
    Status status =
        code == MPI_SUCCESS
            ? Wait(exchange, requests)
            : Fail(MpiError(Format("{}: rank {}", exchange.operation, WorldRank(rank_)), code)
                       .message());
    if (!status.ok()) GiveUp(requests);
    return status;
  }

  Status Wait(const Exchange& exchange, MPI_Request (&requests)[2]) {
    for (Backoff backoff;; backoff.Pause()) {
      int is_received = 0, is_sent = 0;
      MPI_Status arrival;
      const bool receives = requests[kReceive] != MPI_REQUEST_NULL;
      if (const int code = MPI_Test(&requests[kReceive], &is_received, &arrival)) {
        return FailReceive(exchange, MpiError("message refused", code).message());
      }
      if (receives && is_received != 0) NEMO_RETURN_IF_ERROR(CheckSize(exchange, arrival));
      if (const int code = MPI_Test(&requests[kSend], &is_sent, MPI_STATUS_IGNORE)) {
        return Fail(MpiError(Format("{}: rank {} cannot send to rank {}", exchange.operation,
                                    WorldRank(rank_), WorldRank(exchange.to)),
                             code)
                        .message());
      }
      if (is_received != 0 && is_sent != 0) return OkStatus();
      NEMO_RETURN_IF_ERROR(CheckAlive());
      NEMO_RETURN_IF_ERROR(World::Get().CheckPosted());
      const int peer = WorldRank(is_received != 0 ? exchange.to : exchange.from);
      NEMO_RETURN_IF_ERROR(World::Get().CheckPeers(exchange.operation, peer));
      NEMO_RETURN_IF_ERROR(CheckStop(exchange, peer));
      if (Clock::now() < exchange.deadline) continue;
      return Fail(LateText(exchange, is_received == 0, WorldRank(rank_), peer));
    }
  }

  /// See CommOptions::stop_patience_ms.
  Status CheckStop(const Exchange& exchange, int peer) {
    if (!StopRequested()) return OkStatus();
    const Clock::time_point now = Clock::now();
    if (!stop_seen_) stop_seen_ = now;
    if (now - *stop_seen_ < std::chrono::milliseconds(options_.stop_patience_ms)) return OkStatus();
    return Fail(Format("{}: rank {} was stopped by signal {} while it waited for rank {}",
                       exchange.operation, WorldRank(rank_), StopSignal(), peer));
  }

  Status CheckSize(const Exchange& exchange, const MPI_Status& arrival) {
    int size = 0;
    MPI_Get_count(&arrival, MPI_BYTE, &size);
    if (static_cast<size_t>(size) == exchange.in.size()) return OkStatus();
    return FailReceive(exchange, Format("it sent {}", size));
  }

  Status FailReceive(const Exchange& exchange, std::string_view why) {
    return Fail(Format(
        "{}: rank {} expected {} bytes from rank {}: {}; their programs or layouts differ",
        exchange.operation, WorldRank(rank_), exchange.in.size(), WorldRank(exchange.from), why));
  }

  Status Fail(const std::string& reason) {
    Abort(reason);
    return CheckAlive();
  }

  /// The world is aborted and MPI is not called again, so a send left behind does no harm.
  static void GiveUp(MPI_Request (&requests)[2]) {
    if (requests[kReceive] != MPI_REQUEST_NULL) MPI_Cancel(&requests[kReceive]);
    for (MPI_Request& request : requests) {
      if (request != MPI_REQUEST_NULL) MPI_Request_free(&request);
    }
  }

  int WorldRank(int rank) const { return world_ranks_[rank]; }

  const CommOptions options_;
  MPI_Comm comm_;
  int rank_ = 0, size_ = 1;
  std::vector<int> world_ranks_;
  std::optional<Clock::time_point> stop_seen_;
};

}  // namespace

Result<std::unique_ptr<Communicator>> MakeMpiWorld(const CommOptions& options) {
  NEMO_RETURN_IF_ERROR(World::Get().Start());
  MPI_Comm comm = MPI_COMM_NULL;
  if (const int code = MPI_Comm_dup(MPI_COMM_WORLD, &comm)) return MpiError("MPI_Comm_dup", code);
  return std::unique_ptr<Communicator>(std::make_unique<MpiComm>(comm, options));
}

bool FirstRankKnows() { return World::Get().first_rank_knows(); }

void FinalizeMpi(int exit_code) { World::Get().Finalize(exit_code); }

#else

Result<std::unique_ptr<Communicator>> MakeMpiWorld(const CommOptions&) {
  return Unsupported(
      "this build has no MPI; build with an MPI installed, or run all ranks as threads of "
      "one process by starting the tool without a launcher");
}

bool FirstRankKnows() { return true; }

void FinalizeMpi(int) {}

#endif

}  // namespace nemo
