"""Compares this program with PyTorch on bases made on the spot; the work of `make parity`.

    $(tools/setup_venv.sh) tools/parity.py [--probe PATH] [--seeds N] [--no-full-size]
        [--exported DIR [--exported-lora FILE]]

For each base it writes random inputs, lets PyTorch answer, runs `model-probe` on the same file, and prints the worst
difference of each kind: outputs within 1e-4 of the largest value, gradients within 1e-3, 20 DDIM steps with guidance
within 1e-3, tokens exactly. It also opens the saved base, and an exported one, with diffusers. It ends with 1 where
anything fails. The full-size base takes 11 GB of disk and about 10 GB of memory.
"""

import argparse
import gc
import subprocess
import sys
import tempfile
from pathlib import Path

import comparison
import opens_in_diffusers
import probe_files
import torch_reference as reference
from clip_vocabulary import write_clip_vocabulary
from larger_bases import full_size_base, random_base
from random_bases import Base, write_base
from texts import TRICKY, random_texts

ROOT = Path(__file__).parent.parent
SMALL_PARTS = [("tokenizer", "text", "vae", "unet", "sampler")]
FULL_SIZE_PARTS = [("tokenizer", "text"), ("vae",), ("unet",)]  # one after the other, for the memory


def inputs_of(base: Base, parts: tuple[str, ...]) -> reference.Datasets:
    """Random inputs for some parts of a base."""
    draws = reference.Draws(base.seed + 3)
    makers = {
        "tokenizer": lambda: {"/tokenizer/text": TRICKY + random_texts(1000, base.seed)},
        "text": lambda: reference.text_inputs(base, draws),
        "vae": lambda: reference.vae_inputs(base, draws),
        "unet": lambda: reference.unet_inputs(base, draws),
        "sampler": lambda: reference.sampler_inputs(base, draws),
    }
    return {name: value for part in parts for name, value in makers[part]().items()}


def check(base: Base, groups: list[tuple[str, ...]], probe: Path, folder: Path) -> list[comparison.Row]:
    """Compares some parts at a time, so that only those are in memory."""
    print(f"{base.name}: making the base", file=sys.stderr)
    write_base(base, folder)
    rows = []
    for parts in groups:
        print(f"{base.name}: {', '.join(parts)}", file=sys.stderr)
        files = [folder / f"{name}.h5" for name in ("inputs", "expected", "outputs")]
        rows += check_parts(base, parts, probe, folder, *files)
        for file in files:
            file.unlink(missing_ok=True)
    return rows


def check_parts(
    base: Base, parts: tuple[str, ...], probe: Path, folder: Path, inputs: Path, expected: Path, outputs: Path
) -> list[comparison.Row]:
    given = inputs_of(base, parts)
    probe_files.write(inputs, given.items())
    probe_files.write(expected, reference.all_outputs(folder, given))
    gc.collect()
    command = [probe, "--base", folder, "--inputs", inputs, "--outputs", outputs]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        reason = (result.stderr.strip().splitlines() or ["said nothing"])[-1]
        message = f"model-probe ended with {result.returncode}: {reason}"
        return [comparison.Row(base.name, ", ".join(parts), 0, message, float("inf"), 0)]
    return comparison.compare(base.name, expected, outputs)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compares model-probe with PyTorch.")
    parser.add_argument("--probe", type=Path, default=ROOT / ".build" / "release" / "model-probe")
    parser.add_argument("--seeds", type=int, default=8, help="how many random small bases (default: 8)")
    parser.add_argument("--no-full-size", action="store_true", help="leave out Stable Diffusion 1.5's size")
    parser.add_argument("--exported", type=Path, help="a folder that model-finetune --export wrote")
    parser.add_argument("--exported-lora", type=Path, help="the file that --export-lora wrote with that folder")
    options = parser.parse_args()
    if options.exported_lora and not options.exported:
        parser.error("--exported-lora wants --exported too")
    if not options.probe.is_file():
        parser.error(f"{options.probe} is not there: swift build -c release makes it")
    return options


def main() -> int:
    options = arguments()
    rows = []
    with tempfile.TemporaryDirectory(prefix="imagic-parity-") as temporary:
        folder = Path(temporary)
        write_clip_vocabulary(folder / "vocabulary")
        for seed in range(options.seeds):
            rows += check(random_base(seed), SMALL_PARTS, options.probe, folder / "base")
        if not options.no_full_size:
            base = full_size_base(folder / "vocabulary")
            rows += check(base, FULL_SIZE_PARTS, options.probe, folder / "base")
    comparison.print_table(rows)

    failures = opens_in_diffusers.failures(ROOT / "checkpoints" / "base", options.exported)
    if options.exported_lora:
        failures += opens_in_diffusers.lora_failures(
            ROOT / "checkpoints" / "base", options.exported, options.exported_lora
        )
    for failure in failures:
        print(f"FAILED: {failure}")
    failed = len(failures) + sum(not row.ok for row in rows)
    print(f"{failed} of these comparisons failed" if failed else "this program and PyTorch agree")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
