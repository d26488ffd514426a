#include "tests/cost/cost.h"

#include <cstdio>
#include <sys/resource.h>
#include <utility>

#include <gtest/gtest.h>

#include "tests/fuzz/allocation_meter.h"
#include "tests/testing.h"

namespace nemo::testing {
namespace {

constexpr int64_t kFreeBytes = int64_t{1} << 20;  // buffers of constant size
constexpr int64_t kFreeReads = int64_t{1} << 18;  // a zip's end record lies within 64 KiB
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr rlim_t kCeilingSeconds = 600;
#else
constexpr rlim_t kCeilingSeconds = 60;
#endif

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// SIGXCPU ends the program when this lives too long.
class CpuCeiling {
 public:
  CpuCeiling() {
    getrlimit(RLIMIT_CPU, &before_);
    rlimit limit = before_;
    limit.rlim_cur = static_cast<rlim_t>(CpuSeconds()) + kCeilingSeconds;
    setrlimit(RLIMIT_CPU, &limit);
  }
  ~CpuCeiling() { setrlimit(RLIMIT_CPU, &before_); }
  CpuCeiling(const CpuCeiling&) = delete;
  CpuCeiling& operator=(const CpuCeiling&) = delete;

 private:
  rlimit before_{};
};

}  // namespace

CountedFile::CountedFile(std::string name, std::string bytes)
    : file_(MemoryFile(std::move(name), std::move(bytes))) {}

Status CountedFile::ReadAt(int64_t offset_bytes, std::span<std::byte> out) const {
  read_bytes_ += static_cast<int64_t>(out.size());
  return file_->ReadAt(offset_bytes, out);
}

void ExpectCost(const std::string& what, size_t input_bytes, const CostLimits& limits,
                const std::function<void()>& read) {
  const auto size = static_cast<double>(input_bytes);
  const int64_t held = fuzz::LiveBytes(), allocated = fuzz::AllocatedBytes();
  const double cpu = CpuSeconds();
  fuzz::ResetPeak();
  std::printf("%-44s", what.c_str());  // the last line names what passed the ceiling
  std::fflush(stdout);
  {
    const CpuCeiling ceiling;
    read();
  }
  const auto grown = static_cast<double>(fuzz::PeakBytes() - held);
  const auto asked = static_cast<double>(fuzz::AllocatedBytes() - allocated);
  std::printf(" %9.0f bytes: %6.1f held, %7.1f allocated for each; %.2f s\n", size, grown / size,
              asked / size, CpuSeconds() - cpu);
  EXPECT_LE(grown, static_cast<double>(kFreeBytes) + limits.bytes_held * size) << what;
  EXPECT_LE(asked, static_cast<double>(kFreeBytes) + limits.bytes_allocated * size) << what;
}

void ExpectFileCost(const std::string& what, std::string bytes, const CostLimits& limits,
                    const std::function<void(std::shared_ptr<RandomAccessFile>)>& read) {
  const auto file = std::make_shared<CountedFile>("a file", std::move(bytes));
  ExpectCost(what, static_cast<size_t>(file->size_bytes()), limits, [&] { read(file); });
  EXPECT_LE(file->read_bytes(),
            kFreeReads +
                static_cast<int64_t>(limits.bytes_read * static_cast<double>(file->size_bytes())))
      << what;
}

}  // namespace nemo::testing
