// What a .nemo says of its model: model_config.yaml and the tokenizer. The reading side is config.h
// and artifact.h.
#pragma once

#include <vector>

#include "formats/nemo/members.h"
#include "libcore/convert/target.h"
#include "libcore/layout/parallel_layout.h"
#include "libcore/model/config.h"

namespace nemo {

/// model_config.yaml first, then the tokenizer under each name that the config asks for. The text
/// is the attached one when it describes `config`; where the layout, the padding of the vocabulary
/// or the tokenizer's name has changed, those scalars are, and no other byte. Without such a text
/// (or where it cannot be changed line by line) it has the fields that NeMo asks for when it loads
/// a model, in its spellings.
std::vector<Member> ModelMembers(const ModelConfig& config, const ParallelLayout& layout,
                                 const Attachments& attachments);

}  // namespace nemo
