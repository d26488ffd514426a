#include "formats/flat/flat.h"
#include "formats/safetensors/safetensors.h"
#include "libcore/base/file.h"
#include "libcore/base/yaml.h"
#include "libcore/model/architecture.h"

namespace nemo {

bool SniffFlat(const std::string& path) {
  return KindOf(JoinPath(path, "all.safetensors")) == PathKind::kFile &&
         KindOf(JoinPath(path, "model.yaml")) == PathKind::kFile;
}

Result<Checkpoint> OpenFlat(const std::string& path) {
  Checkpoint checkpoint;
  checkpoint.format = "flat";
  checkpoint.container = "safetensors";
  NEMO_ASSIGN_OR_RETURN(const std::string text,
                        ReadAllFrom(JoinPath(path, "model.yaml"), int64_t{1} << 20));
  NEMO_ASSIGN_OR_RETURN(const Value value, ParseYaml(text));
  NEMO_ASSIGN_OR_RETURN(checkpoint.config, ConfigFromValue(value));
  NEMO_ASSIGN_OR_RETURN(const auto logical, LogicalTensors(checkpoint.config));
  NEMO_ASSIGN_OR_RETURN(auto file, OpenFile(JoinPath(path, "all.safetensors")));
  checkpoint.provenance = {"flat", BaseName(path), file->size_bytes(), ""};
  NEMO_ASSIGN_OR_RETURN(auto stored, safetensors::OpenFile(std::move(file)));
  NameMap names;
  std::vector<TensorSpec> specs;
  for (const LogicalTensor& tensor : logical) {
    specs.push_back({tensor.name, DType::kBF16, tensor.shape});
    names.Add(tensor.name, {Box::Whole(tensor.shape), 0, tensor.name, Box::Whole(tensor.shape)});
  }
  NEMO_ASSIGN_OR_RETURN(checkpoint.source,
                        CanonicalSource::Create(std::move(specs), std::move(names), {stored}));
  return checkpoint;
}

}  // namespace nemo
