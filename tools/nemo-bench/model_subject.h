// What nemo-bench model measures: a checkpoint's model, or random weights of a shape.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "libcore/base/status.h"
#include "libcore/layout/parallel_layout.h"
#include "libcore/model/config.h"
#include "libcore/tensor/source.h"
#include "tools/nemo-bench/model.h"

namespace nemo {

struct Subject {
  std::string name;
  ModelConfig config;
  ParallelLayout layout;
  std::shared_ptr<const TensorSource> source;
  bool synthetic = false;    ///< random weights
  int64_t whole_layers = 0;  ///< of the model that `config` is the beginning of
};

/// Opens SRC of `options`. kIo: random weights that do not fit the free memory. kInvalidArgument:
/// --layers or --vocab-size of a checkpoint, a layout that is none. Errors of OpenSource and
/// LoadModelYaml.
Result<Subject> OpenSubject(const ModelOptions& options);

}  // namespace nemo
