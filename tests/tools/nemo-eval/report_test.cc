// The page of an evaluation, from files as lm-evaluation-harness writes them.
#include <gtest/gtest.h>

#include "libcore/base/json.h"
#include "tests/testing.h"
#include "tools/nemo-eval/report/bars.h"
#include "tools/nemo-eval/report/page.h"
#include "tools/nemo-eval/report/samples.h"
#include "tools/nemo-eval/report/scores.h"

namespace nemo {
namespace {

constexpr const char* kResults = R"({
  "results": {
    "mmlu": {"alias": "mmlu", "acc,none": 0.5, "acc_stderr,none": 0.01},
    "mmlu_stem": {"alias": " - stem", "acc,none": 0.25, "acc_stderr,none": 0.02},
    "mmlu_anatomy": {"alias": "  - anatomy", "acc,none": 0.25, "acc_stderr,none": 0.1},
    "mmlu_algebra": {"alias": "  - algebra", "acc,none": 0.75, "acc_stderr,none": "N/A"},
    "arc_challenge": {"alias": "arc_challenge", "acc,none": 0.4, "acc_stderr,none": 0.05,
                      "acc_norm,none": 0.45, "acc_norm_stderr,none": 0.05},
    "wikitext": {"alias": "wikitext", "word_perplexity,none": 12.5}
  },
  "group_subtasks": {"mmlu": ["mmlu_stem"], "mmlu_stem": ["mmlu_anatomy", "mmlu_algebra"],
                     "arc_challenge": []},
  "n-shot": {"mmlu_anatomy": 5, "arc_challenge": 25},
  "n-samples": {"arc_challenge": {"original": 1172, "effective": 40}},
  "configs": {"arc_challenge": {"variant": "the harness' <form>"}},
  "published": [{"task": "arc_challenge", "metric": "acc_norm,none", "value": 0.9428,
                 "remark": "model card"}],
  "config": {"model": "nemo", "limit": 40}, "model_name": "tiny & odd"
})";

Value Results() { return ParseJson(kResults).value(); }

std::vector<std::string> NamesOf(const std::vector<ScoreRow>& rows) {
  std::vector<std::string> names;
  for (const ScoreRow& row : rows) names.push_back(row.alias + " " + row.MetricText());
  return names;
}

TEST(Scores, StandInTheirGroups) {
  const std::vector<ScoreSection> sections = SectionsOf(Results());
  ASSERT_EQ(sections.size(), 3u);
  EXPECT_EQ(sections[0].name, "mmlu");
  EXPECT_EQ(NamesOf(sections[0].own), (std::vector<std::string>{"mmlu acc", "stem acc"}));
  EXPECT_EQ(NamesOf(sections[0].members), (std::vector<std::string>{"anatomy acc", "algebra acc"}));
  EXPECT_EQ(sections[0].parts, (std::vector<std::string>{"mmlu_stem", "mmlu_stem"}));
  EXPECT_EQ(NamesOf(sections[1].own),
            (std::vector<std::string>{"arc_challenge acc", "arc_challenge acc_norm"}));
}

TEST(Scores, KnowShotsErrorsAndWhatWasPublished) {
  const std::vector<ScoreSection> sections = SectionsOf(Results());
  const ScoreRow& norm = sections[1].own[1];
  EXPECT_EQ(norm.num_fewshot, 25);
  EXPECT_EQ(norm.num_samples, 40);
  EXPECT_EQ(norm.num_original, 1172);
  ASSERT_TRUE(norm.published);
  EXPECT_EQ(norm.published->value, 0.9428);
  EXPECT_EQ(norm.ValueText(), "45.00 %");
  EXPECT_FALSE(sections[1].own[0].published);
  EXPECT_FALSE(sections[0].members[1].stderr_);  // "N/A"
  EXPECT_FALSE(sections[2].own[0].is_share());
  EXPECT_EQ(sections[2].own[0].ValueText(), "12.5");
}

TEST(Scores, AGroupWhoseTasksAreSomeOfAnothersIsAPartOfIt) {
  const Value flat = ParseJson(R"({"results": {"a": {"acc,none": 1}, "b": {"acc,none": 0},
      "all": {"acc,none": 0.5}, "some": {"acc,none": 1}},
      "group_subtasks": {"all": ["a", "b"], "some": ["a"], "a": [], "b": []}})")
                         .value();
  const std::vector<ScoreSection> sections = SectionsOf(flat);
  ASSERT_EQ(sections.size(), 1u);
  EXPECT_EQ(NamesOf(sections[0].own), (std::vector<std::string>{"all acc", "some acc"}));
  EXPECT_EQ(sections[0].parts, (std::vector<std::string>{"some", ""}));
}

TEST(Scores, GroupsThatHoldOneAnotherEnd) {
  const Value circle = ParseJson(R"({"results": {"a": {"acc,none": 1}, "x": {"acc,none": 0}},
      "group_subtasks": {"a": ["b"], "b": ["c", "x"], "c": ["b"]}})")
                           .value();
  const std::vector<ScoreSection> sections = SectionsOf(circle);
  ASSERT_EQ(sections.size(), 1u);
  EXPECT_EQ(NamesOf(sections[0].members), std::vector<std::string>{"x acc"});
}

TEST(Scores, OfAFileThatIsNoneAreNone) {
  for (const char* text :
       {"[]", "{}", R"({"results": 1})", R"({"results": {"a": 1}})",
        R"({"results": {"a": {"acc": 1, "x,y": "z"}}, "group_subtasks": {"a": 3}})"}) {
    EXPECT_TRUE(SectionsOf(ParseJson(text).value()).empty()) << text;
  }
}

TEST(Bars, ReachAsFarAsTheScore) {
  ScoreRow row;
  row.metric = "acc";
  row.value = 0.25;
  row.stderr_ = 0.01;
  row.published = PublishedScore{0.5, ""};
  const std::string html = BarsHtml(std::vector<ScoreBar>{{"a<b", "", "", 0, &row}});
  EXPECT_NE(html.find("width:25.000%"), html.npos);
  EXPECT_NE(html.find("left:23.040%;width:3.920%"), html.npos) << "1.96 standard errors";
  EXPECT_NE(html.find("class=\"mark\" style=\"left:50.000%\""), html.npos);
  EXPECT_EQ(html.find("a<b"), html.npos);
}

TaskSamples ChoiceSamples(int64_t count) {
  TaskSamples samples{"anatomy", {}, count};
  for (int64_t i = 0; i < count; ++i) {
    Value row = ParseJson(R"({"target": "1", "filter": "none", "metrics": ["acc"], "acc": 1.0,
        "arguments": {"gen_args_0": {"arg_0": "Q </script>", "arg_1": " A"},
                      "gen_args_1": {"arg_0": "Q </script>", "arg_1": " B"}},
        "resps": [[["-2.5", "False"]], [["-1.25", "True"]]]})")
                    .value();
    row.Set("doc_id", i);
    samples.rows.push_back(std::move(row));
  }
  return samples;
}

TEST(BrowserData, HoldsWhatWasAskedAndAnswered) {
  const std::string text = BrowserData({ChoiceSamples(1)}, 1 << 20);
  EXPECT_EQ(text.find('<'), text.npos) << "it would end the script element";
  const Value data = ParseJson(text).value();
  const Value& row = data.as_array()[0].Find("rows")->as_array()[0];
  EXPECT_EQ(*row.Find("context"), Value("Q </script>"));
  EXPECT_EQ(*row.Find("gold"), Value(1.0));
  EXPECT_EQ(*row.Find("score"), Value(1.0));
  const Value& choice = row.Find("choices")->as_array()[1];
  EXPECT_EQ(*choice.Find("text"), Value(" B"));
  EXPECT_EQ(*choice.Find("ll"), Value(-1.25));
  EXPECT_EQ(*choice.Find("greedy"), Value(true));
}

TEST(BrowserData, StaysWithinItsBytes) {
  const std::string text = BrowserData({ChoiceSamples(1000), ChoiceSamples(1000)}, 20000);
  EXPECT_LT(text.size(), 21000u);
  const Value data = ParseJson(text).value();
  for (const Value& task : data.as_array()) {
    EXPECT_GT(task.Find("rows")->as_array().size(), 10u);
    EXPECT_EQ(*task.Find("total"), Value(int64_t{1000}));
  }
}

TEST(BrowserData, CutsLongContextsBetweenCharacters) {
  TaskSamples samples = ChoiceSamples(1);
  std::string question;
  for (int i = 0; i < 3000; ++i) question += "é";
  Value request;
  request.Set("arg_0", question + "?");
  Value arguments;
  arguments.Set("gen_args_0", std::move(request));
  samples.rows[0].Set("arguments", std::move(arguments));
  const Value data = ParseJson(BrowserData({samples}, 1 << 20)).value();
  const Value& row = data.as_array()[0].Find("rows")->as_array()[0];
  const std::string& shown = row.Find("context")->as_string();
  EXPECT_LE(shown.size(), 3000u);
  EXPECT_TRUE(shown.starts_with("é"));
  EXPECT_EQ(static_cast<size_t>(row.Find("cut")->as_int()), 3000 - (shown.size() - 1) / 2);
}

TEST(EvalPage, NeedsNothingFromElsewhere) {
  const std::string page = EvalPage(Results(), {ChoiceSamples(2)});
  for (const char* loader : {"src=", "href=", "@import", "url("}) {
    EXPECT_EQ(page.find(loader), page.npos) << loader;
  }
  EXPECT_NE(page.find("tiny &amp; odd"), page.npos);
  EXPECT_NE(page.find("the harness' &lt;form&gt;"), page.npos);
  EXPECT_NE(page.find("40 of 1172"), page.npos);
}

TEST(WriteEvalPage, ReadsADirectoryOfResults) {
  testing::TempDir dir;
  EXPECT_EQ(WriteEvalPage(dir.path()).code(), StatusCode::kNotFound);
  testing::WriteFileOrDie(dir / "results.json", kResults);
  testing::WriteFileOrDie(dir / "samples_arc_challenge.jsonl",
                          "{\"doc_id\": 0}\n\n{\"doc_id\": 1}\n");
  ASSERT_TRUE(WriteEvalPage(dir.path()).ok());
  EXPECT_NE(testing::ReadFileOrDie(dir / "report.html").find("\"total\":2"), std::string::npos);
  testing::WriteFileOrDie(dir / "samples_arc_challenge.jsonl", "{\"doc_id\": 0\n");
  const Status torn = WriteEvalPage(dir.path());
  EXPECT_EQ(torn.code(), StatusCode::kCorruption);
  EXPECT_NE(torn.message().find("samples_arc_challenge.jsonl: line 1"), std::string::npos);
}

}  // namespace
}  // namespace nemo
