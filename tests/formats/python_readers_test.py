"""Shards that nemo-convert wrote, read with h5py, hdf5plugin and safetensors, against the Hugging Face weights.

Arguments: the folder of the tools, tests/golden. Runs under the Python that NEMO_TEST_PYTHON names
(tests/python/requirements.txt). Exit codes: 0 passed, 1 failed (says what), 77 skipped (says why).
"""
import json
import os
import subprocess
import sys
import tempfile

PYTHON = os.environ.get("NEMO_TEST_PYTHON")
if PYTHON and "NEMO_TEST_PYTHON_RUNS" not in os.environ:
    os.environ["NEMO_TEST_PYTHON_RUNS"] = "1"
    os.execv(PYTHON, [PYTHON, *sys.argv])

try:
    import h5py
    import hdf5plugin
    import numpy as np
    import safetensors
except ImportError as missing:
    print(f"skipped: {missing} in {sys.executable}; "
          "NEMO_TEST_PYTHON names a Python that has h5py, hdf5plugin, safetensors and numpy")
    sys.exit(77)

CASES = [
    # archive, model, layout flags, ranks
    ("tiny_zarr_tp1pp1.nemo", "tiny", ["--tp", "1"], 1),
    ("tiny_zarr_tp2pp2.nemo", "tiny", ["--tp", "4", "--pp", "2"], 8),
    ("odd_zarr_tp2pp3.nemo", "odd", ["--tp", "2", "--pp", "3"], 6),
    ("tied_zarr_tp1pp2.nemo", "tied", ["--pp", "2"], 2),
]


def check(condition, message):
    if not condition:
        print(f"FAILED: {message}", file=sys.stderr)
        sys.exit(1)


def widen(bits):
    """bfloat16 bits -> float32, exactly."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def read_safetensors(path):
    """{name: float32 array}, parsed by the safetensors package."""
    with open(path, "rb") as f:
        entries = safetensors.deserialize(f.read())
    arrays = {}
    for name, entry in entries:
        check(entry["dtype"] == "BF16", f"{path}: {name} is {entry['dtype']}")
        arrays[name] = widen(np.frombuffer(entry["data"], np.uint16)).reshape(entry["shape"])
    return arrays


def read_safetensors_notes(path):
    with safetensors.safe_open(path, "np") as f:
        return {name: json.loads(text) for name, text in f.metadata().items() if name != "format"}


def read_hdf5(path):
    with h5py.File(path) as f:
        check(all(isinstance(f[name], h5py.Dataset) for name in f), f"{path}: not flat")
        return {name: f[name][...] for name in f}


def read_hdf5_notes(path):
    text = ("shard_rule", "xxh3")
    with h5py.File(path) as f:
        return {name: {key: f[name].attrs[key].decode() if key in text else list(map(int, f[name].attrs[key]))
                       for key in ("global_shape", "offset", *text)} for name in f}


def check_filters(path):
    """Byte shuffle, then zstd, and h5py decodes it with the filter of hdf5plugin."""
    with h5py.File(path) as f:
        for name, dataset in f.items():
            plist = dataset.id.get_create_plist()
            ids = [plist.get_filter(i)[0] for i in range(plist.get_nfilters())]
            check(ids == [h5py.h5z.FILTER_SHUFFLE, hdf5plugin.ZSTD_ID], f"{path}: {name}: filters {ids}")


READERS = {
    "hdf5": (".h5", read_hdf5, read_hdf5_notes),
    "safetensors": (".safetensors", read_safetensors, read_safetensors_notes),
}
KINDS = [("hdf5", "none"), ("safetensors", "none"), ("hdf5", "zstd"), ("hdf5", "zstd:12")]


def fuse_qkv(q, k, v, groups, head_dim):
    """Megatron's rows: of each query group its query heads, its key head, its value head."""
    hidden = q.shape[1]
    parts = [x.reshape(groups, -1, head_dim, hidden) for x in (q, k, v)]
    return np.concatenate(parts, axis=1).reshape(-1, hidden)


def canonical(golden, model):
    """The Hugging Face weights under Megatron's names and shapes."""
    folder = os.path.join(golden, "models", model, "hf")
    with open(os.path.join(folder, "config.json")) as f:
        config = json.load(f)
    hf = read_safetensors(os.path.join(folder, "model.safetensors"))
    out = {"embedding.word_embeddings.weight": hf["model.embed_tokens.weight"],
           "decoder.final_layernorm.weight": hf["model.norm.weight"],
           "decoder.final_layernorm.bias": hf["model.norm.bias"],
           "output_layer.weight": hf.get("lm_head.weight", hf["model.embed_tokens.weight"])}
    for i in range(config["num_hidden_layers"]):
        ours, theirs = f"decoder.layers.{i}.", f"model.layers.{i}."
        for kind in ("weight", "bias"):
            out[f"{ours}self_attention.linear_qkv.layer_norm_{kind}"] = hf[f"{theirs}input_layernorm.{kind}"]
            out[f"{ours}mlp.linear_fc1.layer_norm_{kind}"] = hf[f"{theirs}post_attention_layernorm.{kind}"]
        qkv = (hf[f"{theirs}self_attn.{x}_proj.weight"] for x in "qkv")
        out[f"{ours}self_attention.linear_qkv.weight"] = fuse_qkv(
            *qkv, config["num_key_value_heads"], config["head_dim"])
        out[f"{ours}self_attention.linear_proj.weight"] = hf[f"{theirs}self_attn.o_proj.weight"]
        out[f"{ours}mlp.linear_fc1.weight"] = hf[f"{theirs}mlp.up_proj.weight"]
        out[f"{ours}mlp.linear_fc2.weight"] = hf[f"{theirs}mlp.down_proj.weight"]
    return out


def padded(array, rows):
    """Vocabulary rows beyond the tokenizer's are zeros."""
    return np.concatenate([array, np.zeros((rows - array.shape[0], *array.shape[1:]), np.float32)])


def same_bits(a, b):
    bits_a, bits_b = (np.ascontiguousarray(x).view(np.uint32) for x in (a, b))
    return bits_a.shape == bits_b.shape and np.array_equal(bits_a, bits_b)


def check_shards(directory, container, compress, truth, ranks):
    """Every box of every file holds the truth's values, and together they leave none out."""
    extension, read, read_notes = READERS[container]
    with open(os.path.join(directory, "manifest.json")) as f:
        manifest = json.load(f)
    listed = {(s["file"], s["stored_name"]): s for t in manifest["tensors"] for s in t["shards"]}
    files = sorted(f for f in os.listdir(directory) if f.endswith(extension))
    check(len(files) == ranks, f"{directory}: {files}")
    covered, num_shards = {}, 0
    for file in files:
        path = os.path.join(directory, file)
        if compress != "none":
            check_filters(path)
        notes = read_notes(path)
        with open(path, "rb") as f:
            raw = f.read()
        for name, values in read(path).items():
            where = f"{file}: {name}"
            note, entry = notes[name], listed[file, name]
            whole = padded(truth[name], note["global_shape"][0])
            check(list(whole.shape) == note["global_shape"], f"{where}: global_shape {note['global_shape']}")
            box = tuple(slice(o, o + n) for o, n in zip(note["offset"], values.shape))
            check(same_bits(values.astype(np.float32), whole[box]),
                  f"{where}: other values than the Hugging Face model")
            if compress == "none":
                bits = np.frombuffer(raw, np.uint16, entry["bytes"] // 2, entry["byte_offset"])
                check(same_bits(widen(bits).reshape(entry["shape"]), whole[box]),
                      f"{where}: the manifest's place holds other bytes")
                check(container != "hdf5" or entry["byte_offset"] % 4096 == 0, f"{where}: not aligned")
            else:
                check(sum(entry["chunk_bytes"]) == entry["bytes"], f"{where}: {entry}")
            check(note["xxh3"] == entry["xxh3"] and len(note["xxh3"]) == 32, f"{where}: xxh3 {note['xxh3']}")
            covered.setdefault(name, np.zeros(whole.shape, bool))[box] = True
            num_shards += 1
    check(num_shards == len(listed), f"{directory}: {num_shards} shards, the manifest lists {len(listed)}")
    check(all(mask.all() for mask in covered.values()), "elements that no shard holds")
    return covered


def check_plugin(folder):
    """What an HDF5 library writes through our filter, hdf5plugin's reads."""
    write = ("import h5py, numpy, sys\n"
             "with h5py.File(sys.argv[1], 'w') as f:\n"
             "    f.create_dataset('t', data=numpy.arange(5000, dtype='<i4'), chunks=(700,), shuffle=True,\n"
             "                     compression=32015, compression_opts=(9,))\n")
    with tempfile.TemporaryDirectory(prefix="nemo_python_") as out:
        path = os.path.join(out, "t.h5")
        done = subprocess.run([sys.executable, "-c", write, path], capture_output=True, text=True,
                              env={**os.environ, "HDF5_PLUGIN_PATH": folder})
        check(done.returncode == 0, f"writing with the plugin in {folder}: {done.stderr}")
        with h5py.File(path) as f:
            check(f["t"].id.get_storage_size() < 10000, "the plugin compresses nothing")
            check(np.array_equal(f["t"][...], np.arange(5000)), "hdf5plugin reads other values")
    print("plugin: equal")


def main(bin_dir, golden):
    check_plugin(os.path.join(bin_dir, "..", "lib", "hdf5", "plugins"))
    convert = os.path.join(bin_dir, "nemo-convert")
    for archive, model, flags, ranks in CASES:
        truth = canonical(golden, model)
        for container, compress in KINDS:
            with tempfile.TemporaryDirectory(prefix="nemo_python_") as folder:
                out = os.path.join(folder, "set")
                source = os.path.join(golden, "nemo", archive)
                done = subprocess.run([convert, source, out, "--container", container, "--compress", compress,
                                       *flags],
                                      capture_output=True, text=True, stdin=subprocess.DEVNULL)
                check(done.returncode == 0, f"{archive} {flags}: exit {done.returncode}: {done.stderr}")
                covered = check_shards(out, container, compress, truth, ranks)
                expected = set(truth) - ({"output_layer.weight"} if model == "tied" else set())
                check(expected <= set(covered), f"missing: {sorted(expected - set(covered))}")
                print(f"{archive} {' '.join(flags)} {container} {compress}: {len(covered)} tensors in {ranks} files equal")


main(*sys.argv[1:])
