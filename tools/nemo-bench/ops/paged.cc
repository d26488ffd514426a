#include "tools/nemo-bench/ops/paged.h"

namespace nemo {

PagedShape MakePagedShape(const OpSizes& sizes, int64_t num_sequences, int64_t num_new,
                          int64_t length) {
  const RankShape& s = sizes.shape;
  return {num_sequences,  num_new,    length,       s.num_q_heads,
          s.num_kv_heads, s.head_dim, s.rotary_dim, sizes.config.rotary_base};
}

PagedInput MakePagedInput(const PagedShape& shape, int threads) {
  PagedInput input;
  input.shape = shape;
  input.qkv = RandomVector("qkv", shape.num_tokens() * shape.qkv_columns(), threads, 1);
  input.pages = RandomVector("pages", shape.pool_elements(), threads, 1);
  for (int64_t sequence = 0; sequence < shape.num_sequences; ++sequence) {
    for (int64_t i = 0; i < shape.num_new; ++i) {
      input.positions.push_back(static_cast<int32_t>(shape.length - shape.num_new + i));
      input.sequence_of.push_back(static_cast<int32_t>(sequence));
    }
    // As a server's cache looks after a while: the sequences' pages take turns.
    for (int64_t page = 0; page < shape.pages_of_sequence(); ++page) {
      input.page_table.push_back(static_cast<int32_t>(page * shape.num_sequences + sequence));
    }
  }
  return input;
}

Result<PagedArrays> PagedArrays::Upload(Backend& backend, int64_t num_copies,
                                        const PagedInput& input) {
  NEMO_ASSIGN_OR_RETURN(auto qkv, Copies<BF16>::Of(backend, num_copies, input.qkv));
  NEMO_ASSIGN_OR_RETURN(auto pages, Copies<BF16>::Of(backend, num_copies, input.pages));
  NEMO_ASSIGN_OR_RETURN(auto positions, Copies<int32_t>::Of(backend, 1, input.positions));
  NEMO_ASSIGN_OR_RETURN(auto sequence_of, Copies<int32_t>::Of(backend, 1, input.sequence_of));
  NEMO_ASSIGN_OR_RETURN(auto page_table, Copies<int32_t>::Of(backend, 1, input.page_table));
  return PagedArrays{std::move(qkv), std::move(pages), std::move(positions), std::move(sequence_of),
                     std::move(page_table)};
}

}  // namespace nemo
