// Replays a corpus without a fuzzer: every file of the folder, its beginnings, and the file with
// single bytes changed. Idea: facebook/zstd: tests/fuzz/regression_driver.c.
#include <algorithm>
#include <cstdio>
#include <string>

#include "libcore/base/file.h"
#include "tests/fuzz/harness.h"
#include "tests/testing.h"

namespace {

constexpr size_t kMaxSteps = 512;  // beginnings, and changes, of one file
constexpr char kFlips[] = {'\x01', '\x80', '\xff'};

int64_t num_runs = 0;

void Run(const std::string& input) {
  // In memory of exactly its size, so that a sanitizer sees the first byte behind it.
  const std::vector<uint8_t> exact(input.begin(), input.end());
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
  ++num_runs;
}

void Replay(const std::string& input) {
  Run(input);
  const size_t stride = input.size() / kMaxSteps + 1;
  for (size_t size = 0; size < input.size(); size += stride) Run(input.substr(0, size));
  for (size_t i = 0; i * stride < input.size(); ++i) {
    std::string changed = input;
    changed[i * stride] ^= kFlips[i % sizeof kFlips];
    Run(changed);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s CORPUS-FOLDER\n", argv[0]);
    return 2;
  }
  const auto corpus = nemo::OpenDirectory(argv[1]);
  if (!corpus || (*corpus)->files().empty()) {
    std::fprintf(stderr, "%s: no corpus\n", argv[1]);
    return 3;
  }
  for (const std::string& name : (*corpus)->files()) {
    std::printf("%s\n", name.c_str());  // the last line names the file of a crash
    std::fflush(stdout);
    Replay(nemo::testing::ReadFileOrDie(nemo::JoinPath(argv[1], name)));
  }
  std::printf("%zu files, %lld runs\n", (*corpus)->files().size(),
              static_cast<long long>(num_runs));
  return 0;
}
