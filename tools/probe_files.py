"""The HDF5 files that `model-probe` reads and writes, from and to dictionaries."""

from collections.abc import Iterable
from pathlib import Path

import h5py
import numpy as np


def write(path: Path, datasets: Iterable[tuple[str, object]]) -> None:
    """Writes each dataset as it comes; a name with an `@` in it is the attribute of a group."""
    # The compact layout of HDF5 1.8, which HDF5 1.10 reads: hundreds of small datasets take half the room.
    with h5py.File(path, "w", libver=("v108", "v108")) as file:
        for name, value in datasets:
            if "@" in name:
                group, attribute = name.split("@")
                file.require_group(group).attrs[attribute] = value
            elif isinstance(value, list):
                file.create_dataset(name, data=value, dtype=h5py.string_dtype())
            else:
                file.create_dataset(name, data=value)


def names(path: Path) -> list[str]:
    """The names of all datasets, sorted."""
    found: list[str] = []

    def visit(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            found.append(f"/{name}")

    with h5py.File(path) as file:
        file.visititems(visit)
    return sorted(found)


def read(file: h5py.File, name: str) -> np.ndarray:
    return file[name][()]
