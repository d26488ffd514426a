// What is proved of a SentencePiece model before the library reads it. The library itself is not
// fuzzed here: it has targets of its own.
#include "libcore/text/model_proto.h"
#include "tests/fuzz/harness.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string bytes = nemo::fuzz::Bytes(data, size);
  const nemo::fuzz::MemoryLimit limit(size, 16);
  static_cast<void>(nemo::CheckSentencePieceModel(bytes).ok());
  return 0;
}
