#include "tools/common/tool.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "kernels/comm/mpi_comm.h"
#include "libcore/base/format.h"
#include "libcore/base/json.h"
#include "libcore/base/thread_pool.h"
#include "tools/common/command_line.h"
#include "tools/common/completion.h"
#include "tools/common/exit_code.h"
#include "tools/common/help.h"
#include "tools/common/manual.h"
#include "tools/common/status_reporter.h"
#include "tools/common/terminal.h"
#include "tools/common/terminal_progress.h"
#include "tools/common/version.h"

namespace nemo {
namespace {

constexpr int64_t kMaxThreads = 4096;
constexpr int kHelpWidth = 100;

std::vector<Flag> AllFlags(const Tool& tool, CommonOptions* common) {
  std::vector<Flag> flags;
  for (const FlagGroup& group : tool.groups) {
    flags.insert(flags.end(), group.flags.begin(), group.flags.end());
  }
  const FlagGroup shared = CommonFlags(common);
  flags.insert(flags.end(), shared.flags.begin(), shared.flags.end());
  return flags;
}

Status TakeOperands(const Tool& tool, const std::vector<std::string>& given) {
  for (size_t i = 0; i < tool.operands.size(); ++i) {
    if (i < given.size()) {
      *tool.operands[i].value = given[i];
    } else if (tool.operands[i].required) {
      return InvalidArgument(Format("{} is missing", tool.operands[i].name));
    }
  }
  if (given.size() > tool.operands.size()) {
    return InvalidArgument(Format("unexpected argument '{}'", given[tool.operands.size()]));
  }
  return OkStatus();
}

/// Cores of this process. Ranks that mpirun has bound to no cores of their own share the machine's.
int64_t DefaultThreads() {
  const int cores = AvailableCores();
  const char* text = std::getenv("OMPI_COMM_WORLD_LOCAL_SIZE");
  if (text == nullptr || cores < static_cast<int>(std::thread::hardware_concurrency()))
    return cores;
  const Result<int64_t> ranks = ParseInt(text, 1, kMaxThreads);
  return ranks ? std::max<int64_t>(1, cores / *ranks) : cores;
}

/// Everything up to the tool's own work. `done`: help or a version was printed.
Status Prepare(const Tool& tool, const std::vector<std::string>& args, CommonOptions* common,
               bool* done) {
  const std::vector<Flag> flags = AllFlags(tool, common);
  NEMO_ASSIGN_OR_RETURN(CommandLine line, ParseCommandLine(flags, args));
  *done = line.Has("help") || line.Has("version");
  if (*done) {
    const int width = std::min(kHelpWidth, TerminalWidth(stdout, kHelpWidth));
    const std::string text = line.Has("help") ? HelpText(tool, width) : VersionText(tool.name);
    std::fputs(text.c_str(), stdout);
    return OkStatus();
  }
  if (line.Has("config")) {
    NEMO_RETURN_IF_ERROR(MergeConfigFile(flags, line.flags["config"].back(), &line));
  }
  NEMO_RETURN_IF_ERROR(ApplyFlags(flags, line));
  if (common->threads == 0) common->threads = DefaultThreads();
  return TakeOperands(tool, line.operands);
}

void InstallSignalHandlers() {
  struct sigaction action = {};
  action.sa_handler = RequestStop;
  // The first signal asks; a second one does not ask.
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

/// Says what went wrong. Without a message somebody else has said it (another rank).
int Fail(const Tool& tool, const Status& status, bool usage) {
  if (status.message().empty()) return ExitCodeFor(status);
  std::string line = Format("{} {}", Alarm(stderr, tool.name + ":"), status.message());
  if (usage) line += Format(" ({} --help lists the flags)", tool.name);
  std::fputs((line + "\n").c_str(), stderr);
  return ExitCodeFor(status);
}

/// What was printed must have arrived: a result on a full disk is no result.
Status FlushResults() {
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    return IoError("standard output: the results could not be written");
  }
  return OkStatus();
}

/// The tool's own work: its exit code, and what went wrong.
JobEnd RunTool(const Tool& tool, const CommonOptions& common, JobProgress& progress) {
  const Result<bool> answer = tool.run(Console(tool.name, common, progress));
  if (!answer) {
    std::fflush(stdout);
    return {Fail(tool, answer.error(), false), answer.error().message()};
  }
  if (const Status flushed = FlushResults(); !flushed.ok()) {
    return {Fail(tool, flushed, false), flushed.message()};
  }
  return {*answer ? kExitDone : kExitNo, ""};
}

int Run(const Tool& tool, const CommonOptions& common) {
  InstallSignalHandlers();
  const auto style = ProgressStyle(common.progress, common.quiet, stderr);
  TerminalProgress screen(stderr, style);
  JobProgress progress(screen);
  if (LaunchRank() != 0) {
    IgnoreStatusSignal();
    return RunTool(tool, common, progress).exit_code;
  }
  auto reporter = StatusReporter::Start({.tool = tool.name,
                                         .file = common.status_file,
                                         .breaks_line = style == TerminalProgress::Style::kRedraw},
                                        progress);
  if (!reporter) return Fail(tool, reporter.error(), false);
  const JobEnd end = RunTool(tool, common, progress);
  // The job itself is done, or has its own error.
  if (const Status told = (*reporter)->End(end); !told.ok()) {
    (void)Fail(tool, told.At("--status-file"), false);
  }
  return end.exit_code;
}

/// `completion SHELL`, `manual FORM`: text about the tool, for other programs.
int PrintText(const Tool& tool, const Result<std::string>& text) {
  if (!text) return Fail(tool, text.error(), true);
  std::fputs(text->c_str(), stdout);
  const Status flushed = FlushResults();
  return flushed.ok() ? kExitDone : Fail(tool, flushed, false);
}

}  // namespace

void Console::Print(std::string_view text) const {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

void Console::PrintJson(const Value& value) const { Print(ToJson(value, 2) + "\n"); }

void Console::Note(std::string_view text) const {
  if (!options_.quiet) std::fputs(Format("{}: {}\n", tool_, text).c_str(), stderr);
}

void Console::Detail(std::string_view text) const {
  if (verbose()) Note(text);
}

FlagGroup CommonFlags(CommonOptions* options) {
  const std::vector<std::string> when = {"auto", "always", "never"};
  return {
      "Common flags",
      {
          {.name = "help", .letter = 'h', .help = "this text", .set = SetSwitch(&options->help)},
          {.name = "version",
           .help = "name, version, backends, instruction sets",
           .set = SetSwitch(&options->version)},
          {.name = "config",
           .value = "FILE.yaml",
           .help = "flags from a file, one key per long flag name; flags given here win",
           .set = SetText(&options->config)},
          {.name = "json",
           .help = "the result as one JSON object on stdout",
           .set = SetSwitch(&options->json)},
          {.name = "quiet",
           .letter = 'q',
           .help = "no remarks and no progress on stderr",
           .set = SetSwitch(&options->quiet)},
          {.name = "verbose",
           .letter = 'v',
           .help = "more remarks on stderr",
           .set = CountSwitch(&options->verbose)},
          {.name = "progress",
           .value = "WHEN",
           .help = "auto (default: when stderr is a terminal), always, never",
           .choices = when,
           .set = SetChoice(&options->progress, when)},
          {.name = "status-file",
           .value = "FILE",
           .help = "keep how far the job is in FILE, a JSON object that is replaced every second; "
                   "SIGUSR1 prints it as a line on stderr",
           .set = SetText(&options->status_file)},
          {.name = "threads",
           .value = "N",
           .help = "default: the cores this process may use",
           .set = SetInt(&options->threads, 1, kMaxThreads)},
      }};
}

int Main(int argc, char** argv, Tool tool) {
  const std::vector<std::string> args(argv + std::min(argc, 1), argv + argc);
  CommonOptions common;
  // A command of several is completed and described with its siblings (commands.h).
  const bool is_command = tool.name.find(' ') != std::string::npos;
  if (!is_command && args.size() == 2 && args[0] == "completion") {
    return PrintText(tool, CompletionScript(args[1], tool.name, AllFlags(tool, &common)));
  }
  if (!is_command && args.size() == 2 && args[0] == "manual") {
    return PrintText(tool, Manual(args[1], tool));
  }
  bool done = false;
  const Status prepared = Prepare(tool, args, &common, &done);
  if (!prepared.ok()) return Fail(tool, prepared, true);
  if (done) {
    const Status flushed = FlushResults();
    return flushed.ok() ? kExitDone : Fail(tool, flushed, false);
  }
  return Run(tool, common);
}

}  // namespace nemo
