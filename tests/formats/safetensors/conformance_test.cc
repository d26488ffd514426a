// safetensors through the suites that every source and every sink passes.
#include "formats/safetensors/safetensors.h"
#include "tests/conformance/sink_suite.h"
#include "tests/conformance/source_suite.h"

namespace nemo::testing {
namespace {

const std::vector<DType> kAllDTypes = {DType::kBool, DType::kU8,  DType::kI8,  DType::kI16,
                                       DType::kI32,  DType::kI64, DType::kF16, DType::kBF16,
                                       DType::kF32,  DType::kF64};

Result<std::shared_ptr<TensorSource>> Open(const std::string& path) {
  NEMO_ASSIGN_OR_RETURN(auto file, OpenFile(path));
  NEMO_ASSIGN_OR_RETURN(auto source, safetensors::OpenFile(std::move(file)));
  return std::shared_ptr<TensorSource>(std::move(source));
}

/// Written by hand: a source is not tested with our own sink.
SourceUnderTest HandWritten(const TempDir&) {
  auto truth = std::make_shared<MemorySource>(SampleSource(
      {{"b", DType::kBF16, {6, 5}}, {"a", DType::kI32, {2, 2, 3}}, {"c", DType::kU8, {}}}));
  const std::string header =
      R"({"__metadata__":{"format":"pt"},"b":{"dtype":"BF16","shape":[6,5],"data_offsets":[0,60]},)"
      R"("a":{"dtype":"I32","shape":[2,2,3],"data_offsets":[60,108]},)"
      R"("c":{"dtype":"U8","shape":[],"data_offsets":[108,109]}}   )";
  std::string bytes(8, '\0');
  bytes[0] = static_cast<char>(header.size() & 0xff);
  bytes[1] = static_cast<char>(header.size() >> 8);
  bytes += header;
  for (const char* name : {"b", "a", "c"}) {
    const std::vector<std::byte> data = ReadTensorOrDie(*truth, name);
    bytes.append(reinterpret_cast<const char*>(data.data()), data.size());
  }
  auto source = safetensors::OpenFile(MemoryFile("hand.safetensors", bytes));
  EXPECT_TRUE(source) << source.error().message();
  return {source ? *source : nullptr, truth};
}

INSTANTIATE_TEST_SUITE_P(Safetensors, SinkSuite,
                         ::testing::Values(SinkUnderTest{safetensors::CreateSink, Open, kAllDTypes,
                                                         1}));
INSTANTIATE_TEST_SUITE_P(Safetensors, SourceSuite, ::testing::Values(HandWritten));

}  // namespace
}  // namespace nemo::testing
