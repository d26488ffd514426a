#include "tools/nemo-generate/serve.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "libcore/base/file.h"
#include "libcore/base/format.h"
#include "libcore/base/progress.h"
#include "libcore/runtime/generator.h"
#include "libcore/serve/http_server.h"
#include "libcore/serve/serve_loop.h"
#include "libcore/serve/service.h"

namespace nemo {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kGlance{50};
/// For answers that are known to reach their clients.
constexpr std::chrono::seconds kFarewell{5};

/// What rank 0 has before the model is there.
struct Door {
  std::unique_ptr<Listener> listener;
  ApiKeys keys;
};

Result<Door> OpenDoor(const ServeFlags& flags, const Console& console) {
  Door door;
  if (!flags.api_key_file.empty()) {
    NEMO_ASSIGN_OR_RETURN(door.keys, ApiKeys::Read(flags.api_key_file));
  }
  NEMO_ASSIGN_OR_RETURN(door.listener, Listener::Bind(flags.host, static_cast<int>(flags.port)));
  console.Note(Format("will listen on http://{} when the model is read", door.listener->address()));
  return door;
}

ApiContext ContextOf(const Session& session, const EngineOptions& options) {
  const ServeFlags& flags = session.job.serve;
  return {.tokenizer = *session.model.tokenizer,
          .model_name = flags.model_name.empty() ? BaseName(session.job.source) : flags.model_name,
          .max_sequence_tokens = options.max_sequence_tokens,
          .created_seconds = static_cast<int64_t>(std::time(nullptr)),
          .strict = flags.strict,
          .nemo_only = flags.nemo_only};
}

/// A few pulses within the time after which a rank takes another for dead.
ServeLoop::Options LoopOptionsOf(const GenerateJob& job) {
  ServeLoop::Options options;
  options.max_batch_size = job.machine.max_batch_size;
  options.pulse =
      std::min(options.pulse, std::chrono::milliseconds(job.machine.comm.deadline_ms / 4));
  return options;
}

HttpLimits LimitsOf(const ServeFlags& flags) {
  HttpLimits limits;
  limits.max_request_bytes = flags.max_request_bytes;
  limits.max_connections = flags.max_connections;
  limits.read_timeout = std::chrono::seconds(flags.read_timeout);
  return limits;
}

void LogLine(std::string_view line) {
  const std::string text = std::string(line) + "\n";  // one write: lines of threads do not mix
  std::fwrite(text.data(), 1, text.size(), stderr);
}

ServiceOptions ServiceOptionsOf(const Session& session, const LoadedModel& model,
                                const ApiContext& context, const RequestLimits& limits,
                                ApiKeys keys) {
  ServiceOptions options;
  options.limits = limits;
  options.keys = std::move(keys);
  options.request_timeout = std::chrono::seconds(session.job.serve.request_timeout);
  options.logs_prompts = session.job.serve.log_prompts;
  options.about.Set("model", context.model_name);
  options.about.Set("layout", ToString(session.model.layout));
  options.about.Set("ranks", session.model.layout.world_size());
  options.about.Set("backend", model.BackendName());
  options.about.Set("max_sequence_tokens", context.max_sequence_tokens);
  options.about.Set("max_batch_size", session.job.machine.max_batch_size);
  options.log = LogLine;
  return options;
}

/// Rank 0's half of the server beside the loop: its threads and their end.
class Front {
 public:
  Front(const Session& session, const LoadedModel& model, const RequestLimits& limits, ApiKeys keys)
      : flags_(session.job.serve),
        context_(ContextOf(session, model.engine->options())),
        queue_(flags_.max_queue),
        service_(context_, queue_, stats_,
                 ServiceOptionsOf(session, model, context_, limits, std::move(keys))) {}

  Status Start(std::unique_ptr<Listener> listener, const Console& console) {
    const std::string address = listener->address();
    NEMO_ASSIGN_OR_RETURN(http_,
                          HttpServer::Start(std::move(listener), LimitsOf(flags_), service_));
    service_.CountConnectionsBy([this] { return http_->num_connections(); });
    watcher_ = std::thread([this] { Watch(); });
    console.Note(Format("listening on http://{}", address));
    return OkStatus();
  }

  ~Front() { End(); }

  /// The loop has ended.
  void End(const Status& status = OkStatus()) {
    if (!status.ok()) service_.Fail(status.message());
    is_over_ = true;
    if (watcher_.joinable()) watcher_.join();
    if (http_ == nullptr) return;
    http_->StopAccepting();
    http_->WaitForEnd(Clock::now() + kFarewell);
  }

  RequestQueue& queue() { return queue_; }
  ServeStats& stats() { return stats_; }

 private:
  /// Turns a signal into a drain, and a drain that takes too long into an end.
  void Watch() {
    while (!is_over_ && !StopRequested()) std::this_thread::sleep_for(kGlance);
    if (is_over_) return;
    service_.BeginDrain();
    http_->StopAccepting();
    queue_.Close();
    const auto end = Clock::now() + std::chrono::seconds(flags_.drain_timeout);
    while (!is_over_ && Clock::now() < end) std::this_thread::sleep_for(kGlance);
    queue_.Fail({503, "the server ended before the answer was finished (--drain-timeout)"});
  }

  const ServeFlags& flags_;
  const ApiContext context_;
  RequestQueue queue_;
  ServeStats stats_;
  Service service_;
  std::unique_ptr<HttpServer> http_;
  std::atomic<bool> is_over_ = false;
  std::thread watcher_;
};

Status ServeRank(const Session& session, const EngineOptions& options, Communicator& world,
                 const Console& console, Door& door) {
  NEMO_ASSIGN_OR_RETURN(const LoadedModel model, LoadModel(session.model, world, options, console));
  NEMO_ASSIGN_OR_RETURN(
      const std::unique_ptr<Generator> generator,
      Generator::Create(*model.engine, *session.model.tokenizer,
                        {.prefill_chunk = session.job.machine.prefill_chunk,
                         .prefix_cache = session.job.machine.prefix_cache == "on"}));
  // Nobody is let in before all ranks are ready.
  NEMO_RETURN_IF_ERROR(world.Barrier());
  const ServeLoop::Options loop = LoopOptionsOf(session.job);
  if (world.rank() != 0) return ServeLoop(*generator, world, loop, nullptr, nullptr).Run();
  console.Detail(Format("loading took {:.2f} s", model.load_seconds));
  Front front(session, model, generator->limits(), std::move(door.keys));
  NEMO_RETURN_IF_ERROR(front.Start(std::move(door.listener), console));
  const Status status = ServeLoop(*generator, world, loop, &front.queue(), &front.stats()).Run();
  if (!status.ok()) world.Abort(status.message());
  front.End(status);
  return status;
}

}  // namespace

Status RunServer(const Session& session, Communicator& world, const Console& console,
                 const RunAllRanks& run_ranks) {
  NEMO_ASSIGN_OR_RETURN(const EngineOptions options, ServerEngineOptions(session));
  Door door;
  if (world.rank() == 0) {
    NEMO_ASSIGN_OR_RETURN(door, OpenDoor(session.job.serve, console));
  }
  return run_ranks(
      [&](Communicator& ranks) { return ServeRank(session, options, ranks, console, door); });
}

}  // namespace nemo
