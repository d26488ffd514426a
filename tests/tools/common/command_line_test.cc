#include "tools/common/command_line.h"

#include <gtest/gtest.h>

#include "libcore/base/yaml.h"
#include "tests/testing.h"
#include "tools/common/layout_flags.h"

namespace nemo {
namespace {

using ::nemo::testing::TempDir;
using ::nemo::testing::WriteFileOrDie;

/// A table with one flag of each kind.
struct Options {
  bool greedy = false;
  int verbose = 0;
  double temperature = 1.0;
  std::string backend = "cpu", config;
  std::vector<std::string> prompts;
  LayoutOptions layout;

  std::vector<Flag> Flags() {
    std::vector<Flag> flags = FileLayoutFlags(&layout);
    flags.push_back({.name = "greedy", .help = "h", .set = SetSwitch(&greedy)});
    flags.push_back({.name = "verbose", .letter = 'v', .help = "h", .set = CountSwitch(&verbose)});
    flags.push_back(
        {.name = "temperature", .value = "T", .help = "h", .set = SetDouble(&temperature, 0, 100)});
    flags.push_back({.name = "backend",
                     .value = "NAME",
                     .help = "h",
                     .set = SetChoice(&backend, {"cpu", "cuda", "reference"})});
    flags.push_back({.name = "prompt",
                     .value = "TEXT",
                     .help = "h",
                     .repeatable = true,
                     .set = AppendText(&prompts)});
    flags.push_back({.name = "config", .value = "FILE", .help = "h", .set = SetText(&config)});
    return flags;
  }

  Status Parse(const std::vector<std::string>& args, const std::string& yaml = "") {
    const std::vector<Flag> flags = Flags();
    NEMO_ASSIGN_OR_RETURN(CommandLine line, ParseCommandLine(flags, args));
    NEMO_ASSIGN_OR_RETURN(const Value value, ParseYaml(yaml));
    NEMO_RETURN_IF_ERROR(MergeConfig(flags, value, &line));
    operands = line.operands;
    return ApplyFlags(flags, line);
  }
  std::vector<std::string> operands;
};

TEST(CommandLine, TakesEverySpellingOfAFlag) {
  for (const char* flag :
       {"--tp", "--tensor-parallel-size", "--tensor_parallel_size", "--tp_size", "--tp-size",
        "--tensor-model-parallel-size", "--tensor_model_parallel_size"}) {
    Options options;
    const Status status = options.Parse({flag, "4"});
    EXPECT_TRUE(status.ok()) << flag << ": " << status.message();
    EXPECT_EQ(options.layout.tp_size, 4) << flag;
  }
}

TEST(CommandLine, SeparatesFlagsFromOperandsWhateverTheirOrder) {
  Options options;
  ASSERT_TRUE(options.Parse({"a", "--greedy", "b", "--pp=3", "-vv", "--", "--c"}).ok());
  EXPECT_EQ(options.operands, (std::vector<std::string>{"a", "b", "--c"}));
  EXPECT_TRUE(options.greedy);
  EXPECT_EQ(options.layout.pp_size, 3);
  EXPECT_EQ(options.verbose, 2);
}

TEST(CommandLine, TakesValuesAsTheyStand) {
  Options options;
  ASSERT_TRUE(options
                  .Parse({"--prompt", "[a, b]", "--prompt", "", "--prompt", "two words",
                          "--prompt=-x", "--prompt", "{}"})
                  .ok());
  EXPECT_EQ(options.prompts, (std::vector<std::string>{"[a, b]", "", "two words", "-x", "{}"}));
}

TEST(CommandLine, LastOccurrenceCountsUnlessTheFlagRepeats) {
  Options options;
  ASSERT_TRUE(options.Parse({"--tp", "2", "--tp", "8", "--greedy", "--greedy=false"}).ok());
  EXPECT_EQ(options.layout.tp_size, 8);
  EXPECT_FALSE(options.greedy);
}

TEST(CommandLine, SaysWhatIsWrongInOneLine) {
  const struct {
    std::vector<std::string> args;
    std::string message;
  } cases[] = {
      {{"--tpp", "2"}, "unknown flag --tpp; did you mean --tp?"},
      {{"--tensor-paralel-size=2"},
       "unknown flag --tensor-paralel-size; did you mean --tensor-parallel-size?"},
      {{"--temp", "2"}, "unknown flag --temp; did you mean --temperature?"},
      {{"--qwertyuiop"}, "unknown flag --qwertyuiop"},
      {{"-x"}, "unknown flag -x"},
      {{"--tp"}, "--tp needs a value"},
      {{"--tp", "two"}, "--tp: 'two' is not a whole number from 1 to 1048576"},
      {{"--tp", "0"}, "--tp: '0' is not a whole number from 1 to 1048576"},
      {{"--tp", "-1"}, "--tp: '-1' is not a whole number from 1 to 1048576"},
      {{"--tp", "99999999999999999999"},
       "--tp: '99999999999999999999' is not a whole number from 1 to 1048576"},
      {{"--temperature", "nan"}, "--temperature: 'nan' is not a number from 0 to 100"},
      {{"--temperature", ""}, "--temperature: '' is not a number from 0 to 100"},
      {{"--backend", "cupa"},
       "--backend: 'cupa' is not one of cpu, cuda, reference; did you mean cuda?"},
      {{"--pipeline-layout", "12,,28"},
       "--pipeline-layout: '12,,28' is not a list of whole numbers with commas between"},
      {{"--greedy=perhaps"}, "--greedy: 'perhaps' is neither true nor false"},
  };
  for (const auto& row : cases) {
    Options options;
    const Status status = options.Parse(row.args);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    EXPECT_EQ(status.message(), row.message);
  }
}

TEST(Config, FillsInWhatTheCommandLineLeavesOpen) {
  Options options;
  const Status status = options.Parse({"--tp", "2", "--prompt", "mine"}, R"(
tensor_model_parallel_size: 8
pipeline-layout: [12, 28]
temperature: 0.8
greedy: true
backend: reference
prompt: [theirs, also theirs]
)");
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(options.layout.tp_size, 2);
  EXPECT_EQ(options.layout.layers_per_stage, (std::vector<int64_t>{12, 28}));
  EXPECT_EQ(options.temperature, 0.8);
  EXPECT_TRUE(options.greedy);
  EXPECT_EQ(options.backend, "reference");
  EXPECT_EQ(options.prompts, (std::vector<std::string>{"mine"}));
}

TEST(Config, GivesEachItemOfAListToARepeatableFlag) {
  Options options;
  ASSERT_TRUE(options.Parse({}, "prompt: [one, 'two, three']").ok());
  EXPECT_EQ(options.prompts, (std::vector<std::string>{"one", "two, three"}));
}

TEST(Config, NamesTheKeyThatIsWrong) {
  const struct {
    std::string yaml, message;
  } cases[] = {
      {"temperatur: 1", "unknown key 'temperatur'; did you mean temperature?"},
      {"tp: {a: 1}", "key 'tp': a mapping, where a flag's value is wanted"},
      {"tp: null", "key 'tp': a null, where a flag's value is wanted"},
      {"tp: 2\ntp_size: 4", "key 'tp_size': --tp has a value already"},
      {"config: other.yaml", "key 'config': files do not nest"},
      {"- tp", "a mapping of flag names to values is wanted, not a list"},
      {"tp: 2.5", "--tp: '2.5' is not a whole number from 1 to 1048576"},
  };
  for (const auto& row : cases) {
    Options options;
    const Status status = options.Parse({}, row.yaml);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << row.yaml;
    EXPECT_EQ(status.message(), row.message);
  }
}

TEST(Config, FileErrorsAreUsageErrorsThatNameTheFile) {
  const TempDir folder;
  WriteFileOrDie(folder / "bad.yaml", "tp: [1");
  WriteFileOrDie(folder / "key.yaml", "nonsense: 1");
  for (const char* name : {"absent.yaml", "bad.yaml", "key.yaml"}) {
    Options options;
    CommandLine line;
    const Status status = MergeConfigFile(options.Flags(), folder / name, &line);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << name;
    EXPECT_NE(status.message().find(name), std::string::npos) << status.message();
  }
}

TEST(LayoutFlags, PipelineLayoutGivesTheNumberOfStages) {
  LayoutOptions options;
  options.layers_per_stage = {12, 28, 28, 28};
  options.tp_size = 8;
  auto layout = LayoutFromOptions(options);
  ASSERT_TRUE(layout.has_value());
  EXPECT_EQ(layout->pp_size, 4);
  EXPECT_EQ(layout->tp_size, 8);
  EXPECT_EQ(layout->vpp_size, 1);
  options.pp_size = 2;
  layout = LayoutFromOptions(options);
  ASSERT_FALSE(layout.has_value());
  EXPECT_EQ(layout.error().code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace nemo
