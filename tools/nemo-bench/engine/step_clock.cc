#include "tools/nemo-bench/engine/step_clock.h"

#include "libcore/base/format.h"
#include "libcore/base/progress.h"
#include "tools/nemo-bench/measure/repeat.h"

namespace nemo {

Status Clock(Engine& engine, const EngineBenchOptions& options, const std::function<Status()>& step,
             StepTimes* times) {
  if (StopRequested()) return IoError(Format("stopped by signal {}", StopSignal()));
  Communicator& world = engine.world();
  if (world.size() > 1) NEMO_RETURN_IF_ERROR(world.Barrier());
  const Stopwatch watch;
  NEMO_RETURN_IF_ERROR(step());
  if (world.size() > 1) NEMO_RETURN_IF_ERROR(world.Barrier());
  const double wall = watch.wall_seconds();
  double cpu = watch.cpu_seconds();
  if (options.processes) {
    NEMO_ASSIGN_OR_RETURN(cpu, SumOverRanks(world, cpu));
  }
  if (times != nullptr) {
    times->wall.push_back(wall);
    times->cpu.push_back(cpu);
  }
  return OkStatus();
}

}  // namespace nemo
