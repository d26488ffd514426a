"""Writes metadata.pickle: the .metadata of a small distributed checkpoint, built of torch's own classes.

Run with torch (2.15.0 made it) in this folder. What torch 2.15 added to the classes of torch 2.3 is left out.
"""
import pickle

import torch
from torch.distributed.checkpoint.filesystem import _StorageInfo
from torch.distributed.checkpoint.metadata import (BytesStorageMetadata, ChunkStorageMetadata, Metadata, MetadataIndex,
                                                   TensorProperties, TensorStorageMetadata)

sixth_field = TensorProperties.__getstate__
TensorProperties.__getstate__ = lambda self: sixth_field(self)[:5]

# (key, dtype, shape, [(offset, sizes, file, begin, length)]); the lengths are those of items without the entries that
# torch adds for itself (serialization_id and its like).
TENSORS = [
    ('decoder.final_layernorm.weight', torch.float32, (3,), [((0,), (3,), '__0_0.distcp', 4180, 938)]),
    ('decoder.layers.mlp.linear_fc1.weight', torch.bfloat16, (2, 4, 300),
     [((0, 0, 0), (1, 2, 300), '__0_0.distcp', 0, 2090), ((1, 0, 0), (1, 2, 300), '__0_0.distcp', 2090, 2090),
      ((0, 2, 0), (1, 2, 300), '__1_0.distcp', 0, 2090), ((1, 2, 0), (1, 2, 300), '__1_0.distcp', 2090, 2090)]),
]
OBJECT = ('decoder.layers.mlp.linear_fc1._extra_state/shard_0_2', '__0_0.distcp', 5118, 5)

state_dict_metadata, storage = {}, {}
for key, dtype, shape, chunks in TENSORS:
    state_dict_metadata[key] = TensorStorageMetadata(
        TensorProperties(dtype=dtype), torch.Size(shape),
        [ChunkStorageMetadata(torch.Size(offset), torch.Size(sizes)) for offset, sizes, *_ in chunks])
    for index, (offset, _, file, begin, length) in enumerate(chunks):
        storage[MetadataIndex(key, offset, index)] = _StorageInfo(file, begin, length)
state_dict_metadata[OBJECT[0]] = BytesStorageMetadata()
storage[MetadataIndex(OBJECT[0])] = _StorageInfo(*OBJECT[1:])

with open('metadata.pickle', 'wb') as f:
    pickle.dump(Metadata(state_dict_metadata, {}, storage), f, protocol=4)
