"""Writes by_torch.pt and large_by_torch.json: what torch itself makes of state dicts.

by_torch.pt: every element type, a scalar, no elements, and more values than one byte counts.
large_by_torch.json: a file with a storage above 4 GiB, without the bytes of its storages: places, checksums and the hex of
everything else. Both are written as torch.save did before it added records of its own (.format_version): torch's
pickle and torch's zip writer, called as torch/serialization.py (_save) of torch 2.3 calls them.
Run with torch (2.15.0 made these) in this folder; needs 5 GB of disk and memory for a moment.
"""
import io
import json
import os
import pickle
import struct
import tempfile

import torch

TYPES = [torch.bfloat16, torch.float16, torch.float32, torch.float64, torch.uint8, torch.int8, torch.int16, torch.int32,
         torch.int64, torch.bool]


def save(path, root, obj):
    """torch.serialization._save, of torch 2.3."""
    storages, types = {}, {}

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            if not isinstance(value, torch.storage.TypedStorage):
                return None
            storage = value._untyped_storage
            key = storages.setdefault(storage._cdata, str(len(storages)))
            types[key] = storage
            return ('storage', getattr(torch, value._pickle_storage_type()), key, 'cpu', value._size())

    out = io.BytesIO()
    Pickler(out, protocol=2).dump(obj)
    with open(path, 'wb') as f:
        writer = torch._C.PyTorchFileWriter(f, True)
        writer_root = writer.archive_name()
        assert writer_root == root, writer_root
        writer.write_record('data.pkl', out.getvalue(), len(out.getvalue()))
        writer.write_record('byteorder', 'little', len('little'))
        for key, storage in types.items():
            writer.write_record(f'data/{key}', storage, storage.nbytes())
        writer.write_end_of_file()


def directory(f):
    """(name, size, local header, data) of each entry, and where the central directory begins."""
    f.seek(-22 - 20, os.SEEK_END)
    end64 = struct.unpack('<Q', f.read(20)[8:16])[0]
    f.seek(end64)
    count, _, offset = struct.unpack('<QQQ', f.read(56)[32:])
    f.seek(offset)
    entries = []
    for _ in range(count):
        head = struct.unpack('<4sHHHHHHIIIHHHHHII', f.read(46))
        name, extra = f.read(head[10]), f.read(head[11])
        values = list(struct.unpack(f'<{(len(extra) - 4) // 8}Q', extra[4:])) if extra else []
        size, _, at = [values.pop(0) if v == 0xffffffff else v for v in (head[9], head[8], head[16])]
        entries.append((name.decode(), size, at, head[7]))
    placed = []
    for name, size, at, crc in entries:
        f.seek(at)
        head = struct.unpack('<4sHHHHHIIIHH', f.read(30))
        placed.append((name, size, at + 30 + head[9] + head[10], crc))
    return placed, offset


def pattern(dtype, shape, seed):
    count = 1
    for size in shape:
        count *= size
    raw = bytes((7 * i + 13 * seed) % 256 for i in range(count * dtype.itemsize))
    if dtype == torch.bool:
        raw = bytes(b % 2 for b in raw)
    tensor = torch.empty(count, dtype=dtype)
    tensor.untyped_storage().copy_(torch.UntypedStorage(list(raw)))
    return tensor.reshape(shape)


def main():
    tensors = {f'of_{str(t)[6:]}': pattern(t, (2, 3), i) for i, t in enumerate(TYPES)}
    tensors['scalar'] = pattern(torch.float32, (), 20)
    tensors['no_elements'] = torch.empty((0, 4), dtype=torch.bfloat16)
    for layer in range(16):
        tensors[f'decoder.layers.{layer}.weight'] = pattern(torch.bfloat16, (layer + 1, 5, 7), 30 + layer)
    save('by_torch.pt', 'archive', tensors)

    large = {'before': pattern(torch.bfloat16, (3,), 1), 'large': torch.zeros((1, (1 << 32) + 6), dtype=torch.uint8),
             'behind': pattern(torch.bfloat16, (3,), 2)}
    with tempfile.TemporaryDirectory(dir='.') as folder:
        path = os.path.join(folder, 'x.pt')
        save(path, 'archive', large)
        with open(path, 'rb') as f:
            entries, offset = directory(f)
            size = os.path.getsize(path)
            data = [e for e in entries if '/data/' in e[0]]
            pieces, at = [], 0
            for name, bytes_, begin, _ in data + [('', 0, size, 0)]:
                f.seek(at)
                pieces.append({'offset': at, 'hex': f.read(begin - at).hex()})
                at = begin + bytes_
    with open('large_by_torch.json', 'w') as f:
        json.dump({'data_offsets': [e[2] for e in data], 'crc32': [e[3] for e in data], 'directory_offset': offset,
                   'pieces': pieces}, f, indent=0)
        f.write('\n')


if __name__ == '__main__':
    main()
