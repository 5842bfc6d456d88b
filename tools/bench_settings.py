"""The settings that PyTorch is timed in: an allocator of memory, and the layout of pictures in it.

    default     as it comes
    malloc      the C library keeps the memory that it has been given
    hugepages   the same, and asks for large pages
    jemalloc    that library allocates, as PyTorch's tuning guide sets it, and keeps its memory; where it is installed

`channels_last` is `default` with the channels innermost, and `malloc+channels_last` and so on the others with it.
IMAGIC_JEMALLOC names the library where the loader doesn't find it.
"""

import ctypes.util
import os
import sys

LAST = "channels_last"
KEEP = {"MALLOC_MMAP_THRESHOLD_": str(1 << 40), "MALLOC_TRIM_THRESHOLD_": str(1 << 40)}


def jemalloc() -> str | None:
    return os.environ.get("IMAGIC_JEMALLOC") or ctypes.util.find_library("jemalloc")


def allocators() -> dict[str, dict[str, str]]:
    """The environment that each allocator takes, of those that are installed."""
    known = {"default": {}, "malloc": KEEP, "hugepages": KEEP | {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}}
    if library := jemalloc():
        keep = "oversize_threshold:1,background_thread:true,metadata_thp:auto,thp:always"
        decay = "dirty_decay_ms:9000000000,muzzy_decay_ms:9000000000"
        known["jemalloc"] = {"LD_PRELOAD": library, "MALLOC_CONF": f"{keep},{decay}"}
    return known


def parse(setting: str) -> tuple[str, bool]:
    """The allocator of a setting, and whether the channels are innermost; a `ValueError` for what is no setting."""
    allocator, plus, layout = ("default", "+", LAST) if setting == LAST else setting.partition("+")
    if allocator not in allocators() or (plus and layout != LAST):
        raise ValueError(f"{setting} is no setting here; there are {', '.join(allocators())}, each also with +{LAST}")
    return allocator, bool(plus)


def with_channels_last(allocator: str) -> str:
    return LAST if allocator == "default" else f"{allocator}+{LAST}"


def apply(setting: str) -> None:
    """Starts this program again where its environment is not the setting's: a process reads it only once."""
    wanted = allocators()[parse(setting)[0]]
    if any(os.environ.get(name) != value for name, value in wanted.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | wanted)
