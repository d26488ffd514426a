// The SentencePiece form of Tokenizer. Text goes to the library whole: it decides about white
// space, normalisation and special pieces.
#include "libcore/text/tokenizer.h"

#include <exception>
#include <utility>

#include <sentencepiece_processor.h>

#include "libcore/base/format.h"
#include "libcore/text/model_proto.h"

namespace nemo {
namespace {

class SentencePieceTokenizer : public Tokenizer {
 public:
  explicit SentencePieceTokenizer(std::unique_ptr<sentencepiece::SentencePieceProcessor> processor)
      : processor_(std::move(processor)),
        unk_id_(processor_->unk_id()),
        bos_id_(processor_->bos_id()),
        eos_id_(processor_->eos_id()),
        pad_id_(processor_->pad_id()) {}

  int64_t vocab_size() const override { return processor_->GetPieceSize(); }

  Result<std::vector<int32_t>> Encode(std::string_view text) const override {
    std::vector<int> ids;
    try {
      const auto status = processor_->Encode(text, &ids);
      if (!status.ok())
        return InvalidArgument(Format("SentencePiece cannot encode: {}", status.ToString()));
    } catch (const std::exception& error) {
      return InvalidArgument(Format("SentencePiece cannot encode: {}", error.what()));
    }
    return std::vector<int32_t>(ids.begin(), ids.end());
  }

  Result<std::string> Decode(std::span<const int32_t> ids) const override {
    for (const int32_t id : ids) {
      if (!InVocabulary(id)) {
        return InvalidArgument(
            Format("token id {} is outside the vocabulary of {} pieces", id, vocab_size()));
      }
    }
    std::string text;
    try {
      const auto status = processor_->Decode(std::vector<int>(ids.begin(), ids.end()), &text);
      if (!status.ok())
        return InvalidArgument(Format("SentencePiece cannot decode: {}", status.ToString()));
    } catch (const std::exception& error) {
      return InvalidArgument(Format("SentencePiece cannot decode: {}", error.what()));
    }
    return text;
  }

  const std::string& Piece(int32_t id) const override {
    NEMO_CHECK(InVocabulary(id));
    return processor_->IdToPiece(id);
  }
  bool IsControl(int32_t id) const override {
    return InVocabulary(id) && processor_->IsControl(id);
  }
  bool IsByte(int32_t id) const override { return InVocabulary(id) && processor_->IsByte(id); }
  int32_t unk_id() const override { return unk_id_; }
  int32_t bos_id() const override { return bos_id_; }
  int32_t eos_id() const override { return eos_id_; }
  int32_t pad_id() const override { return pad_id_; }

 private:
  bool InVocabulary(int32_t id) const { return id >= 0 && id < vocab_size(); }

  std::unique_ptr<sentencepiece::SentencePieceProcessor> processor_;
  const int32_t unk_id_, bos_id_, eos_id_, pad_id_;  // the processor looks them up each time
};

}  // namespace

Result<std::unique_ptr<Tokenizer>> LoadSentencePiece(std::string_view model_bytes) {
  constexpr std::string_view kPlace = "SentencePiece model";
  if (model_bytes.empty()) return Corruption("SentencePiece model: empty");
  if (Status status = CheckSentencePieceModel(model_bytes); !status.ok()) return status.At(kPlace);
  auto processor = std::make_unique<sentencepiece::SentencePieceProcessor>();
  try {
    const auto status = processor->LoadFromSerializedProto(model_bytes);
    if (!status.ok()) return Corruption(Format("{}: {}", kPlace, status.ToString()));
  } catch (const std::exception& error) {
    return Corruption(Format("{}: {}", kPlace, error.what()));
  }
  if (processor->GetPieceSize() == 0) return Corruption("SentencePiece model: no pieces");
  return std::unique_ptr<Tokenizer>(std::make_unique<SentencePieceTokenizer>(std::move(processor)));
}

Result<std::vector<int32_t>> EncodePrompt(const Tokenizer& tokenizer, std::string_view text,
                                          bool add_bos) {
  NEMO_ASSIGN_OR_RETURN(std::vector<int32_t> ids, tokenizer.Encode(text));
  if (add_bos) {
    if (tokenizer.bos_id() < 0) {
      return InvalidArgument("bos is asked for, and this tokenizer has none; leave it off");
    }
    ids.insert(ids.begin(), tokenizer.bos_id());
  }
  if (ids.empty()) {
    const int32_t first = tokenizer.bos_id() >= 0 ? tokenizer.bos_id() : tokenizer.eos_id();
    if (first < 0) return InvalidArgument("the prompt has no tokens; give it some text");
    ids.push_back(first);
  }
  return ids;
}

int64_t CountCharacters(std::string_view text) {
  int64_t count = 0;
  for (const char c : text) count += (static_cast<uint8_t>(c) & 0xc0) != 0x80;
  return count;
}

}  // namespace nemo
