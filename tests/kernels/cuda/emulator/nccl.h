// NCCL for the emulator. Its groups are of threads of this process, never block the caller, and are
// as strict as an NCCL without buffers: a send ends when it is received, and the bytes are read
// then; the first call of a pair ends when both have made it.
#pragma once

namespace nemo::simt {

/// Whether the system has NCCL from now on. At first it has none.
void SetNccl(bool is_there);

}  // namespace nemo::simt
