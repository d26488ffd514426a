#include "libcore/base/progress.h"

#include <atomic>

namespace nemo {
namespace {

class Silence : public Progress {
 public:
  void Start(std::string_view, int64_t, std::string_view) override {}
  void Add(int64_t) override {}
  void Finish() override {}
};

std::atomic<int> stop_signal{0};
static_assert(std::atomic<int>::is_always_lock_free);

}  // namespace

Progress& NullProgress() {
  static Silence silence;
  return silence;
}

bool StopRequested() { return stop_signal.load(std::memory_order_relaxed) != 0; }
void RequestStop(int signal_number) { stop_signal.store(signal_number, std::memory_order_relaxed); }
int StopSignal() { return stop_signal.load(std::memory_order_relaxed); }

}  // namespace nemo
