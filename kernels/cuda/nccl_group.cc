#include "kernels/cuda/nccl_group.h"

#ifdef NEMO_NCCL

#include <chrono>
#include <cstring>
#include <string>
#include <thread>

#include <nccl.h>

#include "kernels/cuda/dynamic_library.h"
#include "libcore/base/format.h"

namespace nemo::cuda {
namespace {

static_assert(sizeof(ncclUniqueId) == std::tuple_size_v<NcclId>);

struct Functions {
  decltype(ncclGetUniqueId)* get_unique_id;
  decltype(ncclCommInitRankConfig)* init_rank;
  decltype(ncclCommGetAsyncError)* get_async_error;
  decltype(ncclCommAbort)* abort;
  decltype(ncclCommDestroy)* destroy;
  decltype(ncclAllReduce)* all_reduce;
  decltype(ncclSend)* send;
  decltype(ncclRecv)* recv;
  decltype(ncclGetErrorString)* error_string;
  decltype(ncclGetLastError)* last_error;
};

Result<Functions> Load() {
  NEMO_ASSIGN_OR_RETURN(const DynamicLibrary library,
                        DynamicLibrary::Open(Format("libnccl.so.{}", NCCL_MAJOR), "NCCL"));
  Functions f = {};
  NEMO_RETURN_IF_ERROR(library.Find("ncclGetUniqueId", &f.get_unique_id));
  NEMO_RETURN_IF_ERROR(library.Find("ncclCommInitRankConfig", &f.init_rank));
  NEMO_RETURN_IF_ERROR(library.Find("ncclCommGetAsyncError", &f.get_async_error));
  NEMO_RETURN_IF_ERROR(library.Find("ncclCommAbort", &f.abort));
  NEMO_RETURN_IF_ERROR(library.Find("ncclCommDestroy", &f.destroy));
  NEMO_RETURN_IF_ERROR(library.Find("ncclAllReduce", &f.all_reduce));
  NEMO_RETURN_IF_ERROR(library.Find("ncclSend", &f.send));
  NEMO_RETURN_IF_ERROR(library.Find("ncclRecv", &f.recv));
  NEMO_RETURN_IF_ERROR(library.Find("ncclGetErrorString", &f.error_string));
  NEMO_RETURN_IF_ERROR(library.Find("ncclGetLastError", &f.last_error));
  return f;
}

class Group final : public NcclGroup {
 public:
  Group(const Functions& functions, const std::string& name, int64_t deadline_ms)
      : f_(functions), name_(name), deadline_ms_(deadline_ms) {}
  ~Group() override {
    if (comm_ != nullptr) f_.destroy(comm_);
  }

  Status Start(const NcclId& id, int rank, int size) {
    ncclUniqueId unique;
    std::memcpy(&unique, id.data(), sizeof unique);
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 0;  // so that a peer that does not come ends at the deadline
    return Wait(f_.init_rank(&comm_, size, unique, rank, &config), "start");
  }

  Status AllReduceSum(float* data, int64_t count, cudaStream_t stream) override {
    if (comm_ == nullptr) return Unavailable("NCCL: the group has ended");
    return Wait(
        f_.all_reduce(data, data, static_cast<size_t>(count), ncclFloat32, ncclSum, comm_, stream),
        "all-reduce");
  }

  Status Send(const void* data, int64_t size_bytes, int peer, cudaStream_t stream) override {
    if (comm_ == nullptr) return Unavailable("NCCL: the group has ended");
    return Wait(f_.send(data, static_cast<size_t>(size_bytes), ncclInt8, peer, comm_, stream),
                "send");
  }

  Status Recv(void* data, int64_t size_bytes, int peer, cudaStream_t stream) override {
    if (comm_ == nullptr) return Unavailable("NCCL: the group has ended");
    return Wait(f_.recv(data, static_cast<size_t>(size_bytes), ncclInt8, peer, comm_, stream),
                "receive");
  }

  Status Check() override {
    if (comm_ == nullptr) return Unavailable("NCCL: the group has ended");
    ncclResult_t state = ncclSuccess;
    const ncclResult_t asked = f_.get_async_error(comm_, &state);
    if (asked != ncclSuccess) return Error(asked, "state");
    return state == ncclSuccess || state == ncclInProgress ? OkStatus() : Error(state, "state");
  }

  void Abort() override {
    if (comm_ != nullptr) f_.abort(comm_);
    comm_ = nullptr;
  }

 private:
  Status Error(ncclResult_t result, const char* what) const {
    return Unavailable(
        Format("NCCL {}, {}: {}; {}", what, name_, f_.error_string(result), f_.last_error(comm_)));
  }

  /// Until a call that may go on in the background is done. One that fails ends the group.
  Status Wait(ncclResult_t result, const char* what) {
    const Status done = Poll(result, what);
    if (!done.ok()) Abort();
    return done;
  }

  Status Poll(ncclResult_t result, const char* what) {
    const auto deadline =
        std::chrono::steady_clock::now() + std::chrono::milliseconds(deadline_ms_);
    while (result == ncclInProgress) {
      if (std::chrono::steady_clock::now() > deadline) {
        return Unavailable(
            Format("NCCL {}, {}: waited {} ms for the others", what, name_, deadline_ms_));
      }
      std::this_thread::sleep_for(std::chrono::microseconds(50));
      const ncclResult_t asked = f_.get_async_error(comm_, &result);
      if (asked != ncclSuccess) return Error(asked, what);
    }
    return result == ncclSuccess ? OkStatus() : Error(result, what);
  }

  const Functions f_;
  const std::string name_;
  const int64_t deadline_ms_;
  ncclComm_t comm_ = nullptr;
};

}  // namespace

Status FindNccl() { return Load().error(); }

Result<NcclId> NewNcclId() {
  NEMO_ASSIGN_OR_RETURN(const Functions functions, Load());
  ncclUniqueId unique;
  const ncclResult_t result = functions.get_unique_id(&unique);
  if (result != ncclSuccess) {
    return Unavailable(Format("ncclGetUniqueId: {}", functions.error_string(result)));
  }
  NcclId id;
  std::memcpy(id.data(), &unique, id.size());
  return id;
}

Result<std::unique_ptr<NcclGroup>> JoinNccl(const NcclId& id, int rank, int size,
                                            const std::string& name, int64_t deadline_ms) {
  NEMO_ASSIGN_OR_RETURN(const Functions functions, Load());
  auto group = std::make_unique<Group>(functions, name, deadline_ms);
  NEMO_RETURN_IF_ERROR(group->Start(id, rank, size));
  return std::unique_ptr<NcclGroup>(std::move(group));
}

}  // namespace nemo::cuda

#else  // its header was not there when this was built

namespace nemo::cuda {

Status FindNccl() { return Unavailable("this build has no NCCL"); }

Result<NcclId> NewNcclId() { return Unavailable("this build has no NCCL"); }

Result<std::unique_ptr<NcclGroup>> JoinNccl(const NcclId&, int, int, const std::string&, int64_t) {
  return Unavailable("this build has no NCCL");
}

}  // namespace nemo::cuda

#endif
