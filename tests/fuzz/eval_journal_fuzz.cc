// The journal of a stopped evaluation: what it is read as, written again, is read the same.
#include "libcore/base/check.h"
#include "libcore/eval/journal.h"
#include "tests/fuzz/harness.h"
#include "tests/testing.h"

namespace {

using nemo::eval::Journal;
using nemo::eval::RequestKind;

/// Texts and numbers may stand in one record; each is written as what it was.
std::string LinesOf(const Journal::Records& records) {
  std::string lines;
  for (const auto& [place, responses] : records) {
    bool texts = false;
    for (const nemo::eval::EvalResponse& response : responses) texts |= !response.text.empty();
    lines += nemo::eval::JournalLine(place.first, place.second, responses,
                                     texts ? RequestKind::kGenerate : RequestKind::kScore);
  }
  return lines;
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text = nemo::fuzz::Bytes(data, size);
  const nemo::testing::TempDir directory;
  const std::string path = directory / "journal.jsonl";
  nemo::testing::WriteFileOrDie(path, text);
  const nemo::fuzz::MemoryLimit limit(size, 512);
  const auto parsed = nemo::eval::ParseJournal(text, "key");
  NEMO_CHECK(!parsed || (parsed->second >= 0 && parsed->second <= static_cast<int64_t>(size)));
  const auto journal = Journal::Continue(path, "key");
  NEMO_CHECK(parsed.has_value() == journal.has_value());
  if (!parsed) return 0;
  NEMO_CHECK(parsed->first.size() == (*journal)->records().size());
  const auto again = nemo::eval::ParseJournalLines(LinesOf(parsed->first));
  NEMO_CHECK(again && again->size() == parsed->first.size());
  NEMO_CHECK((*journal)->TakeOver(path, "key").ok());
  return 0;
}
