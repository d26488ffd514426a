#include "tools/nemo-eval/answers.h"

#include <filesystem>

#include "libcore/base/file.h"
#include "libcore/base/format.h"

namespace nemo {
namespace {

using eval::Journal;

constexpr std::string_view kJournal = "journal.jsonl";
constexpr int kFirst = 0;  ///< the process that gathers

Status SendText(Communicator& world, const std::string& text, int peer) {
  const int64_t size = std::ssize(text);
  NEMO_RETURN_IF_ERROR(world.Send(std::as_bytes(std::span(&size, 1)), peer));
  return text.empty() ? OkStatus() : world.Send(std::as_bytes(std::span(text)), peer);
}

Result<std::string> RecvText(Communicator& world, int peer) {
  int64_t size = 0;
  NEMO_RETURN_IF_ERROR(world.Recv(std::as_writable_bytes(std::span(&size, 1)), peer));
  std::string text(static_cast<size_t>(size), '\0');
  if (size > 0) NEMO_RETURN_IF_ERROR(world.Recv(std::as_writable_bytes(std::span(text)), peer));
  return text;
}

Status BroadcastText(Communicator& world, std::string& text) {
  int64_t size = std::ssize(text);
  NEMO_RETURN_IF_ERROR(world.Broadcast(std::as_writable_bytes(std::span(&size, 1)), kFirst));
  text.resize(static_cast<size_t>(size));
  return world.Broadcast(std::as_writable_bytes(std::span(text)), kFirst);
}

}  // namespace

Answers::Answers(const EvalJob& job, std::span<const eval::PlannedTask> tasks, int64_t num_replicas)
    : job_(job), tasks_(tasks), journals_(num_replicas), answered_(num_replicas) {
  for (const eval::PlannedTask& task : tasks) {
    responses_.emplace_back(task.samples.size());
    done_.emplace_back(task.samples.size(), 0);
  }
}

std::string Answers::PathOf(int replica) const {
  const std::string first = JoinPath(job_.output, kJournal);
  return replica == 0 ? first : Format("{}.{}", first, replica);
}

/// Journals of replicas but the first that are there, of however many.
std::vector<std::string> Answers::PathsOfOthers() const {
  const std::string prefix = std::string(kJournal) + ".";
  std::vector<std::string> paths;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(job_.output, error)) {
    const std::string name = entry.path().filename().string();
    const bool is_replicas =
        name.starts_with(prefix) && name.size() > prefix.size() &&
        name.find_first_not_of("0123456789", prefix.size()) == std::string::npos;
    if (is_replicas) paths.push_back(JoinPath(job_.output, name));
  }
  return paths;
}

Status Answers::OpenJournal() {
  NEMO_RETURN_IF_ERROR(CreateDirectories(job_.output));
  const std::string path = PathOf(0);
  const std::vector<std::string> others = PathsOfOthers();
  const bool is_there = KindOf(path) != PathKind::kAbsent;
  if (job_.force) {
    for (const std::string& other : others) NEMO_RETURN_IF_ERROR(RemoveAll(other));
  } else if ((is_there || !others.empty()) && !job_.resume) {
    return InvalidArgument(Format(
        "{}: there are answers of an earlier run; go on with them by --resume, or begin anew by "
        "--force",
        path));
  }
  NEMO_ASSIGN_OR_RETURN(journals_[0], is_there && job_.resume ? Journal::Continue(path, key_)
                                                              : Journal::Begin(path, key_));
  if (job_.force) return OkStatus();
  for (const std::string& other : others) {
    NEMO_RETURN_IF_ERROR(journals_[0]->TakeOver(other, key_));
    NEMO_RETURN_IF_ERROR(RemoveAll(other));
  }
  return OkStatus();
}

/// Returns how many samples the records answer.
int64_t Answers::Enter(const Journal::Records& records) {
  int64_t count = 0;
  for (size_t t = 0; t < tasks_.size(); ++t) {
    for (size_t i = 0; i < tasks_[t].samples.size(); ++i) {
      const eval::Sample& sample = tasks_[t].samples[i];
      const auto record = records.find({tasks_[t].task->name, sample.doc_index});
      if (record == records.end() || record->second.size() != sample.requests.size()) continue;
      responses_[t][i] = record->second;
      done_[t][i] = 1;
      ++count;
    }
  }
  return count;
}

Status Answers::Open(std::string key) {
  key_ = std::move(key);
  if (job_.output.empty()) return OkStatus();
  NEMO_RETURN_IF_ERROR(OpenJournal());
  num_kept_ = Enter(journals_[0]->records());
  return OkStatus();
}

Status Answers::Share(Communicator& processes) {
  NEMO_RETURN_IF_ERROR(BroadcastText(processes, key_));
  for (std::vector<uint8_t>& done : done_) {
    NEMO_RETURN_IF_ERROR(processes.Broadcast(std::as_writable_bytes(std::span(done)), kFirst));
  }
  return OkStatus();
}

Status Answers::Begin(int replica) {
  if (job_.output.empty() || replica == 0) return OkStatus();
  NEMO_RETURN_IF_ERROR(CreateDirectories(job_.output));  // on another machine
  NEMO_ASSIGN_OR_RETURN(journals_[replica], Journal::Begin(PathOf(replica), key_));
  return OkStatus();
}

Status Answers::Keep(int replica, size_t task, size_t sample, eval::Responses responses) {
  if (journals_[replica] != nullptr) {
    const eval::Sample& asked = tasks_[task].samples[sample];
    NEMO_RETURN_IF_ERROR(journals_[replica]->Add(tasks_[task].task->name, asked.doc_index,
                                                 responses, asked.requests[0].kind));
  }
  responses_[task][sample] = std::move(responses);
  answered_[replica].emplace_back(task, sample);
  return OkStatus();
}

std::string Answers::LinesOf(int replica) const {
  std::string lines;
  for (const auto& [task, sample] : answered_[replica]) {
    const eval::Sample& asked = tasks_[task].samples[sample];
    lines += eval::JournalLine(tasks_[task].task->name, asked.doc_index, responses_[task][sample],
                               asked.requests[0].kind);
  }
  return lines;
}

Status Answers::Gather(Communicator& processes, int64_t ranks_per_replica) {
  if (journals_.size() == 1) return OkStatus();
  if (processes.size() == 1) return GatherThreads();
  const auto distance = static_cast<int>(ranks_per_replica);
  if (processes.rank() != kFirst) {
    const bool is_first = processes.rank() % distance == 0;
    return is_first ? GiveTo(processes, processes.rank() / distance) : OkStatus();
  }
  for (int peer = distance; peer < processes.size(); peer += distance) {
    NEMO_RETURN_IF_ERROR(TakeFrom(processes, peer));
  }
  return OkStatus();
}

Status Answers::GatherThreads() {
  for (int replica = 1; replica < std::ssize(journals_); ++replica) {
    if (journals_[replica] == nullptr) continue;
    NEMO_RETURN_IF_ERROR(journals_[0]->AddLines(LinesOf(replica)));
    journals_[replica] = nullptr;
    NEMO_RETURN_IF_ERROR(RemoveAll(PathOf(replica)));
  }
  return OkStatus();
}

Status Answers::TakeFrom(Communicator& processes, int peer) {
  NEMO_ASSIGN_OR_RETURN(const std::string lines, RecvText(processes, peer));
  if (journals_[0] != nullptr) NEMO_RETURN_IF_ERROR(journals_[0]->AddLines(lines));
  NEMO_ASSIGN_OR_RETURN(const Journal::Records records, eval::ParseJournalLines(lines));
  Enter(records);
  const std::byte taken{1};
  return processes.Send(std::span(&taken, 1), peer);
}

Status Answers::GiveTo(Communicator& processes, int replica) {
  NEMO_RETURN_IF_ERROR(SendText(processes, LinesOf(replica), kFirst));
  std::byte taken{};
  NEMO_RETURN_IF_ERROR(processes.Recv(std::span(&taken, 1), kFirst));
  if (journals_[replica] == nullptr) return OkStatus();
  journals_[replica] = nullptr;
  return RemoveAll(PathOf(replica));
}

}  // namespace nemo
