#include "tools/nemo-bench/model_subject.h"

#include <utility>

#include "kernels/comm/mpi_comm.h"
#include "libcore/base/file.h"
#include "libcore/base/format.h"
#include "tools/common/model_yaml.h"
#include "tools/common/source.h"
#include "tools/nemo-bench/engine/synthetic_source.h"
#include "tools/nemo-bench/measure/machine.h"

namespace nemo {
namespace {

Result<Subject> SyntheticSubject(const ModelOptions& options) {
  Subject subject;
  subject.synthetic = true;
  NEMO_ASSIGN_OR_RETURN(subject.config, LoadModelYaml(options.source));
  subject.whole_layers = subject.config.num_layers;
  if (options.layers > 0) {
    NEMO_ASSIGN_OR_RETURN(subject.config, FirstLayers(subject.config, options.layers));
  }
  if (options.vocab_size > 0) {
    subject.config = WithVocabulary(subject.config, options.vocab_size);
  }
  NEMO_ASSIGN_OR_RETURN(std::shared_ptr<SyntheticSource> source,
                        SyntheticSource::Create(subject.config));
  const int64_t available = AvailableMemoryBytes();
  if (!LaunchedByMpi() && available >= 0 && source->size_bytes() > available) {
    return IoError(
        Format("{}: {} of weights, and {} of memory are free; --layers takes the first "
               "layers and the same share of the vocabulary",
               options.source, FormatBytes(source->size_bytes()), FormatBytes(available)));
  }
  subject.source = std::move(source);
  return subject;
}

Result<Subject> StoredSubject(const ModelOptions& options) {
  if (options.layers > 0 || options.vocab_size > 0) {
    return InvalidArgument(
        "--layers and --vocab-size are for the YAML file of a model: a checkpoint has its own");
  }
  Subject subject;
  NEMO_ASSIGN_OR_RETURN(Checkpoint checkpoint, OpenSource(options.source));
  subject.config = checkpoint.config;
  if (subject.config.vocab_size == 0) subject.config.vocab_size = subject.config.padded_vocab_size;
  subject.whole_layers = subject.config.num_layers;
  subject.source = std::move(checkpoint.source);
  return subject;
}

}  // namespace

Result<Subject> OpenSubject(const ModelOptions& options) {
  NEMO_ASSIGN_OR_RETURN(Subject subject, IsModelYaml(options.source) ? SyntheticSubject(options)
                                                                     : StoredSubject(options));
  subject.name = BaseName(options.source);
  NEMO_ASSIGN_OR_RETURN(subject.layout, ParseLayout(options.layout));
  return subject;
}

}  // namespace nemo
