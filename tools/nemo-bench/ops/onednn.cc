#include "tools/nemo-bench/ops/onednn.h"

#include <algorithm>
#include <unordered_map>
#include <utility>
#include <vector>

#ifdef NEMO_ONEDNN
#include <omp.h>

#include <dnnl.hpp>
#endif

#include "libcore/base/format.h"
#include "tools/nemo-bench/ops/arrays.h"

namespace nemo {

#ifdef NEMO_ONEDNN

namespace {

using Tag = dnnl::memory::format_tag;
using Type = dnnl::memory::data_type;

/// Exceptions of oneDNN end here.
template <typename Function>
Status AtTheDoor(const Function& function) {
  try {
    function();
  } catch (const dnnl::error& error) {
    return error.status == dnnl_unimplemented ? Unsupported(Format("oneDNN: {}", error.what()))
                                              : IoError(Format("oneDNN: {}", error.what()));
  }
  return OkStatus();
}

class OneDnnLinear final : public PreparedOp {
 public:
  explicit OneDnnLinear(int threads) : threads_(threads) {}

  void Build(const OpContext& context, const LinearShape& shape) {
    omp_set_num_threads(threads_);
    const Type out = shape.epilogue == Epilogue::kFloat ? Type::f32 : Type::bf16;
    const dnnl::memory::desc x({shape.m, shape.k}, Type::bf16, Tag::ab);
    const dnnl::memory::desc plain({shape.k, shape.n}, Type::bf16, Tag::ba);
    const dnnl::memory::desc any({shape.k, shape.n}, Type::bf16, Tag::any);
    const dnnl::memory::desc y({shape.m, shape.n}, out, Tag::ab);
    const dnnl::matmul::primitive_desc description = Describe(x, any, y);
    matmul_ = dnnl::matmul(description);
    const int64_t bytes = static_cast<int64_t>(description.weights_desc().get_size()) +
                          2 * shape.m * (shape.n + shape.k);
    std::vector<BF16> weight = RandomVector("weight", shape.n * shape.k, threads_);
    dnnl::memory from(plain, engine_, weight.data());
    const std::vector<BF16> x_host = RandomVector("x", shape.m * shape.k, threads_, 1);
    for (int64_t i = CopiesFor(context, static_cast<double>(bytes)); i > 0; --i) {
      dnnl::memory packed(description.weights_desc(), engine_);
      dnnl::reorder(from, packed).execute(stream_, from, packed);
      dnnl::memory input(x, engine_);
      std::copy(x_host.begin(), x_host.end(), static_cast<BF16*>(input.get_data_handle()));
      calls_.push_back({{DNNL_ARG_SRC, input},
                        {DNNL_ARG_WEIGHTS, packed},
                        {DNNL_ARG_DST, dnnl::memory(y, engine_)}});
    }
    stream_.wait();
  }

  Status Run(int64_t call) override {
    return AtTheDoor([&] {
      matmul_.execute(stream_, calls_[static_cast<size_t>(call) % calls_.size()]);
      stream_.wait();
    });
  }

  // Its sums have another order; nothing is promised, so nothing is compared.
  Result<double> Error(Backend&) override { return Unsupported("a peer is not checked"); }

 private:
  dnnl::matmul::primitive_desc Describe(const dnnl::memory::desc& x, const dnnl::memory::desc& w,
                                        const dnnl::memory::desc& y) const {
#if DNNL_VERSION_MAJOR >= 3
    return {engine_, x, w, y};
#else
    return {dnnl::matmul::desc(x, w, y), engine_};
#endif
  }

  const int threads_;
  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
  dnnl::matmul matmul_;
  std::vector<std::unordered_map<int, dnnl::memory>> calls_;
};

}  // namespace

std::string OneDnnName() {
  const dnnl_version_t* version = dnnl_version();
  return Format("oneDNN {}.{}.{}", version->major, version->minor, version->patch);
}

Result<std::unique_ptr<PreparedOp>> PrepareOneDnnLinear(const OpContext& context,
                                                        const LinearShape& shape) {
  std::unique_ptr<OneDnnLinear> op;
  NEMO_RETURN_IF_ERROR(AtTheDoor([&] {
    op = std::make_unique<OneDnnLinear>(context.threads);
    op->Build(context, shape);
  }));
  return std::unique_ptr<PreparedOp>(std::move(op));
}

#else

std::string OneDnnName() { return ""; }

Result<std::unique_ptr<PreparedOp>> PrepareOneDnnLinear(const OpContext&, const LinearShape&) {
  return Unsupported("built without oneDNN");
}

#endif

}  // namespace nemo
