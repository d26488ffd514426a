// What one run of nemo-bench found: rows of figures with the machine they were taken on. The form
// of --json, of the lines of --json-file, and of what `compare` reads.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libcore/base/status.h"
#include "libcore/base/value.h"
#include "tools/nemo-bench/measure/roofline.h"
#include "tools/nemo-bench/measure/samples.h"

namespace nemo {

/// A figure beside the time: "GB/s", 12.5. More is better.
struct Rate {
  std::string unit;
  double value = 0;
};

/// The same work done by somebody else's code in the same run.
struct Peer {
  std::string name;
  Summary time;
};

struct Record {
  std::string name;       ///< "linear/fc1/m8": unique in a report, the same in every run
  std::string operation;  ///< "linear": rows that belong together
  std::string shape;      ///< for people
  std::string dtype;
  std::string backend;  ///< "cpu (avx512)"
  Summary time;         ///< of one run
  std::optional<Work> work;
  std::vector<Rate> rates;
  std::string limit;               ///< "memory", "compute", ...; empty: none known
  std::optional<double> fraction;  ///< of the limit
  std::optional<double> error;  ///< largest difference from the reference, relative to its largest
  std::optional<Peer> peer;
  std::vector<std::string> warnings;

  const Rate* FindRate(std::string_view unit) const;
};

struct Report {
  std::string verb;     ///< "kernels"
  std::string subject;  ///< "nemotron4-340b, a rank of TP8 x PP2"
  int64_t threads = 0;
  Value machine;       ///< MachineFacts
  Value state_before;  ///< MachineState
  Value state_after;
  std::optional<Limits> limits;
  std::vector<Record> records;
  std::vector<std::string> notes;
};

/// GB/s and TFLOP/s of `record.work`, and, where the limits are known, which of them holds and how
/// much of it was reached.
void AddRoofline(const std::optional<Limits>& limits, Record* record);

/// peer time / our time: above 1, we are faster.
double PeerRatio(const Record& record);

Value ToValue(const Record& record);
/// The report as one object: "run" and "rows".
Value ToValue(const Report& report);
/// As lines: {"record": "run", ...}, then {"record": "row", ...} for each.
std::string ToJsonLines(const Report& report);
/// Reads either form. kCorruption names the line or the member.
Result<Report> ParseReport(std::string_view text);

}  // namespace nemo
