#include "libcore/runtime/generate.h"

#include "libcore/base/format.h"
#include "libcore/base/progress.h"

namespace nemo {

Result<std::vector<GenerateResult>> Generate(Engine& engine, const Tokenizer& tokenizer,
                                             std::vector<GenerateRequest> requests,
                                             const GenerateOptions& options,
                                             const TokenCallback& on_token) {
  NEMO_ASSIGN_OR_RETURN(const std::unique_ptr<Generator> generator,
                        Generator::Create(engine, tokenizer, options));
  for (size_t i = 0; i < requests.size(); ++i) {
    requests[i].draw_index = static_cast<uint32_t>(i);
    auto id = generator->Add(std::move(requests[i]));
    if (!id) return id.error().At(Format("request {}", i));
  }
  while (!generator->idle()) {
    if (StopRequested()) {
      const std::string reason = Format("stopped by signal {}", StopSignal());
      engine.world().Abort(reason);
      return IoError(reason);
    }
    NEMO_RETURN_IF_ERROR(generator->Step(on_token));
  }
  std::vector<GenerateResult> results;
  for (auto& [id, result] : generator->TakeFinished()) results.push_back(std::move(result));
  return results;
}

std::vector<int64_t> PieceOffsets(const Tokenizer& tokenizer, std::span<const int32_t> ids) {
  std::vector<int64_t> offsets;
  int64_t offset = 0;
  for (const int32_t id : ids) {
    offsets.push_back(offset);
    const bool special = id == tokenizer.bos_id() || id == tokenizer.eos_id() ||
                         id == tokenizer.pad_id() || id == tokenizer.unk_id();
    if (!special) offset += CountCharacters(tokenizer.Piece(id));
  }
  return offsets;
}

}  // namespace nemo
