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

/// Element i of every tensor is i.
class CountingTruth {
 public:
  template <typename T>
  CountingTruth& Add(const char* name, DType dtype, const Shape& shape) {
    std::vector<T> values(static_cast<size_t>(NumElements(shape)));
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<T>(i);
    const auto bytes = std::as_bytes(std::span(values));
    source_->Add({name, dtype, shape}, {bytes.begin(), bytes.end()});
    return *this;
  }
  SourceUnderTest Of(const char* file) const {
    auto source = hdf5::OpenFile(GoldenPath(file));
    EXPECT_TRUE(source) << source.error().message();
    return {source ? *source : nullptr, source_};
  }

 private:
  std::shared_ptr<MemorySource> source_ = std::make_shared<MemorySource>();
};

/// tests/golden/hdf5/make.py.
SourceUnderTest WrittenByH5py(const TempDir&) {
  return CountingTruth()
      .Add<uint8_t>("bytes", DType::kU8, {7})
      .Add<int64_t>("cube", DType::kI64, {2, 3, 4})
      .Add<float>("floats", DType::kF32, {5, 6})
      .Add<double>("scalar", DType::kF64, {})
      .Of("hdf5/contiguous.h5");
}

/// tests/golden/hdf5/make_zstd.py.
SourceUnderTest WrittenByHdf5plugin(const char* file) {
  return CountingTruth()
      .Add<uint8_t>("bytes", DType::kU8, {7})
      .Add<int64_t>("cube", DType::kI64, {2, 3, 4})
      .Add<float>("floats", DType::kF32, {50, 60})
      .Add<double>("scalar", DType::kF64, {})
      .Add<int16_t>("shorts", DType::kI16, {41, 300})
      .Of(file);
}
SourceUnderTest ChunksInTrees(const TempDir&) { return WrittenByHdf5plugin("hdf5/zstd_chunks.h5"); }
SourceUnderTest ChunksInArrays(const TempDir&) {
  return WrittenByHdf5plugin("hdf5/zstd_latest.h5");
}

const std::vector<DType> kHdf5DTypes = {DType::kU8,   DType::kI8,  DType::kI16,
                                        DType::kI32,  DType::kI64, DType::kF16,
                                        DType::kBF16, DType::kF32, DType::kF64};

INSTANTIATE_TEST_SUITE_P(Hdf5, SinkSuite,
                         ::testing::Values(SinkUnderTest{hdf5::CreateSink, Open, kHdf5DTypes,
                                                         4096}));
INSTANTIATE_TEST_SUITE_P(Hdf5, SourceSuite,
                         ::testing::Values(WrittenByH5py, ChunksInTrees, ChunksInArrays));

}  // namespace
}  // namespace nemo::testing
