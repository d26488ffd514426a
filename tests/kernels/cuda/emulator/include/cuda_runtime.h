// Found in place of the Toolkit's header by what is compiled for the emulator.
#pragma once
#include "tests/kernels/cuda/emulator/runtime.h"
