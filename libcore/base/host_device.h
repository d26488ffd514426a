// NEMO_HOST_DEVICE: marks the few small functions that kernels of a device share with the host, so
// that both compile the same steps. Only a compiler of device code sees anything in it.
#pragma once

#ifdef __CUDACC__
#define NEMO_HOST_DEVICE __host__ __device__
#else
#define NEMO_HOST_DEVICE
#endif
