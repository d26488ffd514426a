// The texts that are made from a flag table: help, completion scripts, suggestions, exit codes.
#include "tools/common/help.h"

#include <sstream>

#include <gtest/gtest.h>

#include "tools/common/commands.h"
#include "tools/common/completion.h"
#include "tools/common/exit_code.h"
#include "tools/common/suggest.h"

namespace nemo {
namespace {

struct Fixture {
  bool loud = false;
  std::string kind, file, source;
  Tool tool;

  Fixture() {
    const std::vector<std::string> kinds = {"round", "square"};
    tool.name = "nemo-peg";
    tool.summary = "Puts pegs in holes.";
    tool.operands = {{"SRC", "a peg", &source}, {"HOLE", "where it goes", &source, false}};
    tool.groups = {
        {"Pegs",
         {{.name = "peg-kind",
           .aliases = {"kind"},
           .value = "KIND",
           .help = "which [peg]: the user's choice",
           .choices = kinds,
           .set = SetChoice(&kind, kinds)},
          {.name = "from-file", .value = "FILE", .help = "a file", .set = SetText(&file)},
          {.name = "loud", .letter = 'l', .help = "makes noise", .set = SetSwitch(&loud)}}}};
    tool.example = "nemo-peg oak --peg-kind round";
  }
  const std::vector<Flag>& flags() const { return tool.groups[0].flags; }
};

TEST(Help, HasUsageFlagsExitCodesAndAnExample) {
  Fixture fixture;
  fixture.tool.no_means = "it does not fit";
  const std::string text = HelpText(fixture.tool, 100);
  for (const char* part : {"Usage: nemo-peg SRC [HOLE] [flags]\n", "--peg-kind, --kind KIND",
                           "-l, --loud", "-q, --quiet", "Exit codes:\n",
                           "the check ran: it does not fit", "nemo-peg oak --peg-kind round"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
}

TEST(Help, LinesFitTheWidth) {
  Fixture fixture;
  std::istringstream lines(HelpText(fixture.tool, 72));
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 72u) << line;
}

TEST(Help, LeavesOutExitOneOfAToolThatAsksNoQuestion) {
  EXPECT_EQ(HelpText(Fixture().tool, 100).find("the check ran"), std::string::npos);
}

TEST(Completion, OffersFlagsAndTheirChoicesToEachShell) {
  const Fixture fixture;
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const auto script = CompletionScript(shell, "nemo-peg", fixture.flags());
    ASSERT_TRUE(script.has_value());
    for (const char* part : {"peg-kind", "round square", "from-file", "loud"}) {
      EXPECT_NE(script->find(part), std::string::npos) << shell << ": " << part;
    }
  }
}

TEST(Completion, OffersTheCommandsOfAToolOfSeveral) {
  const Fixture fixture;
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const auto script = CompletionScript(shell, "nemo-peg", fixture.flags(), {"hammer", "pull"});
    ASSERT_TRUE(script.has_value());
    EXPECT_NE(script->find("hammer pull"), std::string::npos) << shell;
    const auto without = CompletionScript(shell, "nemo-peg", fixture.flags());
    EXPECT_EQ(without->find("use_subcommand"), std::string::npos) << shell;
    EXPECT_EQ(without->find("1:command"), std::string::npos) << shell;
    EXPECT_EQ(without->find("COMP_CWORD == 1"), std::string::npos) << shell;
  }
}

TEST(Commands, HelpNamesEachWithItsBrief) {
  Fixture fixture;
  fixture.tool.name = "nemo-peg hammer";
  const CommandSet set = {"nemo-peg", "Puts pegs in holes.", {{"hammer", "hard", fixture.tool}}};
  const std::string text = CommandsHelp(set, 80);
  for (const char* part :
       {"Usage: nemo-peg COMMAND [flags]\n", "  hammer                      hard\n",
        "nemo-peg completion bash|zsh|fish"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
  // A command is completed with its siblings.
  EXPECT_EQ(HelpText(fixture.tool, 80).find("completion"), std::string::npos);
}

TEST(Completion, RefusesAnUnknownShell) {
  const auto script = CompletionScript("bsh", "nemo-peg", {});
  ASSERT_FALSE(script.has_value());
  EXPECT_EQ(script.error().message(),
            "completion: 'bsh' is not one of bash, zsh, fish; did you mean bash?");
}

TEST(Suggest, CountsEditsAndSwapsOfNeighbours) {
  const struct {
    const char *a, *b;
    int64_t distance;
  } cases[] = {{"", "", 0},         {"abc", "abc", 0}, {"abc", "", 3},          {"tp", "pt", 1},
               {"form", "from", 1}, {"tpp", "tp", 1},  {"kitten", "sitting", 3}};
  for (const auto& row : cases) {
    EXPECT_EQ(EditDistance(row.a, row.b), row.distance) << row.a << " " << row.b;
    EXPECT_EQ(EditDistance(row.b, row.a), row.distance) << row.b << " " << row.a;
  }
}

TEST(Suggest, NamesNothingWhenNothingIsNear) {
  EXPECT_EQ(Nearest("zzzz", {"alpha", "beta"}), std::nullopt);
  EXPECT_EQ(Nearest("", {"alpha"}), std::nullopt);
  EXPECT_EQ(Nearest(std::string(1000, 'a'), {"alpha"}), std::nullopt);
  EXPECT_EQ(Nearest("bta", {"alpha", "beta"}), "beta");
}

TEST(ExitCode, FollowsTheStatusCode) {
  EXPECT_EQ(ExitCodeFor(OkStatus()), 0);
  EXPECT_EQ(ExitCodeFor(InvalidArgument("x")), 2);
  EXPECT_EQ(ExitCodeFor(NotFound("x")), 3);
  EXPECT_EQ(ExitCodeFor(Corruption("x")), 3);
  EXPECT_EQ(ExitCodeFor(Unsupported("x")), 3);
  EXPECT_EQ(ExitCodeFor(IoError("x")), 4);
  EXPECT_EQ(ExitCodeFor(Unavailable("x")), 4);
}

}  // namespace
}  // namespace nemo
