#!/usr/bin/env python3
"""Makes the zstd_*.h5 files beside it: h5py 3.14.0 (HDF5 1.14.6), hdf5plugin 6.0.0.

zstd_chunks.h5 is what the reader accepts: element i of every tensor is i. Each of the others has one
thing that it refuses.
"""
import h5py
import hdf5plugin
import numpy as np


def count(dtype, *shape):
    return np.arange(int(np.prod(shape)), dtype=dtype).reshape(shape)


ZSTD = hdf5plugin.Zstd(clevel=5)
with h5py.File("zstd_chunks.h5", "w") as f:  # the oldest format: chunks in B-trees
    f.create_dataset("bytes", data=count("u1", 7), chunks=(3,), shuffle=True, **ZSTD)
    f.create_dataset("cube", data=count("<i8", 2, 3, 4), chunks=(2, 2, 3), shuffle=True, **ZSTD)
    f.create_dataset("floats", data=count("<f4", 50, 60), chunks=(7, 60), **ZSTD)
    f["scalar"] = np.float64(0)
    f.create_dataset("shorts", data=count("<i2", 41, 300), chunks=(16, 100), shuffle=True, **ZSTD)
with h5py.File("zstd_latest.h5", "w", libver=("v110", "v110")) as f:  # arrays and single chunks
    f.create_dataset("bytes", data=count("u1", 7), chunks=(7,), shuffle=True, **ZSTD)
    f.create_dataset("cube", data=count("<i8", 2, 3, 4), chunks=(2, 2, 3), maxshape=(None, 3, 4), shuffle=True, **ZSTD)
    f.create_dataset("floats", data=count("<f4", 50, 60), chunks=(7, 60), maxshape=(None, None), **ZSTD)
    f["scalar"] = np.float64(0)
    f.create_dataset("shorts", data=count("<i2", 41, 300), chunks=(4, 30), shuffle=True, **ZSTD)
with h5py.File("zstd_fletcher.h5", "w") as f:
    f.create_dataset("t", data=count("<f4", 4, 4), chunks=(2, 4), fletcher32=True, **ZSTD)
with h5py.File("zstd_hole.h5", "w") as f:
    f.create_dataset("t", shape=(4, 4), dtype="<f4", chunks=(2, 4), **ZSTD)[:2] = 1
with h5py.File("zstd_skipped.h5", "w") as f:
    t = f.create_dataset("t", shape=(2, 4), dtype="<f4", chunks=(2, 4), **ZSTD)
    t.id.write_direct_chunk((0, 0), count("<f4", 2, 4).tobytes(), filter_mask=1)
with h5py.File("zstd_bomb.h5", "w") as f:  # a frame that says it holds 16 TiB
    t = f.create_dataset("t", shape=(2, 4), dtype="<f4", chunks=(2, 4), **ZSTD)
    t.id.write_direct_chunk((0, 0), bytes.fromhex("28b52ffde0000000000010000001"))
