// cuBLASLt behind GemmLibrary. Everything is column-major there: a row-major y[m, n] is its [n, m],
// and W [n, k] is the transpose of its [k, n].
#include <map>
#include <utility>
#include <vector>

#include <cublasLt.h>

#include "kernels/cuda/dynamic_library.h"
#include "kernels/cuda/gemm_library.h"
#include "libcore/base/format.h"

namespace nemo::cuda {
namespace {

constexpr int kMaxCandidates = 8;

/// The functions that are used, by the library's own declarations.
struct Functions {
  decltype(cublasLtCreate)* create;
  decltype(cublasLtDestroy)* destroy;
  decltype(cublasLtGetVersion)* get_version;
  decltype(cublasLtGetStatusString)* get_status_string;
  decltype(cublasLtMatmulDescCreate)* matmul_desc_create;
  decltype(cublasLtMatmulDescDestroy)* matmul_desc_destroy;
  decltype(cublasLtMatmulDescSetAttribute)* matmul_desc_set_attribute;
  decltype(cublasLtMatrixLayoutCreate)* layout_create;
  decltype(cublasLtMatrixLayoutDestroy)* layout_destroy;
  decltype(cublasLtMatmulPreferenceCreate)* preference_create;
  decltype(cublasLtMatmulPreferenceDestroy)* preference_destroy;
  decltype(cublasLtMatmulPreferenceSetAttribute)* preference_set_attribute;
  decltype(cublasLtMatmulAlgoGetHeuristic)* get_heuristic;
  decltype(cublasLtMatmul)* matmul;
};

Result<Functions> Load() {
  const std::string name = Format("libcublasLt.so.{}", CUBLAS_VER_MAJOR);
  NEMO_ASSIGN_OR_RETURN(const DynamicLibrary library, DynamicLibrary::Open(name, "cuBLASLt"));
  Functions f = {};
  NEMO_RETURN_IF_ERROR(library.Find("cublasLtCreate", &f.create));
  NEMO_RETURN_IF_ERROR(library.Find("cublasLtDestroy", &f.destroy));
  NEMO_RETURN_IF_ERROR(library.Find("cublasLtGetVersion", &f.get_version));
  NEMO_RETURN_IF_ERROR(library.Find("cublasLtGetStatusString", &f.get_status_string));
  NEMO_RETURN_IF_ERROR(library.Find("cublasLtMatmulDescCreate", &f.matmul_desc_create));
  NEMO_RETURN_IF_ERROR(library.Find("cublasLtMatmulDescDestroy", &f.matmul_desc_destroy));
  NEMO_RETURN_IF_ERROR(
      library.Find("cublasLtMatmulDescSetAttribute", &f.matmul_desc_set_attribute));
  NEMO_RETURN_IF_ERROR(library.Find("cublasLtMatrixLayoutCreate", &f.layout_create));
  NEMO_RETURN_IF_ERROR(library.Find("cublasLtMatrixLayoutDestroy", &f.layout_destroy));
  NEMO_RETURN_IF_ERROR(library.Find("cublasLtMatmulPreferenceCreate", &f.preference_create));
  NEMO_RETURN_IF_ERROR(library.Find("cublasLtMatmulPreferenceDestroy", &f.preference_destroy));
  NEMO_RETURN_IF_ERROR(
      library.Find("cublasLtMatmulPreferenceSetAttribute", &f.preference_set_attribute));
  NEMO_RETURN_IF_ERROR(library.Find("cublasLtMatmulAlgoGetHeuristic", &f.get_heuristic));
  NEMO_RETURN_IF_ERROR(library.Find("cublasLtMatmul", &f.matmul));
  return f;
}

/// What a shape needs at each call.
struct Problem {
  cublasLtMatmulDesc_t matmul = nullptr;
  cublasLtMatrixLayout_t weight = nullptr, x = nullptr, y = nullptr;
  std::vector<cublasLtMatmulAlgo_t> candidates;
};

class CublasLt final : public GemmLibrary {
 public:
  explicit CublasLt(const Functions& functions) : f_(functions) {}
  ~CublasLt() override {
    for (auto& [shape, problem] : problems_) Destroy(problem);
    if (handle_ != nullptr) f_.destroy(handle_);
  }

  Status Start() { return Check(f_.create(&handle_), "cublasLtCreate"); }

  std::string name() const override {
    const size_t version = f_.get_version();
    return Format("cuBLASLt {}.{}.{}", version / 10000, version / 100 % 100, version % 100);
  }

  Result<int> NumCandidates(const GemmShape& shape, int64_t scratch_bytes) override {
    NEMO_ASSIGN_OR_RETURN(Problem* const problem, Find(shape));
    if (problem->candidates.empty()) {
      NEMO_RETURN_IF_ERROR(AskForCandidates(*problem, scratch_bytes));
    }
    return static_cast<int>(problem->candidates.size());
  }

  Status Run(const GemmShape& shape, int candidate, const BF16* weight, const BF16* x, void* y,
             void* scratch, int64_t scratch_bytes, cudaStream_t stream) override {
    NEMO_ASSIGN_OR_RETURN(Problem* const problem, Find(shape));
    const float one = 1.0f, zero = 0.0f;
    return Check(f_.matmul(handle_, problem->matmul, &one, weight, problem->weight, x, problem->x,
                           &zero, y, problem->y, y, problem->y, &problem->candidates[candidate],
                           scratch, static_cast<size_t>(scratch_bytes), stream),
                 "cublasLtMatmul");
  }

 private:
  Status Check(cublasStatus_t status, const char* call) const {
    if (status == CUBLAS_STATUS_SUCCESS) return OkStatus();
    return Unavailable(Format("{}: {}", call, f_.get_status_string(status)));
  }

  Result<Problem*> Find(const GemmShape& shape) {
    const auto found = problems_.find(shape);
    if (found != problems_.end()) return &found->second;
    Problem problem;
    const Status made = Make(shape, problem);
    if (!made.ok()) {
      Destroy(problem);
      return made;
    }
    return &problems_.emplace(shape, std::move(problem)).first->second;
  }

  Status Make(const GemmShape& shape, Problem& problem) {
    NEMO_RETURN_IF_ERROR(
        Check(f_.matmul_desc_create(&problem.matmul, CUBLAS_COMPUTE_32F, CUDA_R_32F),
              "cublasLtMatmulDescCreate"));
    const cublasOperation_t transposed = CUBLAS_OP_T;
    NEMO_RETURN_IF_ERROR(
        Check(f_.matmul_desc_set_attribute(problem.matmul, CUBLASLT_MATMUL_DESC_TRANSA, &transposed,
                                           sizeof transposed),
              "cublasLtMatmulDescSetAttribute"));
    const auto rows = [](int64_t size) { return static_cast<uint64_t>(size); };
    NEMO_RETURN_IF_ERROR(Check(f_.layout_create(&problem.weight, CUDA_R_16BF, rows(shape.k),
                                                rows(shape.n), shape.row_stride),
                               "cublasLtMatrixLayoutCreate"));
    NEMO_RETURN_IF_ERROR(
        Check(f_.layout_create(&problem.x, CUDA_R_16BF, rows(shape.k), rows(shape.m), shape.k),
              "cublasLtMatrixLayoutCreate"));
    return Check(f_.layout_create(&problem.y, shape.float_output ? CUDA_R_32F : CUDA_R_16BF,
                                  rows(shape.n), rows(shape.m), shape.n),
                 "cublasLtMatrixLayoutCreate");
  }

  void Destroy(Problem& problem) {
    if (problem.matmul != nullptr) f_.matmul_desc_destroy(problem.matmul);
    for (cublasLtMatrixLayout_t layout : {problem.weight, problem.x, problem.y}) {
      if (layout != nullptr) f_.layout_destroy(layout);
    }
  }

  Status AskForCandidates(Problem& problem, int64_t scratch_bytes) {
    cublasLtMatmulPreference_t preference = nullptr;
    NEMO_RETURN_IF_ERROR(
        Check(f_.preference_create(&preference), "cublasLtMatmulPreferenceCreate"));
    const auto most = static_cast<uint64_t>(scratch_bytes);
    std::vector<cublasLtMatmulHeuristicResult_t> results(kMaxCandidates);
    int count = 0;
    cublasStatus_t status = f_.preference_set_attribute(
        preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &most, sizeof most);
    if (status == CUBLAS_STATUS_SUCCESS) {
      status = f_.get_heuristic(handle_, problem.matmul, problem.weight, problem.x, problem.y,
                                problem.y, preference, kMaxCandidates, results.data(), &count);
    }
    f_.preference_destroy(preference);
    if (status == CUBLAS_STATUS_NOT_SUPPORTED) return OkStatus();  // there are none
    NEMO_RETURN_IF_ERROR(Check(status, "cublasLtMatmulAlgoGetHeuristic"));
    for (int i = 0; i < count; ++i) problem.candidates.push_back(results[i].algo);
    return OkStatus();
  }

  const Functions f_;
  cublasLtHandle_t handle_ = nullptr;
  std::map<GemmShape, Problem> problems_;
};

}  // namespace

Result<std::unique_ptr<GemmLibrary>> OpenCublasLt() {
  NEMO_ASSIGN_OR_RETURN(const Functions functions, Load());
  auto library = std::make_unique<CublasLt>(functions);
  NEMO_RETURN_IF_ERROR(library->Start());
  return std::unique_ptr<GemmLibrary>(std::move(library));
}

}  // namespace nemo::cuda
