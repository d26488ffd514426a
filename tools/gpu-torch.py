#!/usr/bin/env python3
"""The rows of a report of nemo-bench kernels, done by torch.

gpu-torch.py REPORT OUT [--device cuda|cpu] [--filter PATTERN] [--runs N]: reads REPORT (--json-file of
nemo-bench kernels), times torch's own calls at the sizes of its rows, and writes a report of the same
form, whose rows have the same names: `nemo-bench compare OUT REPORT` sets them side by side. Rows that
torch has no call for are left out, and named.

Exit 2: wrong usage. Exit 3: REPORT is none. Exit 4: torch is not here, or sees no such device.
"""
import argparse
import fnmatch
import json
import platform
import re
import statistics
import sys
import time

EXIT_INPUT, EXIT_ENVIRONMENT = 3, 4
ROTATED_BYTES = 512 << 20  # buffers take turns over so much, more than twice any cache on a chip
SAMPLE_SECONDS = 1e-3  # calls are timed together until they last so long: a wait costs more than some
MOST_SECONDS = 5.0  # of a row


def read_rows(path):
    """The rows of a report in JSON lines; ValueError: it is none."""
    rows = []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                record = json.loads(line)
                kind = record["record"]
            except (ValueError, TypeError, KeyError):
                raise ValueError(f"line {number}: no report of nemo-bench") from None
            if kind == "row":
                rows.append(record)
    if not rows:
        raise ValueError("it has no rows")
    return rows


def sizes_of(row):
    """All numbers of a row's shape: "[8, 18432] x [2688, 18432]" is 8, 18432, 2688, 18432."""
    return [int(number) for number in re.findall(r"\d+", row["shape"])]


class Calls:
    """torch's calls for each operation. Each returns a list of functions, one for each set of buffers."""

    def __init__(self, torch, device):
        self.torch, self.device = torch, device

    def random(self, *shape, dtype=None):
        return self.torch.randn(*shape, device=self.device, dtype=self.torch.float32).to(
            dtype or self.torch.bfloat16)

    def sets(self, make):
        """Sets of buffers until they fill what is rotated; `make` gives the buffers of one."""
        buffers = [make()]
        size = sum(b.numel() * b.element_size() for b in buffers[0])
        for _ in range(min(ROTATED_BYTES // max(size, 1), 64)):
            buffers.append(make())
        return buffers

    def linear(self, row):
        m, k, n, _ = sizes_of(row)
        squares = "relu^2" in row["dtype"]
        linear = self.torch.nn.functional.linear

        def call(x, weight):
            y = linear(x, weight)
            return y.relu_().square_() if squares else y

        return [lambda b=b: call(*b) for b in self.sets(lambda: (self.random(m, k), self.random(n, k)))]

    def embed(self, row):
        tokens, rows, hidden = sizes_of(row)
        table = self.random(rows, hidden)
        sets = self.sets(lambda: (self.torch.randint(rows, (tokens,), device=self.device),))
        return [lambda b=b: self.torch.nn.functional.embedding(b[0], table) for b in sets]

    def residual_norm(self, row):
        tokens, hidden = sizes_of(row)
        weight, bias = self.random(hidden), self.random(hidden)

        def call(x, update):
            return self.torch.nn.functional.layer_norm(x.add_(update), (hidden,), weight, bias)

        return [lambda b=b: call(*b)
                for b in self.sets(lambda: (self.random(tokens, hidden), self.random(tokens, hidden)))]

    def attention(self, row):
        """Contiguous keys and values: torch has no pages. New tokens are the last of each sequence."""
        tokens, length, batch, heads, groups, head_dim = sizes_of(row)
        if tokens not in (1, length):
            return None
        attend = self.torch.nn.functional.scaled_dot_product_attention

        def call(q, k, v):
            return attend(q, k, v, is_causal=tokens > 1, enable_gqa=heads != groups)

        return [lambda b=b: call(*b) for b in self.sets(lambda: (
            self.random(batch, heads, tokens, head_dim), self.random(batch, groups, length, head_dim),
            self.random(batch, groups, length, head_dim)))]

    def head_stats(self, row):
        rows, columns = sizes_of(row)[:2]

        def call(logits):
            return logits.max(dim=-1), logits.logsumexp(dim=-1)

        return [lambda b=b: call(*b) for b in
                self.sets(lambda: (self.random(rows, columns, dtype=self.torch.float32),))]

    def wait(self):
        if self.device == "cuda":
            self.torch.cuda.synchronize()


def seconds_of(calls, wait, runs):
    """Seconds of one call, as often as wanted: several calls are timed together where one is short."""
    index = 0

    def sample(count):
        nonlocal index
        wait()
        begin = time.perf_counter()
        for _ in range(count):
            calls[index % len(calls)]()
            index += 1
        wait()
        return (time.perf_counter() - begin) / count

    for _ in range(min(len(calls), 3)):
        sample(1)
    count = max(1, round(SAMPLE_SECONDS / max(sample(1), 1e-9)))
    samples, begin = [], time.perf_counter()
    while len(samples) < runs and (not samples or time.perf_counter() - begin < MOST_SECONDS):
        samples.append(sample(count))
    return samples


def percentile(ordered, percent):
    place = (len(ordered) - 1) * percent / 100
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def summary(samples):
    ordered = sorted(samples)
    return {"runs": len(ordered), "median": statistics.median(ordered), "p10": percentile(ordered, 10),
            "p90": percentile(ordered, 90), "min": ordered[0], "max": ordered[-1]}


def measured_row(row, backend, samples):
    seconds = summary(samples)
    work = row.get("work") or {"read_bytes": 0, "write_bytes": 0, "flops": 0}
    rates = {"GB/s": (work["read_bytes"] + work["write_bytes"]) / seconds["median"] / 1e9,
             "TFLOP/s": work["flops"] / seconds["median"] / 1e12}
    return {"record": "row", "name": row["name"], "operation": row["operation"], "shape": row["shape"],
            "dtype": row["dtype"], "backend": backend, "seconds": seconds, "work": row.get("work"),
            "rates": rates, "limit": "", "fraction": None, "error": None, "peer": None, "warnings": []}


def measure(rows, calls, backend, runs):
    """The report's rows, and a note for each that is left out."""
    measured, missing, notes = [], [], []
    for row in rows:
        prepare = getattr(calls, row["operation"], None)
        try:
            prepared = prepare(row) if prepare else None
            if prepared is None:
                missing.append(row["name"])
                continue
            measured.append(measured_row(row, backend, seconds_of(prepared, calls.wait, runs)))
        except (TypeError, RuntimeError) as error:  # an older torch, or no memory left
            notes.append(f"{row['name']}: {str(error).splitlines()[0]}")
    if missing:
        notes.append(f"torch has no call for {', '.join(missing)}")
    return measured, notes


def write_report(path, backend, measured, notes):
    run = {"record": "run", "verb": "kernels", "subject": backend, "threads": 0,
           "machine": {"host": platform.machine()}, "before": None, "after": None, "limits": None,
           "notes": notes}
    with open(path, "w") as out:
        for record in [run, *measured]:
            out.write(json.dumps(record) + "\n")


def open_torch(device):
    """torch and what to call it; SystemExit: it is not here, or not with that device."""
    try:
        import torch
    except ImportError as error:
        print(f"torch is not here: {error}", file=sys.stderr)
        sys.exit(EXIT_ENVIRONMENT)
    if device == "cuda" and not torch.cuda.is_available():
        print(f"torch {torch.__version__} sees no CUDA device", file=sys.stderr)
        sys.exit(EXIT_ENVIRONMENT)
    name = torch.cuda.get_device_name() if device == "cuda" else f"{torch.get_num_threads()} threads"
    return torch, f"torch {torch.__version__} ({name})"


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("report")
    parser.add_argument("out")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--filter", default="", help="only rows whose name has this in it")
    parser.add_argument("--runs", type=int, default=30, help="of each row (default 30)")
    options = parser.parse_args(arguments)
    if options.runs < 1:
        parser.error("--runs: at least one is needed")
    try:
        rows = read_rows(options.report)
    except (OSError, ValueError) as error:
        print(f"{options.report}: {error}", file=sys.stderr)
        return EXIT_INPUT
    rows = [row for row in rows if fnmatch.fnmatchcase(row["name"], f"*{options.filter}*")]
    torch, backend = open_torch(options.device)
    with torch.inference_mode():
        measured, notes = measure(rows, Calls(torch, options.device), backend, options.runs)
    write_report(options.out, backend, measured, notes)
    print("\n".join([f"{backend}: {len(measured)} rows", *notes]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
