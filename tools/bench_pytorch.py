"""Times in PyTorch what this program does, on the CPU; a JSON object a line.

    $(tools/setup_venv.sh) tools/bench_pytorch.py [--setting malloc] [--repetitions 3] sd-forward-256 base-finetune-4
    $(tools/setup_venv.sh) tools/bench_pytorch.py --serve

Each line is {"work": ..., "setting": ..., "seconds": ..., "peak_bytes": ...}; bench_work.py tells what the works are,
and bench_settings.py what the settings. The first repetition of a work warms up and is not told. With `--serve` the
models stay loaded, and each line of standard input that names a work runs it once and is answered by one line, so that
two programs can be timed alternately. Peak memory is the process's so far: for a work's own, run that work alone.
"""

import argparse
import json
import re
import sys
import time
from pathlib import Path

import bench_settings


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Times this program's work in PyTorch.")
    parser.add_argument("works", nargs="*", help="names of works (default: all)")
    parser.add_argument("--setting", default="default", help="such as malloc or jemalloc+channels_last")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--serve", action="store_true", help="run the works that standard input names")
    parser.add_argument("--versions", action="store_true", help="print the versions of what is timed, and no more")
    return parser.parse_args()


def peak_bytes() -> int:
    """The most memory that this process has held. `getrusage` would count what was there before an `exec`."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


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


def versions() -> dict[str, str]:
    import diffusers
    import torch
    import transformers

    config = torch.__config__.show()

    def find(pattern: str) -> str:
        found = re.search(pattern, config)
        return found[1] if found else "unknown"

    return {
        "torch": torch.__version__,
        "blas": find(r"BLAS_INFO=(\w+)"),
        "onednn": find(r"MKL-DNN v([\d.]+)"),
        "capability": find(r"CPU capability usage: (\S+)"),
        "diffusers": diffusers.__version__,
        "transformers": transformers.__version__,
    }


def main() -> None:
    options = arguments()
    if options.versions:
        import offline  # noqa: F401

        print(json.dumps(versions()))
        return
    try:
        _, last = bench_settings.parse(options.setting)
    except ValueError as error:
        sys.exit(str(error))
    bench_settings.apply(options.setting)

    import torch  # after the process has its environment

    from bench_work import Works

    torch.set_num_threads(options.threads)
    # Before its threads start, which take it over: subnormal numbers cost it some of its time on an Intel processor.
    torch.set_flush_denormal(True)
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
