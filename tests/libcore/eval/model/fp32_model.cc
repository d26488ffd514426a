#include "tests/libcore/eval/model/fp32_model.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "formats/safetensors/safetensors.h"
#include "libcore/base/format.h"
#include "libcore/base/json.h"
#include "libcore/tensor/spec.h"
#include "tests/testing.h"

namespace nemo::eval::testing {
namespace {

using Floats = std::vector<float>;

struct Shape {
  int64_t hidden, layers, heads, groups, head, ffn, vocab, rotary;
  float epsilon, base;
};

/// y = W x, W transposed so that the inner loop runs over outputs.
struct Linear {
  int64_t in = 0, out = 0;
  Floats transposed;  // [in, out]

  void Apply(const float* x, float* y) const {
    std::fill(y, y + out, 0.0f);
    for (int64_t i = 0; i < in; ++i) {
      const float scale = x[i];
      const float* row = transposed.data() + i * out;
      for (int64_t j = 0; j < out; ++j) y[j] += scale * row[j];
    }
  }
};

struct Norm {
  Floats weight, bias;
};

struct Layer {
  Norm input, mlp;
  Linear q, k, v, o, up, down;
  Floats keys, values;  // [token, groups * head]
};

class Model final : public Fp32Model {
 public:
  explicit Model(const std::string& folder) {
    const Value config = *ParseJson(nemo::testing::ReadFileOrDie(folder + "/config.json"));
    const auto number = [&](const char* key) { return *config.GetInt(key); };
    const Value& rope = *config.Find("rope_parameters");
    s_ = {number("hidden_size"),
          number("num_hidden_layers"),
          number("num_attention_heads"),
          number("num_key_value_heads"),
          number("head_dim"),
          number("intermediate_size"),
          number("vocab_size"),
          0,
          static_cast<float>(*config.GetDouble("norm_eps")),
          static_cast<float>(*rope.GetDouble("rope_theta"))};
    s_.rotary = static_cast<int64_t>(static_cast<double>(s_.head) *
                                     *rope.GetDouble("partial_rotary_factor"));
    source_ = *safetensors::OpenFile(*OpenFile(folder + "/model.safetensors"));
    ReadWeights();
  }

  GenerateResult Run(const GenerateRequest& request, int32_t eos_id) override {
    GenerateResult result;
    result.token_ids = request.prompt_ids;
    result.num_prompt_tokens = std::ssize(request.prompt_ids);
    if (request.tokens_to_generate == 0) {
      Score(request, result);
      return result;
    }
    for (int64_t i = 0; i < request.tokens_to_generate; ++i) {
      const Floats row = RowAfter(result.token_ids);
      const auto best = std::max_element(row.begin(), row.end()) - row.begin();
      result.token_ids.push_back(static_cast<int32_t>(best));
      if (best == eos_id) break;
    }
    return result;
  }

 private:
  Floats Read(const std::string& name) const {
    const std::vector<std::byte> bytes = nemo::testing::ReadTensorOrDie(*source_, name);
    Floats out(bytes.size() / 2);
    for (size_t i = 0; i < out.size(); ++i) {
      uint16_t half;
      std::memcpy(&half, bytes.data() + 2 * i, 2);
      out[i] = std::bit_cast<float>(static_cast<uint32_t>(half) << 16);
    }
    return out;
  }
  Linear ReadLinear(const std::string& name, int64_t in) const {
    const Floats rows = Read(name + ".weight");
    Linear linear{in, std::ssize(rows) / in, Floats(rows.size())};
    for (int64_t j = 0; j < linear.out; ++j) {
      for (int64_t i = 0; i < in; ++i) linear.transposed[i * linear.out + j] = rows[j * in + i];
    }
    return linear;
  }
  Norm ReadNorm(const std::string& name) const {
    return {Read(name + ".weight"), Read(name + ".bias")};
  }

  void ReadWeights() {
    embedding_ = Read("model.embed_tokens.weight");
    for (int64_t i = 0; i < s_.layers; ++i) {
      const std::string at = Format("model.layers.{}.", i);
      layers_.push_back({ReadNorm(at + "input_layernorm"),
                         ReadNorm(at + "post_attention_layernorm"),
                         ReadLinear(at + "self_attn.q_proj", s_.hidden),
                         ReadLinear(at + "self_attn.k_proj", s_.hidden),
                         ReadLinear(at + "self_attn.v_proj", s_.hidden),
                         ReadLinear(at + "self_attn.o_proj", s_.heads * s_.head),
                         ReadLinear(at + "mlp.up_proj", s_.hidden),
                         ReadLinear(at + "mlp.down_proj", s_.ffn),
                         {},
                         {}});
    }
    norm_ = ReadNorm("model.norm");
    head_ = ReadLinear("lm_head", s_.hidden);
  }

  void Normalize(const Norm& norm, const float* x, float* y) const {
    double mean = 0, variance = 0;
    for (int64_t i = 0; i < s_.hidden; ++i) mean += x[i];
    mean /= static_cast<double>(s_.hidden);
    for (int64_t i = 0; i < s_.hidden; ++i) variance += (x[i] - mean) * (x[i] - mean);
    variance /= static_cast<double>(s_.hidden);
    const auto scale = static_cast<float>(1.0 / std::sqrt(variance + s_.epsilon));
    for (int64_t i = 0; i < s_.hidden; ++i) {
      y[i] = (x[i] - static_cast<float>(mean)) * scale * (1.0f + norm.weight[i]) + norm.bias[i];
    }
  }

  void Rotate(float* heads, int64_t count, int64_t position) const {
    const int64_t half = s_.rotary / 2;
    for (int64_t i = 0; i < half; ++i) {
      const float frequency =
          1.0f / std::pow(s_.base, static_cast<float>(2 * i) / static_cast<float>(s_.rotary));
      const float angle = static_cast<float>(position) * frequency;
      const float cosine = std::cos(angle), sine = std::sin(angle);
      for (int64_t h = 0; h < count; ++h) {
        float& a = heads[h * s_.head + i];
        float& b = heads[h * s_.head + i + half];
        const float turned = a * cosine - b * sine;
        b = b * cosine + a * sine;
        a = turned;
      }
    }
  }

  void Attend(const Layer& layer, const float* q, int64_t num_tokens, float* out) const {
    const int64_t width = s_.groups * s_.head;
    const float scale = 1.0f / std::sqrt(static_cast<float>(s_.head));
    Floats weights(num_tokens);
    for (int64_t h = 0; h < s_.heads; ++h) {
      const float* query = q + h * s_.head;
      const int64_t at = h / (s_.heads / s_.groups) * s_.head;
      for (int64_t t = 0; t < num_tokens; ++t) {
        const float* key = layer.keys.data() + t * width + at;
        float sum = 0;
        for (int64_t d = 0; d < s_.head; ++d) sum += query[d] * key[d];
        weights[t] = sum * scale;
      }
      const float most = *std::max_element(weights.begin(), weights.end());
      float total = 0;
      for (float& weight : weights) total += weight = std::exp(weight - most);
      float* to = out + h * s_.head;
      std::fill(to, to + s_.head, 0.0f);
      for (int64_t t = 0; t < num_tokens; ++t) {
        const float* value = layer.values.data() + t * width + at;
        for (int64_t d = 0; d < s_.head; ++d) to[d] += weights[t] / total * value[d];
      }
    }
  }

  /// Feeds the token at position num_fed(); `hidden_` is what comes out of the last layer.
  void Feed(int32_t token) {
    const int64_t position = std::ssize(fed_);
    fed_.push_back(token);
    const int64_t width = s_.groups * s_.head;
    hidden_.assign(embedding_.begin() + token * s_.hidden,
                   embedding_.begin() + (token + 1) * s_.hidden);
    Floats normed(s_.hidden), q(s_.heads * s_.head), attended(q.size()), out(s_.hidden), up(s_.ffn);
    for (Layer& layer : layers_) {
      Normalize(layer.input, hidden_.data(), normed.data());
      layer.keys.resize((position + 1) * width);
      layer.values.resize((position + 1) * width);
      layer.q.Apply(normed.data(), q.data());
      layer.k.Apply(normed.data(), layer.keys.data() + position * width);
      layer.v.Apply(normed.data(), layer.values.data() + position * width);
      Rotate(q.data(), s_.heads, position);
      Rotate(layer.keys.data() + position * width, s_.groups, position);
      Attend(layer, q.data(), position + 1, attended.data());
      layer.o.Apply(attended.data(), out.data());
      for (int64_t i = 0; i < s_.hidden; ++i) hidden_[i] += out[i];
      Normalize(layer.mlp, hidden_.data(), normed.data());
      layer.up.Apply(normed.data(), up.data());
      for (float& x : up) x = x > 0 ? x * x : 0;
      layer.down.Apply(up.data(), out.data());
      for (int64_t i = 0; i < s_.hidden; ++i) hidden_[i] += out[i];
    }
  }

  /// Keeps the tokens that `ids` begins with too, fewer than `most` of them.
  void Rewind(const std::vector<int32_t>& ids, int64_t most) {
    int64_t same = 0;
    while (same < std::min<int64_t>({std::ssize(fed_), std::ssize(ids), most}) &&
           fed_[same] == ids[same]) {
      ++same;
    }
    fed_.resize(same);
  }

  Floats Logits() const {
    Floats normed(s_.hidden), logits(s_.vocab);
    Normalize(norm_, hidden_.data(), normed.data());
    head_.Apply(normed.data(), logits.data());
    return logits;
  }

  Floats RowAfter(const std::vector<int32_t>& ids) {
    Rewind(ids, std::ssize(ids) - 1);
    while (fed_.size() < ids.size()) Feed(ids[fed_.size()]);
    return Logits();
  }

  void Score(const GenerateRequest& request, GenerateResult& result) {
    const std::vector<int32_t>& ids = request.prompt_ids;
    Rewind(ids, request.logprobs_begin);
    while (std::ssize(fed_) < std::ssize(ids) - 1) {
      Feed(ids[fed_.size()]);
      if (std::ssize(fed_) <= request.logprobs_begin) continue;
      Floats row = Logits();
      const auto best = std::max_element(row.begin(), row.end());
      double sum = 0;
      for (const float logit : row) sum += std::exp(static_cast<double>(logit) - *best);
      const double log_sum = *best + std::log(sum);
      result.argmax.push_back(static_cast<int32_t>(best - row.begin()));
      result.logprob.push_back(row[ids[fed_.size()]] - log_sum);
      for (float& logit : row) logit = static_cast<float>(logit - log_sum);
      if (request.full_logprobs) result.full_logprob.push_back(std::move(row));
    }
  }

  Shape s_;
  std::shared_ptr<const TensorSource> source_;
  Floats embedding_, hidden_;
  std::vector<Layer> layers_;
  Norm norm_;
  Linear head_;
  std::vector<int32_t> fed_;
};

}  // namespace

std::unique_ptr<Fp32Model> Fp32Model::Load(const std::string& folder) {
  return std::make_unique<Model>(folder);
}

}  // namespace nemo::eval::testing
