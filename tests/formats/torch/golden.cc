#include "tests/formats/torch/golden.h"

#include <cstdlib>
#include <utility>

#include "formats/torch/state_dict.h"
#include "formats/torch/torch_file.h"
#include "libcore/base/json.h"

namespace nemo::testing {

std::string GoldenTorchBytes(const std::string& name) {
  return ReadFileOrDie(GoldenPath("torch/" + name));
}

std::string BytesOfHex(const std::string& hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::strtol(hex.substr(i, 2).c_str(), nullptr, 16));
  }
  return bytes;
}

Result<std::shared_ptr<const TensorSource>> OpenRoot(std::shared_ptr<RandomAccessFile> file) {
  NEMO_ASSIGN_OR_RETURN(auto torch_file, torch::OpenTorchFile(std::move(file)));
  const torch::PickleNode& root = torch_file->pickle.root();
  return torch::OpenStateDict(std::move(torch_file), root, "x.pt");
}

std::shared_ptr<const MemorySource> ExpectedTensors(const std::string& form) {
  const auto json = ParseJson(GoldenTorchBytes("expected.json"));
  NEMO_CHECK(json.has_value());
  auto source = std::make_shared<MemorySource>();
  for (const auto& [name, tensor] : json->Find(form)->as_object()) {
    const std::string bytes = BytesOfHex(*tensor.GetString("hex"));
    const auto data = std::as_bytes(std::span(bytes));
    source->Add({name, *ParseDType(*tensor.GetString("dtype")), *tensor.GetIntList("shape")},
                {data.begin(), data.end()});
  }
  return source;
}

}  // namespace nemo::testing
