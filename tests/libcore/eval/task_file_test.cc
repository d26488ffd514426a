// Task files and data files as their users write them: what they may say, and what is told when
// they are wrong.
#include <map>

#include <gtest/gtest.h>

#include "libcore/base/format.h"
#include "libcore/base/yaml.h"
#include "libcore/eval/catalog.h"
#include "libcore/eval/task.h"

namespace nemo::eval {
namespace {

using Texts = std::vector<std::string>;

FileReader Files(std::map<std::string, std::string> files) {
  return [files = std::move(files)](std::string_view name) -> Result<std::string> {
    const auto file = files.find(std::string(name));
    if (file == files.end()) return NotFound(std::string(name));
    return file->second;
  };
}

TEST(DataFile, CsvHasQuotesCommasAndLineEndsInFields) {
  const auto rows = ParseCsv("\"a \"\"b\"\", c\",1\r\n\"two\nlines\",\n", {"text", "number"});
  ASSERT_TRUE(rows) << rows.error().message();
  ASSERT_EQ(rows->size(), 2u);
  EXPECT_EQ(*(*rows)[0].GetString("text"), "a \"b\", c");
  EXPECT_EQ(*(*rows)[1].GetString("text"), "two\nlines");
  EXPECT_EQ(*(*rows)[1].GetString("number"), "");
}

TEST(DataFile, DamageIsToldWithItsLine) {
  const Texts columns = {"a", "b"};
  EXPECT_EQ(ParseCsv("1,2\n\"3,4\n", columns).error().message(),
            "line 2: a quoted field does not end");
  EXPECT_NE(ParseCsv("1,2\n3\n", columns).error().message().find("line 2: 1 fields"),
            std::string::npos);
  EXPECT_FALSE(ParseCsv("\"1\"x,2\n", columns));
  EXPECT_FALSE(ParseTsv("1\t2\t3\n", columns));
  EXPECT_NE(ParseJsonl("{}\n{\n").error().message().find("line 2"), std::string::npos);
  EXPECT_FALSE(ParseJsonl("[]\n"));
  EXPECT_FALSE(ParseJsonRows("{\"rows\":1}", "rows"));
}

TEST(DataFile, TheFirstFileThatExistsIsRead) {
  DataSpec spec;
  spec.files = {"a.tsv", "b.tsv"};
  spec.columns = {"text", "number"};
  spec.rows_begin = 1;
  spec.where = {{"number", "1"}};
  const auto rows = ReadRows(spec, Files({{"b.tsv", "a\t1\nb\t1\nc\t2\n\"d\t1"}}));
  ASSERT_TRUE(rows) << rows.error().message();
  ASSERT_EQ(rows->size(), 2u);
  EXPECT_EQ(*(*rows)[1].GetString("text"), "\"d");
  const auto missing = ReadRows(spec, Files({}));
  EXPECT_EQ(missing.error().code(), StatusCode::kNotFound);
  EXPECT_NE(missing.error().message().find("[a.tsv, b.tsv]"), std::string::npos);
}

std::string Rendered(std::string_view text, const Value& scope) {
  const Result<Template> parsed = Template::Parse(text);
  if (!parsed) return parsed.error().message();
  const Result<std::string> out = parsed->Render(scope);
  return out ? *out : out.error().message();
}

TEST(Template, PutsFieldsThroughSteps) {
  const Value scope = *ParseYaml("{a: ' x_Y ', n: 7, list: [{t: p}, {t: q}]}");
  EXPECT_EQ(Rendered("<{{a}}|{{ a | strip | lower }}>{{n}}", scope), "< x_Y |x_y>7");
  EXPECT_EQ(Rendered("{{list.1.t}}{{a | after(\"_\") | strip}}", scope), "qY");
  EXPECT_EQ(Rendered("{{a | replace(\"x\", \"\\n\") | drop(1)}}", scope), "\n_Y ");
  EXPECT_EQ(Rendered("{{a | remove(\"[a-z]\")}}", scope), " _Y ");
  EXPECT_EQ(Rendered("no { field }", scope), "no { field }");
}

TEST(Template, SaysWhatIsWrong) {
  const Value scope = *ParseYaml("{a: x, b: y}");
  const auto says = [&](std::string_view text, std::string_view what) {
    EXPECT_NE(Rendered(text, scope).find(what), std::string::npos) << Rendered(text, scope);
  };
  says("{{c}}", "there is no field 'c'; where 'c' is looked for there are [a, b]");
  says("{{a", "'|' or '}}' was expected");
  says("{{a | shout}}", "there is no step 'shout'; there are [strip, ");
  says("{{a | drop}}", "takes 1 arguments, not 0");
  says("{{a | drop(\"x\")}}", "'x' is no number");
  says("{{a | before(\"_\")}}", "there is no '_'");
  says("{{a | remove(\"(\")}}", "regular expression");
}

constexpr std::string_view kTask = R"(
tasks:
  - name: colours
    kind: multiple_choice
    data: {files: [colours.jsonl]}
    fewshot: {files: [colours.jsonl], draw: random, others_only: true}
    question: 'The sky is'
    choices: {each: names, value: '{{item}}'}
    gold: '{{right}}'
    gold_among: {each: names, value: '{{letter}}'}
    metrics: [acc, acc_norm]
)";
constexpr std::string_view kRows =
    "{\"names\":[\"blue\",\"red\"],\"right\":\"A\"}\n{\"names\":[\"grey\",\"green\",\"black\"],"
    "\"right\":\"C\"}\n";

TEST(TaskFile, AUsersOwnRowsNeedNothingElse) {
  const auto suite = ParseSuite(kTask);
  ASSERT_TRUE(suite) << suite.error().message();
  TaskOptions options;
  options.num_fewshot = 1;
  const auto data =
      TaskData::Load(suite->tasks[0], Files({{"colours.jsonl", std::string(kRows)}}), options);
  ASSERT_TRUE(data) << data.error().message();
  const auto samples = data->Samples();
  ASSERT_TRUE(samples) << samples.error().message();
  ASSERT_EQ(samples->size(), 2u);
  const Sample& first = (*samples)[0];
  EXPECT_EQ(first.contexts, (Texts{"The sky is black\n\nThe sky is"}));  // never itself
  ASSERT_EQ(first.requests.size(), 2u);
  EXPECT_EQ(first.requests[1].continuation, " red");
  EXPECT_EQ(first.gold, 0);
  EXPECT_EQ((*samples)[1].gold, 2);
}

TEST(TaskFile, TheFirstOfEqualChoicesWins) {
  const TaskSpec task = ParseSuite(kTask)->tasks[0];
  Sample sample;
  sample.choices = {"ab", "abcd"};
  sample.gold = 0;
  const std::vector<EvalResponse> equal = {{-2, false, ""}, {-2, false, ""}};
  const auto verdict = (*(*FindKind("multiple_choice"))->judge(task, sample, equal, nullptr))[0];
  EXPECT_EQ(verdict.metrics[0].value, 1.0);  // acc
  EXPECT_EQ(verdict.metrics[1].value, 0.0);  // acc_norm: -2 over 4 characters is more
}

TEST(TaskFile, TooFewExamplesAreRefused) {
  const auto suite = ParseSuite(kTask);
  TaskOptions options;
  options.num_fewshot = 2;
  const auto data =
      TaskData::Load(suite->tasks[0], Files({{"colours.jsonl", std::string(kRows)}}), options);
  ASSERT_FALSE(data);
  EXPECT_EQ(data.error().message(), "2 examples are wanted, and there are 2 to draw from");
}

/// kTask with one line changed.
std::string Changed(std::string_view from, std::string_view to) {
  std::string text(kTask);
  return text.replace(text.find(from), from.size(), to);
}

TEST(TaskFile, SaysWhatIsWrong) {
  const std::pair<std::string, std::string_view> cases[] = {
      {Changed("gold:", "golden:"), "there is no key 'golden' here"},
      {Changed("multiple_choice", "quiz"), "kind: there is no 'quiz'; there are [multiple_choice"},
      {Changed("[acc, acc_norm]", "[bleu]"), "there is no metric 'bleu'"},
      {Changed("[acc, acc_norm]", "[exact_match]"), "multiple_choice has acc and acc_norm"},
      {Changed("'{{right}}'", "'{{right'"), "gold: template"},
      {Changed("draw: random", "draw: lots"), "draw: first or random, not 'lots'"},
      {Changed("name: colours", "name: a b"), "name: letters, digits"},
      {Changed("name: colours", "name: colours\n    for_each: rows"), "there is no list rows"},
      {Changed("'The sky is'", "'The ${x} is'"), "${x}: the row has no such key"},
  };
  for (const auto& [yaml, what] : cases) {
    const auto suite = ParseSuite(yaml);
    ASSERT_FALSE(suite) << yaml;
    EXPECT_NE(suite.error().message().find(what), std::string::npos) << suite.error().message();
  }
}

TEST(TaskFile, AWrongAnswerOfARowIsToldWithItsPlace) {
  const auto suite = ParseSuite(kTask);
  const auto data = TaskData::Load(
      suite->tasks[0], Files({{"colours.jsonl", "{\"names\":[\"blue\"],\"right\":\"B\"}\n"}}), {});
  const auto samples = data->Samples();
  ASSERT_FALSE(samples);
  EXPECT_EQ(samples.error().message(), "task colours: row 0: the right answer 'B' is none of [A]");
}

constexpr std::string_view kLoop = R"(
tables: {rows: [{n: one, g: odd}, {n: two, g: even}]}
tasks:
  - name: t_${n}
    for_each: rows
    kind: perplexity
    groups: ['${g}']
    data: {files: ['${n}.jsonl']}
    target: '{{text}}'
    metrics: [word_perplexity]
groups:
  - {name: odd}
  - {name: even}
  - {name: all, members: [odd, even]}
)";

TEST(Catalog, SelectsTasksAndGroups) {
  const std::vector<std::pair<std::string, std::string>> suites = {{"loop", std::string(kLoop)},
                                                                   {"sky", std::string(kTask)}};
  const auto catalog = Catalog::Read(suites);
  ASSERT_TRUE(catalog) << catalog.error().message();
  const Texts names = {"all", "colours@3"};
  const auto selection = catalog->Select(names, 1);
  ASSERT_TRUE(selection) << selection.error().message();
  ASSERT_EQ(selection->tasks.size(), 3u);
  EXPECT_EQ(selection->tasks[1].task->name, "t_two");
  EXPECT_EQ(selection->tasks[0].num_fewshot, 1);
  EXPECT_EQ(selection->tasks[2].num_fewshot, 3);
  EXPECT_EQ(selection->groups.size(), 3u);
  const Texts twice = {"odd", "t_one@2"}, unknown = {"colour"}, odd = {"odd@x"};
  EXPECT_EQ(catalog->Select(twice, 1).error().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(catalog->Select(unknown, 1).error().code(), StatusCode::kNotFound);
  EXPECT_EQ(catalog->Select(odd, 1).error().code(), StatusCode::kInvalidArgument);
  const std::vector<std::pair<std::string, std::string>> same = {{"a", std::string(kTask)},
                                                                 {"b", std::string(kTask)}};
  EXPECT_FALSE(Catalog::Read(same));
}

}  // namespace
}  // namespace nemo::eval
