"""Times PyTorch and this program alternately in one run, and prints a Markdown table of the ratios.

    $(tools/setup_venv.sh) tools/bench_compare.py [--pairs 5] [--save FILE] sd-forward-256 base-finetune-4

For each work, PyTorch's best setting is found first, in a process for each: the fastest allocator, then the layout with
it. Then come the pairs of turns, each program first in every other one. Where both fit into memory, both processes stay
loaded and take turns. Where they don't, whole processes take turns: each pair starts each program, warms it up, times it
and ends it. A turn repeats a short work for half a second and tells the median; before it is a pause, in which the other
program's threads stop spinning. A process does one work alone, so its peak memory is that work's, the making of its
model included.

`--save` writes a JSON object a line, which bench_tables.py reads.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median

import bench_settings

HERE = Path(__file__).parent
PYTORCH = [sys.executable, str(HERE / "bench_pytorch.py")]
SPARE_BYTES = 1 << 30
TURN_SECONDS = 0.5
PAUSE_SECONDS = 0.3
SIZES = (256, 512)
# As bench_work.py and speed-bench have them.
WORKS = [
    *(f"sd-{what}-{size}" for size in SIZES for what in ("forward", "guidance", "embedding", "finetune")),
    *(f"vae-{what}-{size}" for size in SIZES for what in ("encode", "decode")),
    "text-77",
    *(f"base-{what}-4" for what in ("forward", "embedding", "finetune")),
]


class Failure(Exception):
    """A program that was to be timed ended, or answered with an error."""


@dataclass
class Comparison:
    """What is told of a work; times are in seconds, pair by pair."""

    work: str
    threads: int
    setting: str
    tried: dict[str, float | None]
    """The median of each setting that was tried; None where it failed."""
    together: bool
    """Whether both processes stayed loaded, or whole processes took turns."""
    pytorch: list[float] = field(default_factory=list)
    ours: list[float] = field(default_factory=list)
    pytorch_peak_bytes: int = 0
    our_peak_bytes: int = 0
    kind: str = "comparison"

    @property
    def ratio(self) -> float:
        return median(self.pytorch) / median(self.ours)

    @property
    def pair_ratios(self) -> list[float]:
        return [theirs / ours for theirs, ours in zip(self.pytorch, self.ours, strict=True)]


class Server:
    """A program that runs a work whenever it is told to."""

    def __init__(self, command: list[str], work: str):
        self.work = work
        self.name = " ".join([*command[:4], work])
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.peak_bytes = 0

    def seconds(self) -> float:
        """Runs the work once."""
        try:
            self.process.stdin.write(self.work + "\n")
            self.process.stdin.flush()
        except BrokenPipeError as error:
            raise Failure(f"{self.name} ended with {self.process.wait()}") from error
        line = self.process.stdout.readline()
        if not line:
            raise Failure(f"{self.name} ended with {self.process.wait()}")
        answer = json.loads(line)
        if "error" in answer:
            raise Failure(f"{self.name}: {answer['error']}")
        self.peak_bytes = answer["peak_bytes"]
        return answer["seconds"]

    def warm_up(self, times: int) -> None:
        for _ in range(times):
            self.seconds()

    def turn(self, least: int = 1) -> float:
        """The median of as many repetitions as fit into a turn, and of `least` where that is more."""
        time.sleep(PAUSE_SECONDS)
        times: list[float] = []
        while len(times) < least or sum(times) < TURN_SECONDS:
            times.append(self.seconds())
        return median(times)

    def close(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


@contextlib.contextmanager
def server(command: list[str], work: str) -> Iterator[Server]:
    program = Server(command, work)
    try:
        yield program
    except BaseException:
        # What is interrupted may be in the middle of a step of half a minute.
        program.process.kill()
        raise
    finally:
        program.close()


class Comparer:
    """Compares works one after another with the options of the command line."""

    def __init__(self, options: argparse.Namespace):
        self.options = options
        self.memory = available_memory()

    def pytorch(self, work: str, setting: str):
        return server([*PYTORCH, "--serve", "--setting", setting, "--threads", str(self.options.threads)], work)

    def ours(self, work: str):
        return server([self.options.program, "--serve", "--threads", str(self.options.threads)], work)

    def alone(self, program: contextlib.AbstractContextManager[Server]) -> tuple[float, int]:
        """The median of a few repetitions with nothing else in memory, and the peak of memory."""
        with program as running:
            running.warm_up(1)
            return running.turn(self.options.tries), running.peak_bytes

    def best_setting(self, work: str) -> tuple[str, dict[str, float | None], int]:
        """The fastest setting, what all took, and the peak of memory in it."""
        tried: dict[str, float | None] = {}
        peaks: dict[str, int] = {}

        def attempt(setting: str) -> None:
            try:
                tried[setting], peaks[setting] = self.alone(self.pytorch(work, setting))
                note(f"{work}: PyTorch {setting} {tried[setting]:.4f} s")
            except Failure as error:
                tried[setting] = None
                note(f"{work}: PyTorch {setting} failed: {error}")

        def best() -> str:
            if not peaks:
                raise Failure(f"{work}: PyTorch failed in every setting")
            return min(peaks, key=lambda setting: tried[setting])

        if self.options.setting:
            attempt(self.options.setting)
        else:
            for allocator in bench_settings.allocators():
                attempt(allocator)
            attempt(bench_settings.with_channels_last(best()))
        return best(), tried, peaks[best()]

    def compare(self, work: str) -> Comparison:
        setting, tried, their_peak = self.best_setting(work)
        _, our_peak = self.alone(self.ours(work))
        together = their_peak + our_peak + SPARE_BYTES < self.memory
        result = Comparison(work, self.options.threads, setting, tried, together)
        if together:
            self.in_turns(result)
        else:
            self.in_whole_processes(result)
        return result

    def in_turns(self, result: Comparison) -> None:
        with self.pytorch(result.work, result.setting) as theirs, self.ours(result.work) as ours:
            for program in (theirs, ours):
                program.warm_up(self.options.warm_ups)
            for pair in range(self.options.pairs):
                self.take_pair(result, pair, theirs.turn, ours.turn)
            result.pytorch_peak_bytes, result.our_peak_bytes = theirs.peak_bytes, ours.peak_bytes

    def in_whole_processes(self, result: Comparison) -> None:
        def theirs() -> float:
            with self.pytorch(result.work, result.setting) as program:
                program.warm_up(self.options.warm_ups)
                seconds = program.turn()
                result.pytorch_peak_bytes = max(result.pytorch_peak_bytes, program.peak_bytes)
            return seconds

        def ours() -> float:
            with self.ours(result.work) as program:
                program.warm_up(self.options.warm_ups)
                seconds = program.turn()
                result.our_peak_bytes = max(result.our_peak_bytes, program.peak_bytes)
            return seconds

        for pair in range(self.options.pairs):
            self.take_pair(result, pair, theirs, ours)

    @staticmethod
    def take_pair(result: Comparison, pair: int, theirs, ours) -> None:
        both = [(result.pytorch, theirs), (result.ours, ours)]
        # What the machine does to the one that is second goes to each in turn.
        for times, turn in both if pair % 2 == 0 else reversed(both):
            times.append(turn())
        note(f"{result.work}: pair {pair + 1}: PyTorch {result.pytorch[-1]:.4f} s, ours {result.ours[-1]:.4f} s")


def note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def available_memory() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown"


HEADER = """\
| work | PyTorch's best setting | PyTorch | ours | ratio | ratios of the pairs | PyTorch's memory | ours | turns |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |"""


def seconds_text(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"


def memory_text(size: int) -> str:
    return f"{size * 1e-9:.2f} GB"


def row(result: Comparison) -> str:
    cells = [
        result.work,
        result.setting,
        seconds_text(median(result.pytorch)),
        seconds_text(median(result.ours)),
        f"{result.ratio:.2f}",
        f"{min(result.pair_ratios):.2f} to {max(result.pair_ratios):.2f}",
        memory_text(result.pytorch_peak_bytes),
        memory_text(result.our_peak_bytes),
        "both loaded" if result.together else "whole processes",
    ]
    return f"| {' | '.join(cells)} |"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Times PyTorch and this program alternately.")
    parser.add_argument("works", nargs="*", help=f"of {' '.join(WORKS)} (default: all)")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--tries", type=int, default=2, help="repetitions of each setting while the best is looked for")
    parser.add_argument("--warm-ups", type=int, default=2, help="repetitions before the pairs, that are not told")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--setting", help="PyTorch's setting, where the best is not to be looked for")
    parser.add_argument("--program", default=".build/release/speed-bench")
    parser.add_argument("--save", type=Path, help="also write a JSON object a line to this file")
    options = parser.parse_args()
    if other := [work for work in options.works if work not in WORKS]:
        parser.error(f"{other[0]} is no work; there are {', '.join(WORKS)}")
    if min(options.pairs, options.tries, options.threads) < 1 or options.warm_ups < 0:
        parser.error("--pairs, --tries and --threads are at least 1, --warm-ups 0")
    if options.setting:
        try:
            bench_settings.parse(options.setting)
        except ValueError as error:
            parser.error(str(error))
    return options


def main() -> None:
    options = arguments()
    if not bench_settings.jemalloc():
        note("jemalloc is not installed, so it is not tried")
    answer = subprocess.run([*PYTORCH, "--versions"], check=True, capture_output=True, text=True).stdout
    about = {
        "kind": "pytorch",
        **json.loads(answer),
        "processor": processor(),
        "threads": options.threads,
        "settings": list(bench_settings.allocators()),
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    save = options.save.open("w") if options.save else None

    def put(record: dict) -> None:
        if save:
            print(json.dumps(record), file=save, flush=True)

    put(about)
    libraries = f"{about['blas']}, oneDNN {about['onednn']}, {about['capability']}"
    print(f"PyTorch {about['torch']} ({libraries}), {options.threads} threads, {about['processor']}\n")
    print(HEADER, flush=True)
    comparer = Comparer(options)
    failed = False
    for work in options.works or WORKS:
        try:
            result = comparer.compare(work)
        except Failure as error:
            note(f"{work}: {error}")
            failed = True
            continue
        put(asdict(result) | {"ratio": result.ratio})
        print(row(result), flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
