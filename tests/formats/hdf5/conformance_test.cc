// HDF5 through the suites that every source and every sink passes.
#include "formats/hdf5/file.h"
#include "tests/conformance/sink_suite.h"
#include "tests/conformance/source_suite.h"

namespace nemo::testing {
namespace {

Result<std::shared_ptr<TensorSource>> Open(const std::string& path) {
  NEMO_ASSIGN_OR_RETURN(auto source, hdf5::OpenFile(path));
  return std::shared_ptr<TensorSource>(std::move(source));
}

/// tests/golden/hdf5/make.py wrote it with h5py: element i of every tensor is i.
SourceUnderTest WrittenByH5py(const TempDir&) {
  auto truth = std::make_shared<MemorySource>();
  const auto add = [&]<typename T>(const char* name, DType dtype, const Shape& shape, T) {
    std::vector<T> values(static_cast<size_t>(NumElements(shape)));
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<T>(i);
    const auto bytes = std::as_bytes(std::span(values));
    truth->Add({name, dtype, shape}, {bytes.begin(), bytes.end()});
  };
  add("bytes", DType::kU8, {7}, uint8_t{});
  add("cube", DType::kI64, {2, 3, 4}, int64_t{});
  add("floats", DType::kF32, {5, 6}, float{});
  add("scalar", DType::kF64, {}, double{});
  auto source = hdf5::OpenFile(GoldenPath("hdf5/contiguous.h5"));
  EXPECT_TRUE(source) << source.error().message();
  return {source ? *source : nullptr, truth};
}

const std::vector<DType> kHdf5DTypes = {DType::kU8,   DType::kI8,  DType::kI16,
                                        DType::kI32,  DType::kI64, DType::kF16,
                                        DType::kBF16, DType::kF32, DType::kF64};

INSTANTIATE_TEST_SUITE_P(Hdf5, SinkSuite,
                         ::testing::Values(SinkUnderTest{hdf5::CreateSink, Open, kHdf5DTypes,
                                                         4096}));
INSTANTIATE_TEST_SUITE_P(Hdf5, SourceSuite, ::testing::Values(WrittenByH5py));

}  // namespace
}  // namespace nemo::testing
