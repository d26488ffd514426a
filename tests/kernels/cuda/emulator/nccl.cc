#include "tests/kernels/cuda/emulator/nccl.h"

#include <atomic>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "kernels/cuda/dynamic_library.h"
#include "tests/kernels/cuda/emulator/include/nccl.h"
#include "tests/kernels/cuda/emulator/runtime.h"

namespace nemo::simt {
namespace {

std::atomic<bool> has_nccl{false};

struct Message {
  const void* data;
  size_t size;
  bool is_taken = false;
};

/// The parts of one sum, by rank.
struct Sum {
  std::map<int, float*> parts;
  bool is_done = false;
};

struct World {
  std::mutex mutex;
  int size = 0, num_joined = 0;
  bool is_broken = false;  // a rank has aborted
  std::map<std::pair<int, int>, std::deque<std::shared_ptr<Message>>> messages;  // from, to
  std::set<std::pair<int, int>> connected;                                       // caller, peer
  std::map<int64_t, Sum> sums;
};

/// What outlives a communicator that is aborted while its calls are on a stream.
struct Member {
  std::shared_ptr<World> world;
  int rank = 0;
  int64_t num_sums = 0;
  int connecting_to = -1;
  bool is_aborted = false;
  ncclResult_t error = ncclSuccess;
};

std::mutex worlds_mutex;
std::map<int64_t, std::shared_ptr<World>> worlds;  // by the number in their id
int64_t num_ids = 0;

bool Fails(const char* function) { return Called(function) != cudaSuccess; }

}  // namespace

void SetNccl(bool is_there) { has_nccl = is_there; }

}  // namespace nemo::simt

using nemo::simt::EnqueueLate;
using nemo::simt::Fails;
using nemo::simt::Member;
using nemo::simt::Message;
using nemo::simt::Sum;
using nemo::simt::World;

struct ncclComm {
  std::shared_ptr<Member> member;
};

namespace {

/// The first call between two ranks ends when both have made one.
ncclResult_t Connect(Member& member, int peer) {
  World& world = *member.world;
  const std::lock_guard lock(world.mutex);
  if (peer < 0 || peer >= world.size || peer == member.rank) return ncclInvalidUsage;
  if (!world.connected.insert({member.rank, peer}).second) return ncclSuccess;
  member.connecting_to = peer;
  return ncclInProgress;
}

}  // namespace

ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  if (Fails("ncclGetUniqueId")) return ncclSystemError;
  const std::lock_guard lock(nemo::simt::worlds_mutex);
  const int64_t number = ++nemo::simt::num_ids;
  std::memset(id, 0, sizeof *id);
  std::memcpy(id->internal, &number, sizeof number);
  return ncclSuccess;
}

ncclResult_t ncclCommInitRankConfig(ncclComm_t* comm, int size, ncclUniqueId id, int rank,
                                    ncclConfig_t* config) {
  if (Fails("ncclCommInitRankConfig")) return ncclSystemError;
  if (config->blocking != 0) return ncclInvalidUsage;
  int64_t number = 0;
  std::memcpy(&number, id.internal, sizeof number);
  std::shared_ptr<World> world;
  {
    const std::lock_guard lock(nemo::simt::worlds_mutex);
    auto& found = nemo::simt::worlds[number];
    if (found == nullptr) found = std::make_shared<World>();
    world = found;
  }
  auto member = std::make_shared<Member>();
  member->world = world;
  member->rank = rank;
  *comm = new ncclComm{member};
  const std::lock_guard lock(world->mutex);
  world->size = size;
  ++world->num_joined;
  return ncclInProgress;
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t* state) {
  Member& member = *comm->member;
  World& world = *member.world;
  const std::lock_guard lock(world.mutex);
  const int peer = member.connecting_to;
  if (peer >= 0 && world.connected.contains({peer, member.rank})) member.connecting_to = -1;
  *state = member.error != ncclSuccess     ? member.error
           : world.is_broken               ? ncclRemoteError
           : world.num_joined < world.size ? ncclInProgress
           : member.connecting_to >= 0     ? ncclInProgress
                                           : ncclSuccess;
  return ncclSuccess;
}

ncclResult_t ncclCommAbort(ncclComm_t comm) {
  nemo::simt::Called("ncclCommAbort");
  {
    const std::lock_guard lock(comm->member->world->mutex);
    comm->member->is_aborted = true;
    comm->member->world->is_broken = true;
  }
  delete comm;
  return ncclSuccess;
}

ncclResult_t ncclCommDestroy(ncclComm_t comm) {
  delete comm;
  return ncclSuccess;
}

ncclResult_t ncclAllReduce(const void* from, void* to, size_t count, ncclDataType_t, ncclRedOp_t,
                           ncclComm_t comm, cudaStream_t stream) {
  if (Fails("ncclAllReduce")) return ncclSystemError;
  if (from != to) return ncclInvalidUsage;
  EnqueueLate(stream, [member = comm->member, data = static_cast<float*>(to), count,
                       index = int64_t{-1}]() mutable {
    World& world = *member->world;
    const std::lock_guard lock(world.mutex);
    if (member->is_aborted) return true;
    if (index < 0) {
      index = member->num_sums++;
      Sum& sum = world.sums[index];
      sum.parts[member->rank] = data;
      if (static_cast<int>(sum.parts.size()) == world.size) {
        for (size_t i = 0; i < count; ++i) {
          float total = 0;
          for (const auto& [rank, part] : sum.parts) total += part[i];
          for (const auto& [rank, part] : sum.parts) part[i] = total;
        }
        sum.is_done = true;
      }
    }
    return world.sums[index].is_done;
  });
  return ncclSuccess;
}

ncclResult_t ncclSend(const void* data, size_t count, ncclDataType_t, int peer, ncclComm_t comm,
                      cudaStream_t stream) {
  if (Fails("ncclSend")) return ncclSystemError;
  EnqueueLate(stream, [member = comm->member, peer, data, count,
                       message = std::shared_ptr<Message>()]() mutable {
    World& world = *member->world;
    const std::lock_guard lock(world.mutex);
    if (message == nullptr) {
      message = std::make_shared<Message>(Message{data, count});
      world.messages[{member->rank, peer}].push_back(message);
    }
    return message->is_taken || member->is_aborted;
  });
  return Connect(*comm->member, peer);
}

ncclResult_t ncclRecv(void* data, size_t count, ncclDataType_t, int peer, ncclComm_t comm,
                      cudaStream_t stream) {
  if (Fails("ncclRecv")) return ncclSystemError;
  EnqueueLate(stream, [member = comm->member, peer, data, count] {
    World& world = *member->world;
    const std::lock_guard lock(world.mutex);
    if (member->is_aborted) return true;
    auto& queue = world.messages[{peer, member->rank}];
    if (queue.empty()) return false;
    if (queue.front()->size != count) {
      member->error = ncclInvalidUsage;  // and the call never ends
      return false;
    }
    std::memcpy(data, queue.front()->data, count);
    queue.front()->is_taken = true;
    queue.pop_front();
    return true;
  });
  return Connect(*comm->member, peer);
}

const char* ncclGetErrorString(ncclResult_t result) {
  switch (result) {
    case ncclSystemError:
      return "unhandled system error";
    case ncclInvalidUsage:
      return "invalid usage";
    case ncclRemoteError:
      return "remote process exited or there was a network error";
    default:
      return "no error";
  }
}

const char* ncclGetLastError(ncclComm_t) { return "said by the emulator"; }

namespace nemo::cuda {

// In place of dynamic_library.cc: this system has no libraries but, at times, NCCL.
Result<DynamicLibrary> DynamicLibrary::Open(const std::string& name, const std::string& what) {
  if (simt::has_nccl && name == "libnccl.so.2") return DynamicLibrary(nullptr, name);
  return Unavailable(what + " is not here: the emulator has none");
}

void* DynamicLibrary::FindSymbol(const char* name) const {
  static const std::map<std::string, void*> functions = {
#define NEMO_SYMBOL(function) {#function, reinterpret_cast<void*>(&function)}
      NEMO_SYMBOL(ncclGetUniqueId),
      NEMO_SYMBOL(ncclCommInitRankConfig),
      NEMO_SYMBOL(ncclCommGetAsyncError),
      NEMO_SYMBOL(ncclCommAbort),
      NEMO_SYMBOL(ncclCommDestroy),
      NEMO_SYMBOL(ncclAllReduce),
      NEMO_SYMBOL(ncclSend),
      NEMO_SYMBOL(ncclRecv),
      NEMO_SYMBOL(ncclGetErrorString),
      NEMO_SYMBOL(ncclGetLastError),
#undef NEMO_SYMBOL
  };
  const auto found = functions.find(name);
  return found == functions.end() ? nullptr : found->second;
}

Status DynamicLibrary::Missing(const char* name) const {
  return Unavailable(name_ + " has no function " + name);
}

}  // namespace nemo::cuda
