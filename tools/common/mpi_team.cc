#include "tools/common/mpi_team.h"

#include <cstring>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "kernels/comm/mpi_comm.h"
#include "libcore/base/format.h"

namespace nemo {
namespace {

class MpiTeam : public Team {
 public:
  explicit MpiTeam(std::unique_ptr<Communicator> world) : world_(std::move(world)) {}
  int rank() const override { return world_->rank(); }
  int size() const override { return world_->size(); }

  Status Agree(const Status& mine) override {
    if (mine.ok()) return world_->Barrier();
    world_->Abort(Format("rank {}: {}", rank(), mine.message()));
    return mine;
  }

  Result<int64_t> Sum(int64_t mine) override {
    std::vector<int64_t> all(static_cast<size_t>(size()));
    NEMO_RETURN_IF_ERROR(world_->AllGather(std::as_bytes(std::span(&mine, 1)),
                                           std::as_writable_bytes(std::span(all))));
    return std::accumulate(all.begin(), all.end(), int64_t{0});
  }

 private:
  std::unique_ptr<Communicator> world_;
};

}  // namespace

Result<std::unique_ptr<Team>> MakeTeam() {
  if (!LaunchedByMpi()) return std::unique_ptr<Team>(std::make_unique<Alone>());
  NEMO_ASSIGN_OR_RETURN(std::unique_ptr<Communicator> world, MakeMpiWorld(kPatient));
  return std::unique_ptr<Team>(std::make_unique<MpiTeam>(std::move(world)));
}

}  // namespace nemo
