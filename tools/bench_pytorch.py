"""Times in PyTorch what this program does, on the CPU; a JSON object a line.

    $(tools/setup_venv.sh) tools/bench_pytorch.py [--setting malloc] [--repetitions 3] sd-forward-256 base-finetune-4
    $(tools/setup_venv.sh) tools/bench_pytorch.py --serve

Each line is {"work": ..., "setting": ..., "seconds": ..., "peak_bytes": ...}; bench_work.py tells what the works are.
The first repetition of a work warms up and is not told. With `--serve` the models stay loaded, and each line of
standard input that names a work runs it once and is answered by one line, so that two programs can be timed
alternately. Peak memory is the process's so far: for a work's own, run that work alone.

Settings: `default`; `channels_last`; `malloc`, in which the C library keeps the memory that it has been given, the best
of the three for most works.
"""

import argparse
import json
import os
import resource
import sys
import time

KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(1 << 40), "MALLOC_TRIM_THRESHOLD_": str(1 << 40)}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Times this program's work in PyTorch.")
    parser.add_argument("works", nargs="*", help="names of works (default: all)")
    parser.add_argument("--setting", choices=["default", "channels_last", "malloc"], default="default")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--serve", action="store_true", help="run the works that standard input names")
    return parser.parse_args()


def keep_memory() -> None:
    """Starts this program again where the C library has not been told to keep its memory: it reads that only once."""
    if any(os.environ.get(name) != value for name, value in KEEP_MEMORY.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | KEEP_MEMORY)


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def report(works, name: str, setting: str) -> None:
    """Runs a work once and prints its time; the work has been made, but perhaps never run."""
    work = works.work(name)
    start = time.perf_counter()
    work()
    seconds = time.perf_counter() - start
    line = {"work": name, "setting": setting, "seconds": round(seconds, 6), "peak_bytes": peak_bytes()}
    print(json.dumps(line), flush=True)


def serve(works, setting: str) -> None:
    for line in sys.stdin:
        name = line.strip()
        try:
            works.work(name)
        except KeyError:
            print(json.dumps({"work": name, "error": "no such work"}), flush=True)
            continue
        report(works, name, setting)


def main() -> None:
    options = arguments()
    if options.setting == "malloc":
        keep_memory()

    import torch  # after the C library has its settings

    from bench_work import Works

    torch.set_num_threads(options.threads)
    last = options.setting == "channels_last"
    works = Works(torch.channels_last if last else torch.contiguous_format)
    if options.serve:
        serve(works, options.setting)
        return
    for name in options.works or works.names():
        if name not in works.names():
            sys.exit(f"{name} is no work; there are {', '.join(works.names())}")
        works.work(name)()
        for _ in range(options.repetitions):
            report(works, name, options.setting)


if __name__ == "__main__":
    main()
