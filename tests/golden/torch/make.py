"""Writes the files of this folder: one state dict in every form of torch.save, by Python's pickle and zipfile.

torch itself is not needed: classes of its names stand in for it, and the order of the parts is that of
torch/serialization.py (_save, _legacy_save). expected.json holds each tensor's bytes, gathered element by element.
Run with CPython 3.11 in this folder.
"""
import collections
import io
import json
import pickle
import struct
import sys
import types
import zipfile

ITEM = {'BFloat16Storage': ('BF16', 2), 'FloatStorage': ('F32', 4), 'HalfStorage': ('F16', 2), 'LongStorage': ('I64', 8),
        'BoolStorage': ('BOOL', 1), 'DoubleStorage': ('F64', 8), 'ByteStorage': ('U8', 1), 'CharStorage': ('I8', 1),
        'ShortStorage': ('I16', 2), 'IntStorage': ('I32', 4), 'UntypedStorage': ('U8', 1)}

torch = types.ModuleType('torch')
utils = types.ModuleType('torch._utils')
tensor_module = types.ModuleType('torch._tensor')
storage_module = types.ModuleType('torch.storage')
sys.modules.update({'torch': torch, 'torch._utils': utils, 'torch._tensor': tensor_module, 'torch.storage': storage_module})


def stand_in(module, name):
    def function(*args):
        raise RuntimeError('never called')
    function.__module__, function.__qualname__, function.__name__ = module.__name__, name, name
    setattr(module, name, function)
    return function


REBUILD = {n: stand_in(utils, n) for n in ('_rebuild_tensor_v2', '_rebuild_tensor_v3', '_rebuild_parameter')}
FROM_TYPE = stand_in(tensor_module, '_rebuild_from_type_v2')
STORAGES = {n: stand_in(storage_module if n == 'UntypedStorage' else torch, n) for n in ITEM}
BFLOAT16 = stand_in(torch, 'bfloat16')
SUBCLASS = stand_in(torch, 'Tensor')
SIZE = stand_in(torch, 'Size')


class Storage:
    def __init__(self, kind, count, key, view=None, data=None):
        self.kind, self.count, self.key, self.view = kind, count, key, view
        size = ITEM[kind][1]
        self.data = data or bytes((7 * i + 13 * int(key) + i // 251) % 256 for i in range(count * size))


class Tensor:
    def __init__(self, storage, offset, shape, strides, how='plain'):
        self.storage, self.offset, self.shape, self.strides, self.how = storage, offset, shape, strides, how

    def __reduce_ex__(self, protocol):
        plain = (self.storage, self.offset, self.shape, self.strides, False, collections.OrderedDict())
        if self.how == 'untyped':
            return REBUILD['_rebuild_tensor_v3'], plain + (BFLOAT16,)
        if self.how == 'subclass':
            return FROM_TYPE, (REBUILD['_rebuild_tensor_v2'], SUBCLASS, plain, {})
        if self.how == 'parameter':
            inner = Tensor(self.storage, self.offset, self.shape, self.strides)
            return REBUILD['_rebuild_parameter'], (inner, True, collections.OrderedDict())
        return REBUILD['_rebuild_tensor_v2'], plain

    def dtype(self):
        return ('BF16', 2) if self.how == 'untyped' else ITEM[self.storage.kind]

    def bytes(self):
        size, out = self.dtype()[1], b''
        base = self.offset + (self.storage.view[1] if self.storage.view else 0)

        def walk(axis, at):
            nonlocal out
            if axis == len(self.shape):
                out += self.storage.data[at * size:(at + 1) * size]
            else:
                for i in range(self.shape[axis]):
                    walk(axis + 1, at + i * self.strides[axis])
        walk(0, base)
        return out


def state_dict(stream):
    shared = Storage('BFloat16Storage', 60, '0')
    d = collections.OrderedDict()
    d['plain'] = Tensor(shared, 0, (5, 12), (12, 1))
    d['offset'] = Tensor(shared, 7, (2, 3), (3, 1))
    d['transposed'] = Tensor(shared, 0, (12, 5), (1, 12))
    d['columns'] = Tensor(shared, 3, (5, 4), (12, 1))
    d['every_other'] = Tensor(shared, 1, (5, 6), (12, 2))
    d['permuted'] = Tensor(shared, 0, (3, 5, 4), (4, 12, 1))
    d['expanded'] = Tensor(shared, 5, (4, 3), (0, 1))
    d['no_elements'] = Tensor(shared, 0, (0, 4), (4, 1))
    d['scalar'] = Tensor(shared, 59, (), ())
    d['parameter'] = Tensor(shared, 0, (6, 10), (10, 1), 'parameter')
    d['subclass'] = Tensor(shared, 0, (60,), (1,), 'subclass')
    for number, kind in enumerate(k for k in ITEM if k not in ('BFloat16Storage', 'UntypedStorage')):
        d['of_' + ITEM[kind][0]] = Tensor(Storage(kind, 6, str(number + 1)), 0, (2, 3), (3, 1))
    if stream:
        whole = Storage('FloatStorage', 20, '20')
        part = Storage('FloatStorage', 20, '20', ('view', 4, 8))
        d['whole'] = Tensor(whole, 0, (20,), (1,))
        d['of_a_view'] = Tensor(part, 1, (2, 3), (3, 1))
    else:
        d['untyped'] = Tensor(Storage('UntypedStorage', 24, '20'), 2, (2, 5), (5, 1), 'untyped')
    d['nested'] = {'inner': {'weight': Tensor(shared, 0, (4,), (1,))}}
    d['fp8._extra_state'] = io.BytesIO(b'not a tensor')
    d['nothing'] = None
    d['step'] = 3
    d._metadata = {'': {'version': 1}}
    return d


class Pickler(pickle.Pickler):
    stream = False

    def persistent_id(self, obj):
        if not isinstance(obj, Storage):
            return None
        fields = ('storage', STORAGES[obj.kind], obj.key, 'cuda:3', obj.count)
        return fields + (obj.view,) if self.stream else fields


def dump(obj, stream=False):
    out = io.BytesIO()
    pickler = Pickler(out, protocol=2)
    pickler.stream = stream
    pickler.dump(obj)
    return out.getvalue()


def storages(obj, found):
    for value in obj.values():
        if isinstance(value, dict):
            storages(value, found)
        elif isinstance(value, Tensor):
            found[value.storage.key] = value.storage
    return found


class Unseekable(io.RawIOBase):
    """Makes zipfile write data descriptors, as torch does."""

    def __init__(self, path):
        self.file = open(path, 'wb')

    def writable(self):
        return True

    def write(self, data):
        return self.file.write(data)

    def close(self):
        self.file.close()


def write_zip(target, obj, method=zipfile.ZIP_STORED):
    entries = {'data.pkl': dump(obj), 'byteorder': b'little', 'version': b'3\n'}
    entries.update({'data/' + k: s.data for k, s in storages(obj, {}).items()})
    with zipfile.ZipFile(target, 'w', method) as z:
        for name, data in entries.items():
            z.writestr(zipfile.ZipInfo('some_stem/' + name), data, method)


def write_stream(path, obj):
    found = storages(obj, {})
    with open(path, 'wb') as f:
        f.write(pickle.dumps(0x1950a86a20f9469cfc6c, 2) + pickle.dumps(1001, 2))
        sizes = {'short': 2, 'int': 4, 'long': 4}
        f.write(pickle.dumps({'protocol_version': 1001, 'little_endian': True, 'type_sizes': sizes}, 2))
        f.write(dump(obj, True) + pickle.dumps(sorted(found), 2))
        for key in sorted(found):
            f.write(struct.pack('<q', found[key].count) + found[key].data)


def expected(obj, prefix=''):
    out = {}
    for name, value in obj.items():
        if isinstance(value, dict):
            out.update(expected(value, prefix + name + '.'))
        elif isinstance(value, Tensor):
            out[prefix + name] = {'dtype': value.dtype()[0], 'shape': list(value.shape), 'hex': value.bytes().hex()}
    return out


if __name__ == '__main__':
    write_zip('zip.pt', state_dict(False))
    unseekable = Unseekable('descriptors.pt')
    write_zip(unseekable, state_dict(False))
    unseekable.close()
    write_zip('compressed.pt', state_dict(False), method=zipfile.ZIP_DEFLATED)
    write_stream('stream.pt', state_dict(True))
    zipfile.ZIP64_LIMIT = 100  # sizes and offsets above it go to zip64 fields
    write_zip('zip64.pt', state_dict(False))
    with open('expected.json', 'w') as f:
        json.dump({'zip': expected(state_dict(False)), 'stream': expected(state_dict(True))}, f, indent=0)
        f.write('\n')
