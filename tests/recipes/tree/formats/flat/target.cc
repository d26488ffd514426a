#include <utility>

#include "formats/flat/flat.h"
#include "formats/output/output_directory.h"
#include "formats/safetensors/safetensors.h"
#include "libcore/base/file.h"
#include "libcore/base/json.h"
#include "libcore/layout/planner.h"

namespace nemo {
namespace {

bool IsOwnName(std::string_view name) { return name == "all.safetensors" || name == "model.yaml"; }
constexpr OutputKind kKind = {"a flat checkpoint", IsOwnName, IsOwnName};

class FlatTarget : public Target {
 public:
  explicit FlatTarget(OutputDirectory output) : output_(std::move(output)) {}
  Result<std::unique_ptr<TensorSink>> OpenFile(const PlannedFile&) override {
    return safetensors::CreateSink(output_.PathOf("all.safetensors"));
  }
  Status Finish(const Plan& plan, const std::vector<WrittenFile>&) override {
    // JSON is YAML.
    NEMO_RETURN_IF_ERROR(
        WriteFileAtomically(output_.PathOf("model.yaml"), ToJson(ToValue(plan.config), 2)));
    return output_.Publish();
  }
  void Abandon() override { output_.Abandon(); }

 private:
  OutputDirectory output_;
};

}  // namespace

Result<Plan> PlanFlat(const ModelConfig& config, std::span<const TensorSpec> source,
                      const PlanOptions& options) {
  return PlanShards(config, source, options.layout,
                    options.vocab.value_or(VocabRule{VocabRule::Kind::kKeep}));
}

Result<std::unique_ptr<Target>> CreateFlatTarget(const std::string& path,
                                                 const TargetOptions& options) {
  NEMO_ASSIGN_OR_RETURN(OutputDirectory output,
                        OutputDirectory::Create(path, kKind, options.force, options.resume));
  return std::unique_ptr<Target>(std::make_unique<FlatTarget>(std::move(output)));
}

}  // namespace nemo
