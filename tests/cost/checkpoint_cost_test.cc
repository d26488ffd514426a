// Pickles, torch files, safetensors, Zarr arrays, distributed checkpoints and zstd frames made to
// hurt.
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "formats/codec/zstd_frames.h"
#include "formats/dcp/metadata.h"
#include "formats/safetensors/safetensors.h"
#include "formats/torch/pickle.h"
#include "formats/zarr/zarr.h"
#include "libcore/base/format.h"
#include "tests/cost/cost.h"
#include "tests/formats/dcp/pickle_bytes.h"
#include "tests/fuzz/harness.h"
#include "tests/testing.h"

namespace nemo {
namespace {

using testing::CostLimits;
using testing::ExpectCost;
using testing::ExpectFileCost;
using testing::LittleEndian;
using testing::Opcodes;

struct BytesCase {
  const char* what;
  std::string bytes;
};

std::string Times(size_t count, std::string_view text) {
  std::string out;
  out.reserve(count * text.size());
  for (size_t i = 0; i < count; ++i) out += text;
  return out;
}

/// bytes(0) ... bytes(count - 1).
template <typename Bytes>
std::string Join(size_t count, const Bytes& bytes) {
  std::string out;
  for (size_t i = 0; i < count; ++i) out += bytes(i);
  return out;
}

std::string Proto(const std::string& opcodes) { return "\x80\x04" + opcodes + "."; }
std::string Long(size_t size) { return "\x8b" + LittleEndian(size, 4) + std::string(size, '\x7f'); }
std::string BigText(size_t size) { return "X" + LittleEndian(size, 4) + std::string(size, 'k'); }
const std::string kMemoize = "\x94", kGet = "j";
std::string Get(size_t index) { return kGet + LittleEndian(index, 4); }

TEST(Cost, PickleIsLinear) {
  // A tuple of two of the one before it: 2^400 leaves for whoever follows each.
  std::string doubling = "N" + kMemoize;
  for (size_t i = 0; i < 400; ++i) doubling += Get(i) + Get(i) + "\x86" + kMemoize;
  const std::string two_keys = BigText(100'000) + kMemoize + BigText(100'001) + kMemoize;
  const BytesCase cases[] = {
      {"pickle: tuples of one", Proto("(" + Times(300'000, "N\x85") + "t")},
      {"pickle: memoized", Proto("N" + Times(300'000, kMemoize))},
      {"pickle: far places of the memo",
       Proto("N" + Join(100'000, [](size_t i) { return "r" + LittleEndian(i * 40'961, 4); }))},
      {"pickle: one place of the memo", Proto("N" + Times(300'000, std::string_view("q\0", 2)))},
      {"pickle: tuples in tuples", Proto("N" + Times(300'000, "\x85"))},
      {"pickle: marks", Proto(Times(300'000, "("))},
      {"pickle: tuples that double", Proto(doubling)},
      {"pickle: tuples that double, often", Proto(doubling + "(" + Times(50'000, Get(390)) + "t")},
      {"pickle: an integer of a megabyte", Proto(Long(1'000'000))},
      {"pickle: integers", Proto("(" + Times(2'000, Long(255)) + "t")},
      {"pickle: a text of 2^63 bytes", Proto("\x8d" + LittleEndian(uint64_t{1} << 63, 8))},
      {"pickle: bytes of 2^32 bytes", Proto("B" + LittleEndian(0xffffffff, 4))},
      {"pickle: keys",
       Proto("}(" + Join(60'000, [](size_t i) { return testing::Text(Format("{}", i)) + "N"; }) +
             "u")},
      {"pickle: one long key, often", Proto(BigText(500'000) + kMemoize + "0}(" +
                                            Times(200'000, std::string_view("h\0N", 3)) + "u")},
      {"pickle: two long keys in many dicts",
       Proto(two_keys + "00(" + Times(50'000, std::string_view("}(h\0Nh\1Nu", 9)) + "t")},
      {"pickle: a list in itself",
       Proto("]" + kMemoize + Times(100'000, std::string_view("h\0a", 3)))},
      {"pickle: items one by one", Proto("]" + Times(300'000, "Na"))},
      {"pickle: entries one by one", Proto("}" + Times(200'000, "NNs"))},
      {"pickle: globals", Proto("(" + Times(60'000, "ca\nb\n") + "t")},
      {"pickle: a global of a megabyte", Proto("c" + std::string(1'000'000, 'a') + "\nb\n")},
      {"pickle: a global without an end", Proto("(" + Times(300'000, "c"))},
      {"pickle: objects", Proto("(" + Times(60'000, "ca\nb\n)R") + "t")},
      {"pickle: states of one object", Proto("ca\nb\n)R" + Times(200'000, "}b"))},
      {"pickle: persistent ids", Proto("(" + Times(200'000, "NQ") + "t")},
      {"pickle: frames", Proto("N" + Times(100'000, "\x95" + LittleEndian(UINT64_MAX, 8)))},
      {"pickle: pops", Proto(Times(300'000, "N0") + "N")},
      {"pickle: protocols", Proto(Times(300'000, "\x80\x02") + "N")},
      {"pickle: pickles", Times(100'000, "\x80\x02N.")},
  };
  for (const BytesCase& c : cases) {
    ExpectCost(c.what, c.bytes.size(), {.bytes_held = 256, .bytes_allocated = 1024}, [&] {
      static_cast<void>(torch::FindUnsafeGlobal(c.bytes));
      const auto pickle = torch::ParsePickle(c.bytes);
      if (pickle) static_cast<void>(pickle->root().Describe());
    });
  }
}

TEST(Cost, DcpMetadataIsLinear) {
  using namespace testing;
  const auto tensor = [](const Opcodes& size, const Opcodes& chunks) {
    const Opcodes properties = Call(Global("a", "TensorProperties"), ")") +
                               Tuple({Global("torch", "bfloat16"), False()}) + "b";
    return Object(
        Global("a", "TensorStorageMetadata"),
        Dict({{Text("properties"), properties}, {Text("size"), size}, {Text("chunks"), chunks}}));
  };
  const auto metadata = [](const Opcodes& before, const Opcodes& tensors, const Opcodes& storage) {
    return Pickle(before +
                  Object(Global("a", "Metadata"), Dict({{Text("state_dict_metadata"), tensors},
                                                        {Text("storage_data"), storage}})));
  };
  const Opcodes chunk = Object(Global("a", "ChunkStorageMetadata"),
                               Dict({{Text("offsets"), Size({0})}, {Text("sizes"), Size({0})}}));
  // One list of empty chunks, which need no storage, for each of many tensors.
  const Opcodes list = "](" + Times(2'000, chunk) + "e";
  std::vector<std::pair<Opcodes, Opcodes>> sharing, fields;
  for (size_t i = 0; i < 5'000; ++i) sharing.push_back({Text(Format("{}", i)), Get(1'000'000)});
  for (size_t i = 0; i < 20'000; ++i) fields.push_back({Text(Format("{}", i)), None()});
  const std::string shared = tensor(Size({0}), list) + "r" + LittleEndian(1'000'000, 4) + "0";
  const BytesCase cases[] = {
      {"dcp: one list of chunks for all", metadata(shared, Dict(sharing), Dict({}))},
      {"dcp: a tensor of 2^62 rows",
       metadata("", Dict({{Text("a"), tensor(Size({int64_t{1} << 62}), "]")}}), Dict({}))},
      {"dcp: objects of many fields",
       metadata("", Dict({{Text("a"), Object(Global("a", "TensorStorageMetadata"), Dict(fields))}}),
                Dict({}))},
      {"dcp: a tensor of many axes",
       metadata("", Dict({{Text("a"), tensor(Size(std::vector<int64_t>(30'000, 1)), "]")}}),
                Dict({}))},
  };
  for (const BytesCase& c : cases) {
    ExpectCost(c.what, c.bytes.size(), {.bytes_held = 256, .bytes_allocated = 1024}, [&] {
      static_cast<void>(dcp::ParseMetadata(c.bytes, [](std::string_view) { return true; }));
    });
  }
}

std::string Safetensors(const std::string& header, const std::string& data = "") {
  return LittleEndian(header.size(), 8) + header + data;
}

TEST(Cost, SafetensorsIsLinear) {
  const std::string empty = R"({"dtype":"F32","shape":[0],"data_offsets":[0,0]})";
  const BytesCase cases[] = {
      {"safetensors: tensors of nothing",
       Safetensors("{" + Join(20'000, [&](size_t i) { return Format("\"{}\":{},", i, empty); }) +
                   "\"\":" + empty + "}")},
      {"safetensors: one tensor, often",
       Safetensors("{" + Times(20'000, "\"a\":" + empty + ",") + "\"a\":" + empty + "}")},
      {"safetensors: many axes",
       Safetensors(R"({"a":{"dtype":"F32","shape":[)" + Times(500'000, "1,") +
                       R"(1],"data_offsets":[0,4]}})",
                   "1234")},
      {"safetensors: a huge shape",
       Safetensors(R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,4]}})",
                   "1234")},
      {"safetensors: metadata",
       Safetensors("{\"__metadata__\":{" +
                   Join(50'000, [](size_t i) { return Format("\"{}\":\"\",", i); }) +
                   "\"\":\"\"}}")},
      {"safetensors: lists in lists", Safetensors("{\"a\":" + Times(500'000, "["))},
      {"safetensors: a header of 2^63 bytes", LittleEndian(uint64_t{1} << 63, 8) + "{}"},
      {"safetensors: a header of blanks", Safetensors("{" + std::string(1'000'000, ' ') + "}")},
      {"safetensors: one range for all",
       Safetensors("{" +
                       Join(20'000,
                            [](size_t i) {
                              return Format(
                                  R"("{}":{{"dtype":"U8","shape":[4],"data_offsets":[0,4]}},)", i);
                            }) +
                       R"("":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})",
                   "1234")},
  };
  for (const BytesCase& c : cases) {
    ExpectFileCost(c.what, c.bytes, {.bytes_held = 256, .bytes_allocated = 1024}, [](auto file) {
      const auto source = safetensors::OpenFile(std::move(file));
      if (source) fuzz::ReadTensors(**source);
    });
  }
}

std::string Zarray(const std::string& shape, const std::string& chunks) {
  return Format(
      R"({{"chunks":[{}],"compressor":null,"dtype":"<f4","fill_value":null,"filters":null,"order":"C","shape":[{}],"zarr_format":2}})",
      chunks, shape);
}

TEST(Cost, ZarrIsLinear) {
  std::map<std::string, std::string> chunks{{"a/.zarray", Zarray("20000", "1")}}, arrays;
  for (int i = 0; i < 20'000; ++i) chunks[Format("a/{}", i)] = "1234";
  for (int i = 0; i < 5'000; ++i) {
    arrays[Format("{}/.zarray", i)] = Zarray("1", "1");
    arrays[Format("{}/0", i)] = "1234";
  }
  const std::map<std::string, std::string> one_chunk{
      {"a/.zarray", Zarray("4611686018427387904", "1")}, {"a/0", "1234"}};
  const struct {
    const char* what;
    std::map<std::string, std::string> files;
  } cases[] = {
      {"zarr: many chunks", chunks},
      {"zarr: many arrays", arrays},
      {"zarr: 2^62 chunks", one_chunk},
      {"zarr: a chunk of 2^60 elements",
       {{"a/.zarray", Zarray("1", "1152921504606846976")}, {"a/0", "1234"}}},
      {"zarr: many axes",
       {{"a/.zarray", Zarray(Times(100'000, "1,") + "1", Times(100'000, "1,") + "1")}}},
      {"zarr: an array of a gigabyte without chunks",
       {{"a/.zarray", Zarray("16384,16384", "1,1")}}},
  };
  for (const auto& c : cases) {
    size_t size = 0;
    for (const auto& [name, bytes] : c.files) size += name.size() + bytes.size();
    const auto tree = testing::MemoryTree("a tree", c.files);
    ExpectCost(c.what, size, {.bytes_held = 256, .bytes_allocated = 1024}, [&] {
      const auto source = OpenZarr(tree, "");
      if (source) fuzz::ReadTensors(**source);
    });
  }
}

/// A frame's own word for its size is worth nothing: what is held is what the caller has room for.
TEST(Cost, ZstdFramesFillWhatTheyAreGiven) {
  const std::string magic = LittleEndian(0xfd2fb528, 4);
  // One segment that says 2^60 bytes; blocks of one byte repeated: 4 bytes make 128 KiB.
  const std::string claim = magic + '\xe0' + LittleEndian(uint64_t{1} << 60, 8);
  const std::string block = LittleEndian((131'072 << 3) | 2, 3) + "a";
  // No size, and a window of 2^41 bytes.
  const std::string window = magic + '\0' + '\xff' + block;
  std::vector<std::byte> out(100'000);
  for (const BytesCase& c : {BytesCase{"zstd: 2^60 bytes", claim + Times(10'000, block)},
                             BytesCase{"zstd: a huge window", window}}) {
    ExpectCost(c.what, c.bytes.size(), {.bytes_held = 16, .bytes_allocated = 64}, [&] {
      const auto frame = std::as_bytes(std::span(c.bytes));
      static_cast<void>(zstd::ContentBytes(frame));
      EXPECT_FALSE(zstd::Decompress(frame, out).ok());
      EXPECT_FALSE(zstd::DecompressShuffled(frame, 2, out).ok());
    });
  }
}

}  // namespace
}  // namespace nemo
