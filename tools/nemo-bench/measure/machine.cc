#include "tools/nemo-bench/measure/machine.h"

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <sstream>
#include <string_view>
#include <sys/utsname.h>
#include <vector>

#include "libcore/base/format.h"
#include "libcore/base/thread_pool.h"

namespace nemo {
namespace {

/// The first line of `path`; empty when it cannot be read.
std::string FirstLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

/// What stands behind the colon of the lines of `path` that begin with `key`.
std::vector<std::string> FieldsOf(const std::string& path, std::string_view key) {
  std::ifstream file(path);
  std::vector<std::string> values;
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(key)) continue;
    const size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const size_t begin = line.find_first_not_of(" \t", colon + 1);
    values.push_back(begin == std::string::npos ? "" : line.substr(begin));
  }
  return values;
}

int64_t MemoryField(std::string_view key) {
  const auto values = FieldsOf("/proc/meminfo", key);
  return values.empty() ? -1 : std::strtoll(values[0].c_str(), nullptr, 10) * 1024;
}

std::string Date() {
  char text[32];
  const std::time_t now = std::time(nullptr);
  std::tm parts = {};
  gmtime_r(&now, &parts);
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

std::string System() {
  utsname name = {};
  return uname(&name) == 0 ? Format("{} {}", name.sysname, name.release) : "";
}

/// "always [madvise] never" -> "madvise".
std::string HugePages() {
  const std::string line = FirstLine("/sys/kernel/mm/transparent_hugepage/enabled");
  const size_t open = line.find('['), close = line.find(']');
  return close == std::string::npos ? "unknown" : line.substr(open + 1, close - open - 1);
}

}  // namespace

int64_t LastLevelCacheBytes() {
  int64_t largest = 0;
  for (int index = 0; index < 8; ++index) {
    const std::string size =
        FirstLine(Format("/sys/devices/system/cpu/cpu0/cache/index{}/size", index));
    if (size.empty()) break;
    char* unit = nullptr;
    const int64_t number = std::strtoll(size.c_str(), &unit, 10);
    largest = std::max(largest, *unit == 'M' ? number << 20 : *unit == 'K' ? number << 10 : number);
  }
  return largest > 0 ? largest : int64_t{32} << 20;
}

int64_t AvailableMemoryBytes() { return MemoryField("MemAvailable"); }

Value MachineFacts() {
  const auto models = FieldsOf("/proc/cpuinfo", "model name");
  Value facts;
  facts.Set("cpu", models.empty() ? "unknown" : models[0]);
  facts.Set("cores", int64_t{AvailableCores()});
  facts.Set("cache_bytes", LastLevelCacheBytes());
  facts.Set("memory_bytes", MemoryField("MemTotal"));
  facts.Set("system", System());
  facts.Set("huge_pages", HugePages());
  facts.Set("compiler", __VERSION__);
  facts.Set("date", Date());
  return facts;
}

Value MachineState() {
  Value state;
  const std::string load = FirstLine("/proc/loadavg");
  state.Set("load", load.empty() ? Value() : Value(std::strtod(load.c_str(), nullptr)));
  std::vector<double> clocks;
  for (const std::string& mhz : FieldsOf("/proc/cpuinfo", "cpu MHz")) {
    clocks.push_back(std::strtod(mhz.c_str(), nullptr));
  }
  std::sort(clocks.begin(), clocks.end());
  state.Set("mhz", clocks.empty() ? Value() : Value(clocks[clocks.size() / 2]));
  return state;
}

}  // namespace nemo
