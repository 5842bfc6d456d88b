"""Compares the outputs of `model-probe` with PyTorch's, and shows the worst of each kind in a table."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

import probe_files

OUTPUT_LIMIT = 1e-4
GRADIENT_LIMIT = 1e-3
SAMPLER_LIMIT = 1e-3

# A gradient this many times smaller than the part's largest is none in exact arithmetic, and rounding in float32: it
# need be no more than as small.
VANISHING = 1e-6


@dataclass(frozen=True)
class Row:
    """The worst tensor of one kind. `error` is the largest difference over the largest expected value."""

    base: str
    kind: str
    tensors: int
    worst: str
    error: float
    limit: float

    @property
    def ok(self) -> bool:
        return self.error <= self.limit


def kind_of(name: str) -> str:
    part = name.split("/")[1]
    return f"{part} gradients" if "/grad/" in name else part


def limit_of(kind: str) -> float:
    if kind == "tokenizer":
        return 0
    if kind == "sampler":
        return SAMPLER_LIMIT
    return GRADIENT_LIMIT if kind.endswith("gradients") else OUTPUT_LIMIT


def compare(base: str, expected: Path, found: Path) -> list[Row]:
    """A row for each kind of output; a tensor that is missing, misshapen or not asked for has an infinite error."""
    errors: dict[str, dict[str, float]] = defaultdict(dict)
    with h5py.File(expected) as ours, h5py.File(found) as theirs:
        wanted, given = probe_files.names(expected), probe_files.names(found)
        largest: dict[str, float] = defaultdict(float)
        for name in wanted:
            kind = kind_of(name)
            largest[kind] = max(largest[kind], float(np.abs(probe_files.read(ours, name)).max()))
        for name in wanted:
            kind = kind_of(name)
            value = probe_files.read(theirs, name) if name in theirs else None
            errors[kind][name] = difference(probe_files.read(ours, name), value, largest[kind])
        for name in set(given) - set(wanted):
            errors[kind_of(name)][f"{name} (not asked for)"] = float("inf")
    return [worst(base, kind, of_kind) for kind, of_kind in errors.items()]


def difference(expected: np.ndarray, found: np.ndarray | None, largest: float) -> float:
    """The error of one tensor; `largest` is the largest expected value of its kind."""
    if found is None or found.shape != expected.shape or not np.isfinite(found).all():
        return float("inf")
    if expected.dtype.kind == "i":
        return float((expected != found).sum())
    scale = float(np.abs(expected).max())
    if scale < VANISHING * largest:
        scale = VANISHING * largest / GRADIENT_LIMIT
    return float(np.abs(expected.astype(np.float64) - found).max()) / scale


def worst(base: str, kind: str, errors: dict[str, float]) -> Row:
    name = max(errors, key=errors.__getitem__)
    return Row(base, kind, len(errors), name, errors[name], limit_of(kind))


def print_table(rows: Iterable[Row]) -> None:
    cells = [("base", "kind", "tensors", "worst tensor", "error", "limit", "")]
    for row in rows:
        verdict = "ok" if row.ok else "FAILED"
        cells.append((row.base, row.kind, str(row.tensors), row.worst, f"{row.error:.1e}", f"{row.limit:.0e}", verdict))
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    for line in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())
