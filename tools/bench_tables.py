"""Writes the tables of BENCHMARKS.md from what `make bench` and `make bench-pytorch` have saved.

    python3 tools/bench_tables.py BENCHMARKS.md .bench/*.jsonl

Each table goes between `<!-- begin NAME -->` and `<!-- end NAME -->`, where NAME is one of machine, ratios, steps,
profile, ways and kernels; what stands outside stays as it is. A table that nothing has been saved for stays too.
"""

import json
import re
import sys
from pathlib import Path

from bench_compare import HEADER, Comparison, memory_text, row, seconds_text

# What arithmetic bounds; the other kernels are bound by memory.
ARITHMETIC = re.compile(r"^(conv|linear|self-attention|cross-attention)")


def table(header: list[str], rows: list[list[str]], left: int = 1) -> str:
    """A Markdown table whose first columns are aligned left."""
    rule = ["---" if column < left else "---:" for column in range(len(header))]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [header, rule, *rows])


def counted(threads: int) -> str:
    return f"{threads} thread{'s' if threads > 1 else ''}"


def share(record: dict) -> str:
    return f"{100 * record['peak_share']:.0f}%"


def machine_section(records: list[dict]) -> str:
    lines = []
    for record in of_kind(records, "machine"):
        lines.append(
            f"- {counted(record['threads'])}, {record['date']}: {record['processor']}, {record['vectors']}, {record['cores']} cores, "
            f"{record['memory_bytes'] / (1 << 30):.1f} GiB; Swift {record['swift']}; "
            f"the largest matrix product reached {record['peak_gflops']:.0f} GFLOPS."
        )
    for record in of_kind(records, "pytorch"):
        lines.append(
            f"- PyTorch, {counted(record['threads'])}, {record['date']}: {record['processor']}; torch {record['torch']} "
            f"with {record['blas']} and oneDNN {record['onednn']}, {record['capability']}; diffusers "
            f"{record['diffusers']}, transformers {record['transformers']}; tried: {', '.join(record['settings'])}."
        )
    return "\n".join(lines)


def ratios_section(records: list[dict]) -> str:
    results = []
    for record in of_kind(records, "comparison"):
        fields = {name: value for name, value in record.items() if name != "ratio"}
        results.append(Comparison(**fields))
    return "\n".join([HEADER, *map(row, results)]) if results else ""


def steps_section(records: list[dict]) -> str:
    steps = of_kind(records, "step")
    order = {name: place for place, name in enumerate(dict.fromkeys(step["name"] for step in steps))}
    steps.sort(key=lambda step: (order[step["name"]], step["threads"]))
    rows = [
        [
            step["name"],
            str(step["threads"]),
            seconds_text(step["seconds"]),
            f"{step['flops'] * 1e-9:.1f}",
            f"{step['gflops']:.0f}",
            share(step),
            str(step["fresh_allocations"]),
            memory_text(step["peak_bytes"]),
        ]
        for step in steps
    ]
    header = ["step", "threads", "median", "GF", "GFLOPS", "of the peak", "fresh buffers", "peak memory"]
    return table(header, rows) if rows else ""


# The parts of a step, by the beginnings of their kernels' names.
PARTS = {
    "convolutions, 3x3": re.compile(r"^(upsampled-)?conv3x3-"),
    "convolutions of stride 2": re.compile(r"^conv3x3s2-"),
    "linear maps": re.compile(r"^(linear|conv1x1)"),
    "attention": re.compile(r"^(self|cross)-attention"),
    "norms and activations": re.compile(r"^(group-norm|layer-norm|silu|gated-gelu)"),
}
# What Winograd's F(4x4, 3x3) leaves of the multiplications.
WINOGRAD = 0.25


def profile_section(records: list[dict]) -> str:
    """Where a fine-tuning step's time goes, by what its kernels take alone."""
    machines = {record["threads"]: record for record in of_kind(records, "machine")}
    parts = []
    for model in ("sd-256", "sd-512", "base-4"):
        threads = max((it["threads"] for it in of_kind(records, "kernel") if it["model"] == model), default=0)
        kernels = [it for it in of_kind(records, "kernel") if it["model"] == model and it["threads"] == threads]
        name = "-finetune-".join(model.split("-"))
        steps = [it for it in of_kind(records, "step") if it["name"] == name and it["threads"] == threads]
        if not kernels or not steps:
            continue
        whole = steps[0]["seconds"]
        peak = machines[threads]["peak_gflops"] * 1e9
        rows = []
        total = 0.0
        for part, pattern in PARTS.items():
            some = [it for it in kernels if pattern.match(it["operation"])]
            seconds = sum(it["seconds"] * it["uses"] for it in some)
            total += seconds
            directions = [
                sum(it["seconds"] * it["uses"] for it in some if (it["pass"] == "forward") == forward)
                for forward in (True, False)
            ]
            flops = sum((it.get("flops") or 0) * it["uses"] for it in some)
            left = WINOGRAD if part == "convolutions, 3x3" else 1.0
            floor = f"{100 * flops * left / peak / seconds:.0f}%" if part != "norms and activations" else "–"
            rows.append(
                [
                    part,
                    *(f"{value * 1000:.0f} ms" for value in directions),
                    f"{100 * seconds / whole:.0f}%",
                    f"{flops / seconds * 1e-9:.0f}" if flops else "–",
                    floor,
                ]
            )
        rest = whole - total
        rows.append(["Adam, and what lies between the kernels", "–", f"{rest * 1000:.0f} ms", f"{100 * rest / whole:.0f}%", "–", "–"])
        header = [f"{name}, {counted(threads)}", "forward", "backward", "of the step", "GFLOPS", "of the floor"]
        parts.append(table(header, rows))
    return "\n\n".join(parts)


def ways_section(records: list[dict]) -> str:
    ways = of_kind(records, "way")
    if not ways:
        return ""
    alphas = list(ways[0]["likeness"])
    rows = [
        [
            way["way"],
            *(f"{seconds:.1f} s" for seconds in way["seconds"]),
            f"{way['steps'][0]:.0f} + {way['steps'][1]:.0f}",
            memory_text(way["peak_bytes"]),
            f"{way['reconstruction']:.1f} dB",
            *("–" if (value := way["likeness"][alpha]) is None else f"{value:.1f} dB" for alpha in alphas),
        ]
        for way in ways
    ]
    header = ["way", "embedding", "fine-tuning", "sweep", "steps", "peak memory", "alpha 0 to the photograph"]
    return table([*header, *(f"alpha {alpha} to the full method's" for alpha in alphas)], rows)


def kernels_section(records: list[dict]) -> str:
    kernels = of_kind(records, "kernel")
    parts = []
    for model in dict.fromkeys(kernel["model"] for kernel in kernels):
        for threads in sorted({kernel["threads"] for kernel in kernels}, reverse=True):
            some = [it for it in kernels if it["model"] == model and it["threads"] == threads]
            if some:
                parts.append(model_tables(f"{model}, {counted(threads)}", some))
    return "\n\n".join(parts)


def model_tables(title: str, kernels: list[dict]) -> str:
    """The kernels of a model, an operation a row, folded up."""
    operations: dict[str, dict[str, dict]] = {}
    for kernel in kernels:
        operations.setdefault(kernel["operation"], {})[kernel["pass"]] = kernel

    def rows(bound_by_arithmetic: bool, cell, passes: list[str]) -> list[list[str]]:
        return [
            [
                name,
                str(next(iter(by_pass.values()))["uses"]),
                *(cell(by_pass[which]) if which in by_pass else "" for which in passes),
                str(max(it["fresh_allocations"] for it in by_pass.values())),
                f"{max(it['peak_bytes'] for it in by_pass.values()) * 1e-6:.1f}",
            ]
            for name, by_pass in operations.items()
            if bool(ARITHMETIC.match(name)) == bound_by_arithmetic
        ]

    def arithmetic(record: dict) -> str:
        return f"{record['seconds'] * 1000:.3f} ms, {record['gflops']:.0f} ({share(record)})"

    def memory(record: dict) -> str:
        return f"{record['seconds'] * 1000:.3f} ms, {record['gigabytes_per_second']:.1f} GB/s"

    passes = ["forward", "input-gradient", "weight-gradient", "backward"]
    tables = []
    for bound_by_arithmetic, cell in ((True, arithmetic), (False, memory)):
        found = {it["pass"] for it in kernels if bool(ARITHMETIC.match(it["operation"])) == bound_by_arithmetic}
        columns = [it for it in passes if it in found]
        header = ["kernel", "uses", *(it.replace("-", " ") for it in columns), "fresh buffers", "MB"]
        if body := rows(bound_by_arithmetic, cell, columns):
            tables.append(table(header, body))
    body = "\n\n".join(tables)
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"


def of_kind(records: list[dict], kind: str) -> list[dict]:
    return [record for record in records if record["kind"] == kind]


SECTIONS = {
    "machine": machine_section,
    "ratios": ratios_section,
    "steps": steps_section,
    "profile": profile_section,
    "ways": ways_section,
    "kernels": kernels_section,
}


def filled(text: str, records: list[dict]) -> str:
    """The document with its tables made anew."""
    for name, section in SECTIONS.items():
        begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
        if begin not in text or end not in text:
            sys.exit(f"no {begin} … {end}")
        if body := section(records):
            before, rest = text.split(begin, 1)
            text = f"{before}{begin}\n\n{body}\n\n{end}{rest.split(end, 1)[1]}"
    return text


def main() -> None:
    if len(sys.argv) < 3:
        sys.exit("usage: bench_tables.py BENCHMARKS.md RESULTS.jsonl ...")
    document = Path(sys.argv[1])
    records = [json.loads(line) for file in sys.argv[2:] for line in Path(file).read_text().splitlines()]
    document.write_text(filled(document.read_text(), records))


if __name__ == "__main__":
    main()
