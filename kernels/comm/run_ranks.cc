#include "kernels/comm/run_ranks.h"

#include <mutex>
#include <thread>
#include <vector>

#include "kernels/comm/thread_comm.h"
#include "libcore/base/format.h"

namespace nemo {

Status RunRanks(int size, const std::function<Status(Communicator&)>& body,
                const CommOptions& options) {
  if (size < 1) return InvalidArgument(Format("cannot run {} ranks", size));
  std::vector<std::unique_ptr<Communicator>> comms = MakeThreadGroup(size, options);
  std::mutex mutex;
  Status first_error;
  const auto run = [&](std::unique_ptr<Communicator> comm) {
    const Status status = body(*comm).At(Format("rank {}", comm->rank()));
    if (status.ok()) return;
    {
      const std::lock_guard lock(mutex);
      if (first_error.ok()) first_error = status;
    }
    comm->Abort(status.message());
  };
  std::vector<std::thread> threads;
  for (int rank = 1; rank < size; ++rank) threads.emplace_back(run, std::move(comms[rank]));
  run(std::move(comms[0]));
  for (std::thread& thread : threads) thread.join();
  return first_error;
}

}  // namespace nemo
