#include "tests/kernels/cuda/emulator/simt.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <numeric>
#include <random>
#include <vector>

#include "libcore/runtime/math.h"

// Saves the registers that a call keeps and the stack pointer to *save, and takes on those at
// `load`. System V AMD64 calling convention.
extern "C" void nemo_simt_switch(void** save, void* load);
asm(R"(
.text
.globl nemo_simt_switch
.type nemo_simt_switch, @function
nemo_simt_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size nemo_simt_switch, . - nemo_simt_switch
)");

namespace nemo::simt {
namespace {

constexpr size_t kStackBytes = 128 << 10;
constexpr size_t kMaxSharedBytes = 227 << 10;
constexpr int kSavedRegisters = 6;

std::atomic<Order> order_of_threads{Order::kForward};

[[noreturn]] void Die(const char* what, std::string_view detail) {
  std::fprintf(stderr, "emulated kernel: %s%.*s\n", what, static_cast<int>(detail.size()),
               detail.data());
  std::abort();
}

struct Copy {
  void* to;
  const void* from;
  size_t size;

  void Do() const {
    std::memset(to, 0, 16);
    if (size > 0) std::memcpy(to, from, size);
  }
};

enum class State { kReady, kAtBlock, kAtWarp, kDone };

struct Fiber {
  std::unique_ptr<std::byte[]> stack;
  void* top = nullptr;
  State state = State::kDone;
  std::string_view operation;
  int64_t num_exchanges = 0;
  std::deque<std::vector<Copy>> groups;  // committed, the oldest first
  std::vector<Copy> open_group;
};

/// Two sets of slots take turns: no lane can be two exchanges ahead of another.
struct Warp {
  std::byte slots[2][kWarpLanes][kSlotBytes];
};

class Machine {
 public:
  static Machine& Get() {
    static thread_local Machine machine;
    return machine;
  }

  void RunBlock(int threads, const std::function<void()>& kernel) {
    kernel_ = &kernel;
    num_threads_ = threads;
    Prepare();
    while (num_done_ < num_threads_) {
      // A warp runs as far as it can before the next one begins: nothing but a barrier may keep one
      // warp from running ahead of another.
      bool moved = false;
      Arrange(warp_sequence_);
      for (const int warp : warp_sequence_) {
        while (RunWarp(warp)) moved = true;
      }
      moved |= ReleaseBlock();
      if (!moved) Die("the threads of a block wait at different barriers", "");
    }
  }

  void Wait(State state, std::string_view operation) {
    Fiber& fiber = fibers_[current_];
    fiber.state = state;
    fiber.operation = operation;
    nemo_simt_switch(&fiber.top, scheduler_);
  }

  const std::byte* Exchange(std::string_view operation, const void* mine, size_t size) {
    if (size > kSlotBytes) Die("too much for one exchange: ", operation);
    Fiber& fiber = fibers_[current_];
    auto& slots = warps_[current_ / kWarpLanes].slots[fiber.num_exchanges++ % 2];
    std::memcpy(slots[current_ % kWarpLanes], mine, size);
    Wait(State::kAtWarp, operation);
    return slots[0];
  }

  Fiber& current() { return fibers_[current_]; }
  bool FlipsACoin() {
    return order_of_threads.load(std::memory_order_relaxed) == Order::kShuffled &&
           random_() % 2 == 0;
  }
  std::byte* shared() { return shared_.data() + shared_offset_; }

  Index thread, block, grid;

 private:
  void Prepare() {
    if (std::ssize(fibers_) < num_threads_) fibers_.resize(num_threads_);
    warps_.resize((num_threads_ + kWarpLanes - 1) / kWarpLanes);
    if (shared_.empty()) {
      shared_.resize(kMaxSharedBytes + 128);
      shared_offset_ = 128 - reinterpret_cast<uintptr_t>(shared_.data()) % 128;
    }
    std::fill(shared_.begin(), shared_.end(), std::byte{0xff});
    warp_sequence_.resize(warps_.size());
    std::iota(warp_sequence_.begin(), warp_sequence_.end(), 0);
    lane_sequence_.resize(kWarpLanes);
    std::iota(lane_sequence_.begin(), lane_sequence_.end(), 0);
    Arrange(lane_sequence_);
    num_done_ = 0;
    for (int i = 0; i < num_threads_; ++i) Start(fibers_[i]);
  }

  /// Puts 0, 1, ... in the order that the test has chosen.
  void Arrange(std::vector<int>& sequence) {
    const Order order = order_of_threads.load(std::memory_order_relaxed);
    if (order == Order::kForward) return;
    std::sort(sequence.begin(), sequence.end(), std::greater<int>());
    if (order == Order::kShuffled) std::shuffle(sequence.begin(), sequence.end(), random_);
  }

  /// Runs the lanes that are ready up to their next wait. False: there were none.
  bool RunWarp(int warp) {
    bool moved = false;
    for (const int lane : lane_sequence_) {
      const int i = warp * kWarpLanes + lane;
      if (i >= num_threads_ || fibers_[i].state != State::kReady) continue;
      moved = true;
      Resume(i);
    }
    return ReleaseWarp(warp) || moved;
  }

  /// The stack as if Enter had been interrupted at its first instruction.
  static void Start(Fiber& fiber) {
    if (fiber.stack == nullptr) fiber.stack = std::make_unique<std::byte[]>(kStackBytes);
    auto end = reinterpret_cast<uintptr_t>(fiber.stack.get() + kStackBytes) & ~uintptr_t{15};
    auto* top = reinterpret_cast<void**>(end) - 2 - kSavedRegisters;
    std::fill(top, top + kSavedRegisters, nullptr);
    top[kSavedRegisters] = reinterpret_cast<void*>(&Machine::Enter);
    fiber.top = top;
    fiber.state = State::kReady;
    fiber.num_exchanges = 0;
  }

  static void Enter() {
    Machine& machine = Get();
    (*machine.kernel_)();
    Fiber& fiber = machine.current();
    if (!fiber.groups.empty() || !fiber.open_group.empty()) {
      Die("a thread left with copies to shared memory under way", "");
    }
    ++machine.num_done_;
    machine.Wait(State::kDone, "the end");
    Die("a thread went on behind its end", "");
  }

  void Resume(int i) {
    current_ = i;
    thread.x = static_cast<unsigned>(i);
    nemo_simt_switch(&scheduler_, fibers_[i].top);
  }

  /// Whether all of [begin, end) wait at `state`; some at another kind is no error yet.
  bool AllAt(State state, int begin, int end) const {
    int there = 0, gone = 0;
    for (int i = begin; i < end; ++i) {
      there += fibers_[i].state == state ? 1 : 0;
      gone += fibers_[i].state == State::kDone ? 1 : 0;
    }
    if (there > 0 && there + gone == end - begin && gone > 0) {
      Die("threads wait for others that have left: ", fibers_[begin].operation);
    }
    return there == end - begin;
  }

  bool ReleaseWarp(int warp) {
    const int begin = warp * kWarpLanes, end = std::min(begin + kWarpLanes, num_threads_);
    if (!AllAt(State::kAtWarp, begin, end)) return false;
    for (int i = begin; i < end; ++i) {
      if (fibers_[i].operation != fibers_[begin].operation) {
        Die("the lanes of a warp differ: ", fibers_[i].operation);
      }
      fibers_[i].state = State::kReady;
    }
    return true;
  }

  bool ReleaseBlock() {
    if (num_done_ == num_threads_ || !AllAt(State::kAtBlock, 0, num_threads_)) return false;
    for (int i = 0; i < num_threads_; ++i) fibers_[i].state = State::kReady;
    return true;
  }

  const std::function<void()>* kernel_ = nullptr;
  std::vector<Fiber> fibers_;
  std::vector<Warp> warps_;
  std::vector<int> warp_sequence_, lane_sequence_;
  std::vector<std::byte> shared_;
  size_t shared_offset_ = 0;
  std::mt19937 random_{1};
  void* scheduler_ = nullptr;
  int num_threads_ = 0, num_done_ = 0, current_ = 0;
};

}  // namespace

void SetOrder(Order order) { order_of_threads = order; }
Index& ThreadIndex() { return Machine::Get().thread; }
Index& BlockIndex() { return Machine::Get().block; }
Index& GridSize() { return Machine::Get().grid; }

void RunGrid(unsigned blocks, int threads, size_t shared_bytes,
             const std::function<void()>& kernel) {
  if (shared_bytes > kMaxSharedBytes) Die("more shared memory than a block has", "");
  if (threads < 1 || threads > 1024) Die("a block has 1 to 1024 threads", "");
  const FlushDenormals flush;
  Machine& machine = Machine::Get();
  machine.grid.x = blocks;
  for (unsigned block = 0; block < blocks; ++block) {
    machine.block.x = block;
    machine.RunBlock(threads, kernel);
  }
}

std::byte* DynamicShared() { return Machine::Get().shared(); }
void SyncBlock() { Machine::Get().Wait(State::kAtBlock, "__syncthreads"); }

const std::byte* Exchange(std::string_view operation, const void* mine, size_t size) {
  return Machine::Get().Exchange(operation, mine, size);
}

void CopyLater(void* to, const void* from, size_t size) {
  if (reinterpret_cast<uintptr_t>(to) % 16 != 0 || reinterpret_cast<uintptr_t>(from) % 16 != 0) {
    Die("a copy to shared memory is not aligned to 16 bytes", "");
  }
  Machine& machine = Machine::Get();
  if (machine.FlipsACoin()) {
    Copy{to, from, size}.Do();
  } else {
    machine.current().open_group.push_back({to, from, size});
  }
}

void CommitCopies() {
  Fiber& fiber = Machine::Get().current();
  fiber.groups.push_back(std::move(fiber.open_group));
  fiber.open_group.clear();
}

void WaitCopies(int pending) {
  Fiber& fiber = Machine::Get().current();
  while (std::ssize(fiber.groups) > pending) {
    for (const Copy& copy : fiber.groups.front()) copy.Do();
    fiber.groups.pop_front();
  }
}

}  // namespace nemo::simt
