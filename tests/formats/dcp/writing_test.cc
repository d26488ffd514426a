// Distributed checkpoints that we write: the index against one of torch's own classes, the files
// against the promises of sinks, and both together read back.
#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "formats/dcp/dcp.h"
#include "formats/dcp/metadata_writer.h"
#include "formats/dcp/sink.h"
#include "formats/torch/pickle.h"
#include "tests/conformance/sample_tensors.h"
#include "tests/conformance/sink_suite.h"
#include "tests/testing.h"

namespace nemo::testing {
namespace {

using torch::PickleNode;
using Kind = PickleNode::Kind;

// The files of tests/golden/dcp/make.py.
std::map<std::string, dcp::FileItems> SampleItems() {
  const auto fc1 = [](int64_t layer, int64_t row) {
    return dcp::TensorItem{"decoder.layers.mlp.linear_fc1.weight",
                           DType::kBF16,
                           {2, 4, 300},
                           {{layer, row, 0}, {1, 2, 300}}};
  };
  return {
      {"__0_0.distcp",
       {{fc1(0, 0), fc1(1, 0), {"decoder.final_layernorm.weight", DType::kF32, {3}, {{0}, {3}}}},
        {{"decoder.layers.mlp.linear_fc1._extra_state/shard_0_2", "bytes"}}}},
      {"__1_0.distcp", {{fc1(0, 2), fc1(1, 2)}, {}}}};
}

std::string Show(const PickleNode& node);

std::string ShowAll(std::span<const PickleNode* const> nodes) {
  std::string text;
  for (const PickleNode* node : nodes) text += Show(*node) + ", ";
  return text;
}

/// Entries of dicts sorted: order means nothing to a reader.
std::string ShowEntries(const PickleNode& node) {
  std::vector<std::string> entries;
  for (const auto& entry : node.entries()) {
    entries.push_back(Show(*entry.key) + ": " + Show(*entry.value) + "\n");
  }
  std::sort(entries.begin(), entries.end());
  std::string text;
  for (const std::string& entry : entries) text += entry;
  return text;
}

std::string Show(const PickleNode& node) {
  switch (node.kind()) {
    case Kind::kInt:
      return std::to_string(*node.AsInt());
    case Kind::kText:
      return std::string(*node.AsText());
    case Kind::kBool:
      return *node.AsBool() ? "True" : "False";
    case Kind::kDict:
      return "{" + ShowEntries(node) + "}";
    case Kind::kGlobal:
      return std::string(node.module()) + "." + std::string(node.name());
    case Kind::kObject:
      return Show(*node.callable()) + Show(*node.args()) +
             (node.state() == nullptr ? "" : Show(*node.state()));
    default:
      return node.Describe() + "(" + ShowAll(node.items()) + ")";
  }
}

TEST(DcpMetadata, SaysWhatTorchWouldSay) {
  const auto theirs = torch::ParsePickle(ReadFileOrDie(GoldenPath("dcp/metadata.pickle")));
  const auto ours = torch::ParsePickle(dcp::MetadataPickle(SampleItems()));
  ASSERT_TRUE(theirs) << theirs.error().message();
  ASSERT_TRUE(ours) << ours.error().message();
  EXPECT_EQ(Show(*ours->root().callable()), Show(*theirs->root().callable()));
  for (const char* field : {"state_dict_metadata", "planner_data", "storage_data"}) {
    EXPECT_EQ(Show(*ours->root().Attribute(field)), Show(*theirs->root().Attribute(field)));
  }
}

// ---- The files.

const std::vector<DType> kAllTypes = {DType::kBool, DType::kU8,  DType::kI8,  DType::kI16,
                                      DType::kI32,  DType::kI64, DType::kF16, DType::kBF16,
                                      DType::kF32,  DType::kF64};

bool Everything(std::string_view) { return true; }

/// Each tensor whole, and something that is none.
dcp::FileItems WholeTensors() {
  dcp::FileItems items;
  for (const TensorSpec& spec : SampleSpecs(kAllTypes)) {
    items.tensors.push_back({spec.name, spec.dtype, spec.shape, Box::Whole(spec.shape)});
  }
  items.bytes.push_back({"x._extra_state/shard_0_1", "some bytes"});
  return items;
}

std::unique_ptr<TensorSink> CreateWhole(const std::string& path) {
  return dcp::CreateSink(path, WholeTensors());
}

Result<std::shared_ptr<TensorSource>> OpenWhole(const std::string& path) {
  const std::string name = "__0_0.distcp";
  return OpenDcp(
      MemoryTree("memory", {{name, ReadFileOrDie(path)},
                            {".metadata", dcp::MetadataPickle({{name, WholeTensors()}})}}),
      "", Everything);
}

INSTANTIATE_TEST_SUITE_P(
    Dcp, SinkSuite,
    ::testing::Values(SinkUnderTest{
        .create = CreateWhole, .open = OpenWhole, .dtypes = kAllTypes, .notes_checksums = false}));

/// `chunk` of `truth` without its leading axes of extent 1.
Status WriteChunk(TensorSink& sink, const std::string& name, const dcp::TensorItem& item,
                  const MemorySource& truth) {
  std::vector<std::byte> data(static_cast<size_t>(NumElements(item.chunk) * SizeOf(item.dtype)));
  NEMO_RETURN_IF_ERROR(truth.Read(item.key, item.chunk, data));
  Shape shape = item.chunk.extent;
  if (shape.size() == 3) shape.erase(shape.begin());
  return WriteBlock(sink, name, Box::Whole(shape), data);
}

TEST(DcpSink, WritesLayersIntoAStack) {
  const MemorySource truth =
      SampleSource({{"decoder.layers.mlp.linear_fc1.weight", DType::kBF16, {2, 4, 300}},
                    {"decoder.final_layernorm.weight", DType::kF32, {3}}});
  const TempDir dir;
  for (const auto& [file, items] : SampleItems()) {
    const auto sink = dcp::CreateSink(dir / file, items);
    std::vector<SinkTensor> tensors;
    std::map<std::string, std::string> checksums;
    for (const dcp::TensorItem& item : items.tensors) {
      const std::string name = item.key + std::to_string(tensors.size());
      Shape shape = item.chunk.extent;
      if (shape.size() == 3) shape.erase(shape.begin());
      tensors.push_back({{name, item.dtype, shape}, {}});
      checksums[name] = std::string(32, '0');
    }
    ASSERT_TRUE(sink->Declare(tensors).ok());
    for (size_t i = 0; i < tensors.size(); ++i) {
      ASSERT_TRUE(WriteChunk(*sink, tensors[i].spec.name, items.tensors[i], truth).ok());
    }
    ASSERT_TRUE(sink->Finish(checksums));
  }
  WriteFileOrDie(dir / ".metadata", dcp::MetadataPickle(SampleItems()));
  const auto tree = OpenDirectory(dir.path());
  ASSERT_TRUE(tree);
  const auto source = OpenDcp(*tree, "", Everything);
  ASSERT_TRUE(source) << source.error().message();
  for (const TensorSpec& spec : truth.specs()) {
    EXPECT_EQ(ReadTensorOrDie(**source, spec.name), ReadTensorOrDie(truth, spec.name));
  }
}

}  // namespace
}  // namespace nemo::testing
