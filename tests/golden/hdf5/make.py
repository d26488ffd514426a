#!/usr/bin/env python3
"""Makes the HDF5 files beside it: h5py 3.16.0 (HDF5 2.0.0), numpy 2.4.6.

contiguous.h5 is what the reader accepts; each of the others has one thing that it refuses.
"""
import h5py
import numpy as np


def count(dtype, *shape):
    return np.arange(int(np.prod(shape)), dtype=dtype).reshape(shape)


with h5py.File("contiguous.h5", "w") as f:
    f["bytes"] = count("u1", 7)
    f["cube"] = count("<i8", 2, 3, 4)
    f["floats"] = count("<f4", 5, 6)
    f["scalar"] = np.float64(0)
with h5py.File("chunked.h5", "w") as f:
    f.create_dataset("t", data=count("<f4", 4, 4), chunks=(2, 2))
with h5py.File("compressed.h5", "w") as f:
    f.create_dataset("t", data=count("<f4", 4, 4), compression="gzip")
with h5py.File("compact.h5", "w") as f:
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_layout(h5py.h5d.COMPACT)
    h5py.h5d.create(f.id, b"t", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((4,)), plist)
with h5py.File("external.h5", "w") as f:
    f.create_dataset("t", shape=(4,), dtype="<f4", external=[("elsewhere.bin", 0, 16)])
with h5py.File("group.h5", "w") as f:
    f["a/t"] = count("<f4", 4)
with h5py.File("soft_link.h5", "w") as f:
    f["t"] = count("<f4", 4)
    f["again"] = h5py.SoftLink("/t")
with h5py.File("external_link.h5", "w") as f:
    f["t"] = h5py.ExternalLink("elsewhere.h5", "/t")
with h5py.File("big_endian.h5", "w") as f:
    f["t"] = count(">f4", 4)
with h5py.File("bool.h5", "w") as f:
    f["t"] = np.array([True, False])
with h5py.File("text.h5", "w") as f:
    f["t"] = "text"
with h5py.File("empty_shape.h5", "w") as f:
    f["t"] = h5py.Empty("<f4")
with h5py.File("never_written.h5", "w") as f:
    f.create_dataset("t", shape=(4,), dtype="<f4")
with h5py.File("twice.h5", "w") as f:
    f["t"] = count("<f4", 4)
    f["again"] = f["t"]
