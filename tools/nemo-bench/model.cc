#include "tools/nemo-bench/model.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "kernels/comm/mpi_comm.h"
#include "kernels/comm/run_ranks.h"
#include "kernels/comm/thread_comm.h"
#include "kernels/reference/backend.h"
#include "libcore/base/file.h"
#include "libcore/base/format.h"
#include "libcore/runtime/engine.h"
#include "tools/common/model_yaml.h"
#include "tools/common/one_voice.h"
#include "tools/common/shard_report.h"
#include "tools/common/source.h"
#include "tools/common/world_flags.h"
#include "tools/nemo-bench/engine/engine_bench.h"
#include "tools/nemo-bench/engine/few_shot.h"
#include "tools/nemo-bench/measure/gpu_state.h"
#include "tools/nemo-bench/measure/machine.h"
#include "tools/nemo-bench/measure/page_cache.h"
#include "tools/nemo-bench/measure/probes.h"
#include "tools/nemo-bench/measure/repeat.h"
#include "tools/nemo-bench/model_subject.h"

namespace nemo {
namespace {

/// Logits whose rms difference is above this share of their rms are not the reference's: a bf16
/// number has 8 bits, and a few layers of rounding in another order add up to about one of them.
constexpr double kMaxLogitError = 1.0 / 128;

/// A prompt is long enough for a median of a few.
constexpr int64_t kEnoughPrompts = 5;

int64_t Most(const std::vector<int64_t>& values) {
  return values.empty() ? 0 : *std::max_element(values.begin(), values.end());
}

Status CheckOptions(const ModelOptions& options, const ModelConfig& config) {
  const EngineBenchOptions defaults;
  for (const auto& [flag, length] :
       {std::pair("--n-prompt", Most(options.prompts)),
        std::pair("--texts", options.texts > 0 ? kLongestText : 0),
        std::pair("--questions", options.questions > 0 ? kFewShotTokens : 0),
        std::pair("--n-gen", Most(options.generated) + defaults.warmup_steps),
        std::pair("--check-tokens", options.check_tokens)}) {
    if (length > config.max_position_embeddings) {
      return InvalidArgument(Format("{}: {} tokens do not fit the model's context of {}", flag,
                                    length, config.max_position_embeddings));
    }
  }
  if (options.batches.empty() || Most(options.batches) > 4096 ||
      *std::min_element(options.batches.begin(), options.batches.end()) < 1) {
    return InvalidArgument("--batch: numbers from 1 to 4096 are wanted");
  }
  if (options.check && LaunchedByMpi()) {
    return InvalidArgument("--check: run it without mpirun; ranks are threads then");
  }
  return OkStatus();
}

/// A row of the report with the figures that belong to lbench's name of it.
struct Row {
  Record record;
  std::string metric;  ///< "decode_b8"; its lines end in _wall and _cpu
};

/// What the ranks of a process share. Rank 0 fills in the rows.
struct Session {
  const ModelOptions& options;
  Subject subject;
  EngineBenchOptions bench;
  int threads = 1;
  Stopwatch since_start;  ///< before the checkpoint was opened
  std::optional<Limits> limits = {};
  std::string backend = {};
  std::string device_state = {};  ///< of an accelerator
  double first_token_seconds = 0;
  int64_t peak_memory_bytes = 0;
  std::vector<Row> rows = {};
  std::vector<float> logits = {};  ///< of --check
};

Row MakeRow(const Session& session, std::string name, std::string metric, int64_t tokens,
            const StepTimes& times, const Work& work) {
  Row row;
  Record& record = row.record;
  record.name = std::move(name);
  record.operation = record.name.substr(0, 2);
  record.dtype = "bf16";
  record.backend = session.backend;
  record.time = Summarize(times.wall);
  record.work = work;
  const Summary cpu = Summarize(times.cpu);
  record.rates = {{"tok/s", static_cast<double>(tokens) / record.time.median},
                  {"tok/CPU-s", static_cast<double>(tokens) / cpu.median}};
  record.warnings = WarningsOf(record.time, kEnoughPrompts);
  row.metric = std::move(metric);
  return row;
}

Status MeasureRows(Session& session, Engine& engine, const Console& console) {
  const ModelOptions& options = session.options;
  const ModelConfig& config = engine.config();
  const bool speaks = engine.world().rank() == 0;
  for (const int64_t tokens : options.prompts) {
    if (tokens == 0 || options.repetitions == 0) continue;
    if (speaks) console.Detail(Format("pp{}", tokens));
    NEMO_ASSIGN_OR_RETURN(const StepTimes times,
                          MeasurePrefill(engine, session.bench, tokens, options.repetitions));
    if (!speaks) continue;
    Row row = MakeRow(session, Format("pp{}", tokens), Format("prefill_{}", tokens), tokens, times,
                      PrefillWork(config, tokens, session.bench.prefill_chunk));
    row.record.shape = Format("chunks of {}", std::min(tokens, session.bench.prefill_chunk));
    session.rows.push_back(std::move(row));
  }
  if (options.texts > 0) {
    if (speaks) console.Detail(Format("ll{}", options.texts));
    NEMO_ASSIGN_OR_RETURN(const StepTimes times,
                          MeasureScoring(engine, session.bench, options.repetitions));
    int64_t tokens = 0;
    for (int64_t text = 0; text < options.texts; ++text) tokens += TokensOfText(text);
    if (speaks) {
      Row row = MakeRow(session, Format("ll{}", options.texts), Format("loglik_{}", options.texts),
                        tokens, times, ScoringWork(config, session.bench));
      row.record.shape = Format("{} tokens in texts of 64 to 256", tokens);
      session.rows.push_back(std::move(row));
    }
  }
  if (options.questions > 0) {
    if (speaks) console.Detail(Format("fs{}", options.questions));
    NEMO_ASSIGN_OR_RETURN(const StepTimes times,
                          MeasureFewShot(engine, session.bench, options.repetitions));
    if (speaks) {
      Row row = MakeRow(session, Format("fs{}", options.questions),
                        Format("fewshot_{}", options.questions),
                        options.questions * (kHeadTokens + kQuestionTokens), times,
                        FewShotWork(config, session.bench));
      row.record.shape =
          Format("questions of {} tokens after {} of their subject", kQuestionTokens, kHeadTokens);
      session.rows.push_back(std::move(row));
    }
  }
  for (const int64_t steps : options.generated) {
    for (const int64_t batch : options.batches) {
      if (steps == 0) continue;
      if (speaks) console.Detail(Format("tg{}, batch {}", steps, batch));
      NEMO_ASSIGN_OR_RETURN(const StepTimes times,
                            MeasureDecode(engine, session.bench, batch, steps));
      if (!speaks) continue;
      Row row =
          MakeRow(session, batch == 1 ? Format("tg{}", steps) : Format("tg{}/b{}", steps, batch),
                  Format("decode_b{}", batch), batch, times, DecodeWork(config, batch, steps));
      row.record.shape = Format("batch {}", batch);
      session.rows.push_back(std::move(row));
    }
  }
  return OkStatus();
}

Result<std::unique_ptr<Engine>> MakeEngine(const Session& session, const ParallelLayout& layout,
                                           const EngineOptions& options, Backend& backend,
                                           Communicator& world, const Console& console) {
  const Subject& subject = session.subject;
  NEMO_ASSIGN_OR_RETURN(
      RankWeights weights,
      LoadWeights(*subject.source, subject.config, layout, world.rank(), backend, session.threads,
                  world.rank() == 0 ? console.progress() : NullProgress()));
  return Engine::Create(subject.config, layout, options, std::move(weights), backend, world);
}

/// The limits of all ranks together. Processes probe at the same time and are added up; for threads
/// one does it with the threads of all.
Status ProbeAll(Session& session, Backend& backend, Communicator& world, const Console& console) {
  NEMO_RETURN_IF_ERROR(world.Barrier());
  const bool speaks = world.rank() == 0;
  if (!speaks && !session.bench.processes) return OkStatus();
  NEMO_ASSIGN_OR_RETURN(std::optional<Limits> probed, ProbeLimits(backend, console.threads()));
  if (!probed) return OkStatus();
  Limits limits = *std::move(probed);
  if (session.bench.processes) {
    for (double* figure :
         {&limits.read_bytes_per_second, &limits.copy_bytes_per_second, &limits.flops_per_second}) {
      NEMO_ASSIGN_OR_RETURN(*figure, SumOverRanks(world, *figure));
    }
  }
  if (!speaks) return OkStatus();
  for (Row& row : session.rows) AddRoofline(limits, &row.record);
  session.limits = std::move(limits);
  return OkStatus();
}

Status RunRank(Session& session, Communicator& world, const Console& console) {
  const ModelOptions& options = session.options;
  BackendChoice choice = options.backend;
  // Threads of one process take neighbouring devices; a process has the one it was given.
  if (!session.bench.processes) choice.device += world.rank();
  NEMO_ASSIGN_OR_RETURN(const std::unique_ptr<Backend> backend,
                        MakeBackend(choice, session.threads));
  const Result<Value> device_before = GpuState(static_cast<int>(choice.device));
  const int64_t check_tokens = options.check ? options.check_tokens : 1;
  EngineOptions engine_options =
      OptionsFor(session.bench, std::max(Most(options.prompts), check_tokens),
                 Most(options.batches), Most(options.generated));
  engine_options.max_step_tokens = std::max(engine_options.max_step_tokens, check_tokens);
  NEMO_ASSIGN_OR_RETURN(
      const std::unique_ptr<Engine> engine,
      MakeEngine(session, session.subject.layout, engine_options, *backend, world, console));
  NEMO_RETURN_IF_ERROR(LogitsOf(*engine, 1).error());
  if (world.rank() == 0) {
    session.first_token_seconds = session.since_start.wall_seconds();
    session.backend = DescribeBackend(*backend);
  }
  NEMO_RETURN_IF_ERROR(MeasureRows(session, *engine, console));
  // Before the probes' own buffers.
  if (world.rank() == 0) session.peak_memory_bytes = PeakMemoryBytes();
  // Ranks that are threads may share a device or have one each: nobody here knows their limit.
  if (backend->host_memory() || session.bench.processes || world.size() == 1) {
    NEMO_RETURN_IF_ERROR(ProbeAll(session, *backend, world, console));
  }
  if (!backend->host_memory() && world.rank() == 0) {
    session.device_state =
        DeviceStateText(device_before, GpuState(static_cast<int>(choice.device)));
  }
  if (!options.check) return OkStatus();
  NEMO_ASSIGN_OR_RETURN(std::vector<float> logits, LogitsOf(*engine, options.check_tokens));
  if (world.rank() == engine->last_stage_root()) session.logits = std::move(logits);
  return OkStatus();
}

/// The same model on the reference backend, one rank. False: its logits are others.
Result<bool> CheckLogits(Session& session, const Console& console, Report* report) {
  const int64_t tokens = session.options.check_tokens;
  console.Detail("the reference backend");
  const std::unique_ptr<Backend> reference = CreateReferenceBackend();
  const std::unique_ptr<Communicator> self = MakeSelf();
  const EngineBenchOptions bench = {.prefill_chunk = tokens};
  NEMO_ASSIGN_OR_RETURN(const std::unique_ptr<Engine> engine,
                        MakeEngine(session, ParallelLayout(), OptionsFor(bench, tokens, 1, 0),
                                   *reference, *self, console));
  const Stopwatch watch;
  NEMO_ASSIGN_OR_RETURN(const std::vector<float> expected, LogitsOf(*engine, tokens));
  Record record;
  record.name = record.operation = "check";
  record.shape = Format("{} tokens, {} logits each", tokens, session.subject.config.vocab_size);
  record.backend = DescribeBackend(*reference);
  record.time = Summarize({watch.wall_seconds()});
  const LogitsDifference difference =
      CompareLogits(session.logits, expected, session.subject.config.vocab_size);
  record.error = difference.largest;
  report->notes.push_back(
      difference.num_different == 0
          ? Format("check: all {} logits have the bits of the reference backend", expected.size())
          : Format(
                "check: {} of {} logits differ from the reference backend, rms {:.1e} of theirs, "
                "other first choice in {} of {} rows",
                difference.num_different, expected.size(), difference.relative_rms,
                difference.num_argmax_different, tokens));
  report->records.push_back(std::move(record));
  return difference.relative_rms <= kMaxLogitError;
}

/// Lines that the measuring kits of others collect: "metric NAME VALUE UNIT".
std::string MetricLines(const Session& session) {
  std::string text = "\n";
  for (const Row& row : session.rows) {
    for (const auto& [ending, unit] : {std::pair("wall", "tok/s"), std::pair("cpu", "tok/CPU-s")}) {
      text += Format("metric {}_{} {:.4g} {}\n", row.metric, ending,
                     row.record.FindRate(unit)->value, unit);
    }
  }
  if (!session.subject.synthetic) {
    text += Format("metric first_token_wall {:.4g} s\n", session.first_token_seconds);
  }
  constexpr double kGiB = 1 << 30;
  return text + Format("metric peak_rss {:.4g} GiB\n",
                       static_cast<double>(session.peak_memory_bytes) / kGiB);
}

/// Runs all ranks of this process.
Status RunRanksOf(Session& session, const Console& console) {
  const auto num_ranks = static_cast<int>(session.subject.layout.world_size());
  if (LaunchedByMpi()) {
    NEMO_ASSIGN_OR_RETURN(const std::unique_ptr<Communicator> world,
                          MakeMpiWorld(session.options.comm));
    session.bench.processes = true;
    session.threads = console.threads();
    return EndWorld(*world, RunRank(session, *world, console));
  }
  session.threads = std::max(1, console.threads() / num_ranks);
  const auto body = [&](Communicator& world) { return RunRank(session, world, console); };
  return num_ranks == 1 ? body(*MakeSelf()) : RunRanks(num_ranks, body, session.options.comm);
}

void AddNotes(const Session& session, const std::optional<CacheState>& cache, Report* report) {
  const Subject& subject = session.subject;
  if (!session.device_state.empty()) report->notes.push_back(session.device_state);
  report->notes.push_back(Format("peak memory {}{}", FormatBytes(session.peak_memory_bytes),
                                 session.bench.processes ? " of the first process" : ""));
  if (subject.synthetic) {
    report->notes.push_back("random weights of that shape");
    if (subject.config.num_layers < subject.whole_layers) {
      const double times = static_cast<double>(subject.whole_layers) /
                           static_cast<double>(subject.config.num_layers);
      report->notes.push_back(Format(
          "{} of {} layers, {} of the vocabulary: a step of the whole model takes {:.4g} "
          "times as long",
          subject.config.num_layers, subject.whole_layers, subject.config.vocab_size, times));
      for (const Row& row : session.rows) {
        report->notes.push_back(Format(
            "extrapolated, not measured: {} of {} layers would take {}, sums over ranks and "
            "waiting for other stages not counted",
            row.record.name, subject.whole_layers, FormatSeconds(times * row.record.time.median)));
      }
    }
    return;
  }
  report->notes.push_back(
      Format("first token after {}, from {}", FormatSeconds(session.first_token_seconds),
             !cache ? "files as the page cache had them (--warm)"
             : cache->resident_bytes == 0
                 ? "cold files: no page of them was in the page cache"
                 : Format("files of which {} of {} stayed in the page cache",
                          FormatBytes(cache->resident_bytes), FormatBytes(cache->file_bytes))));
}

Result<bool> Run(const ModelOptions& options, const Console& console) {
  NEMO_RETURN_IF_ERROR(CheckOutput(options.output));
  std::optional<CacheState> cache;
  if (!IsModelYaml(options.source) && !options.warm &&
      KindOf(options.source) != PathKind::kAbsent) {
    NEMO_ASSIGN_OR_RETURN(cache, DropFromPageCache(options.source));
  }
  Session session = {.options = options, .subject = {}, .bench = {}};
  session.bench.prefill_chunk = options.prefill_chunk;
  session.bench.texts = options.texts;
  session.bench.questions = options.questions;
  NEMO_ASSIGN_OR_RETURN(session.subject, OpenSubject(options));
  NEMO_RETURN_IF_ERROR(CheckOptions(options, session.subject.config));

  Report report;
  report.verb = "model";
  report.subject = Format("{}, {}", session.subject.name, ToString(session.subject.layout));
  report.threads = console.threads();
  report.machine = MachineFacts();
  report.state_before = MachineState();
  NEMO_RETURN_IF_ERROR(RunRanksOf(session, console));
  if (session.backend.empty()) return true;  // not the rank that speaks
  report.limits = session.limits;
  for (const Row& row : session.rows) report.records.push_back(row.record);
  bool ok = true;
  if (options.check) {
    NEMO_ASSIGN_OR_RETURN(ok, CheckLogits(session, console, &report));
  }
  report.state_after = MachineState();
  AddNotes(session, cache, &report);
  NEMO_ASSIGN_OR_RETURN(const bool held,
                        Deliver(report, options.output, console, MetricLines(session)));
  if (!ok) console.Note("--check: the logits are not those of the reference backend");
  return ok && held;
}

std::vector<Flag> WorkFlags(ModelOptions* options) {
  return {
      {.name = "n-prompt",
       .letter = 'p',
       .value = "N,N...",
       .help = "tokens of the prompt, pp (default 512; 0: none)",
       .set = SetIntList(&options->prompts)},
      {.name = "n-gen",
       .letter = 'n',
       .value = "N,N...",
       .help = "tokens generated one after the other, tg (default 128; 0: none)",
       .set = SetIntList(&options->generated)},
      {.name = "texts",
       .value = "N",
       .help = "texts of 64 to 256 tokens, every token of which is scored, ll (default 0: none)",
       .set = SetInt(&options->texts, 0, 100'000)},
      {.name = "questions",
       .value = "N",
       .help = "few-shot questions, fs: 100 tokens after 600 that 16 questions share, all choices "
               "from the row after them; tok/s counts all 700 (default 0: none)",
       .set = SetInt(&options->questions, 0, 100'000)},
      {.name = "batch",
       .letter = 'b',
       .value = "N,N...",
       .help = "sequences side by side in tg (default 1,8,32)",
       .set = SetIntList(&options->batches)},
      {.name = "repetitions",
       .letter = 'r',
       .value = "N",
       .help = "of each prompt (default 5); each step of tg counts as one by itself",
       .set = SetInt(&options->repetitions, 1, 1000)},
      {.name = "prefill-chunk",
       .value = "N",
       .help = "prompt tokens of one step (default 512)",
       .set = SetInt(&options->prefill_chunk, 1, 1 << 20)},
      {.name = "warm",
       .help = "leave the checkpoint's files in the page cache before the first token",
       .set = SetSwitch(&options->warm)},
      {.name = "check",
       .help = "compare all logits of a few tokens with the reference backend, which is slow: "
               "about a second for each billion parameters and token",
       .set = SetSwitch(&options->check)},
      {.name = "check-tokens",
       .value = "N",
       .help = "how many (default 2)",
       .set = SetInt(&options->check_tokens, 1, 4096)}};
}

}  // namespace

Tool ModelTool(ModelOptions* options) {
  Tool tool;
  tool.name = "nemo-bench model";
  tool.summary =
      "Times prefill and decode of a whole model: a checkpoint, or random weights of the shape "
      "that a "
      "YAML file names. pp512 is a prompt of 512 tokens, tg128 128 tokens one after the other, "
      "both "
      "from an empty context.";
  tool.operands = {
      {"SRC",
       std::string(kSourceHelp) + "; or the YAML file of a model's sizes, for random weights",
       &options->source}};
  std::vector<Flag> machine = {
      {.name = "layers",
       .value = "N",
       .help = "of a YAML file: the first N layers, and the same share of the vocabulary",
       .set = SetInt(&options->layers, 1, 100'000)},
      {.name = "vocab-size",
       .value = "N",
       .help = "of a YAML file: another vocabulary",
       .set = SetInt(&options->vocab_size, 8, 1 << 30)},
      LayoutFlag(&options->layout),
      PeerTimeoutFlag(&options->comm)};
  const std::vector<Flag> backend = BackendFlags(&options->backend);
  machine.insert(machine.end(), backend.begin(), backend.end());
  tool.groups = {{"Work", WorkFlags(options)},
                 {"Model and ranks (threads; under mpirun or srun, processes)", std::move(machine)},
                 OutputFlags(&options->output)};
  tool.details =
      "The limit of a row is what reading the weights once a step, or the products alone, would "
      "take. "
      "Lines 'metric NAME VALUE UNIT' repeat the figures for scripts; tok/CPU-s counts the "
      "processor "
      "time of all ranks, which a busy machine disturbs least.";
  tool.example =
      "nemo-bench model configs/models/nemotron4-340b.yaml --layers 1 -n 32 -b 1,8 --check";
  tool.no_means =
      std::string(kFractionMissed) + ", or --check found other logits than the reference's";
  tool.run = [options](const Console& console) { return Run(*options, console); };
  return tool;
}

}  // namespace nemo
