"""Compares the cheaper ways to an edit with the full method, on the examples in prompts/.

    make build && $(tools/setup_venv.sh) tools/compare_ways.py --save .bench/ways.jsonl [prompts/apple-green.yaml ...]

Every way edits every example from the beginning, in a folder of its own that is removed again. Told are the means over
the examples: what the three stages took by the run's manifest, the largest memory of any of them, the steps trained, the
PSNR of the edit at alpha 0 to the photograph, and the PSNR of the other edits to those of the full method. `--save` writes a
JSON object for each way, which bench_tables.py reads.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).parent.parent
PROGRAMS = ROOT / ".build" / "release"
ALPHAS = "0,0.4,0.6,0.8,1"
# Flags of embed-optimize, model-finetune and interpolate-generate.
WAYS = {
    "full": ("", "", ""),
    "lora, rank 8": ("", "--tune lora --rank 8 --learning-rate 0.001", ""),
    "lora, rank 8, convolutions too": ("", "--tune lora --rank 8 --lora-convolutions --learning-rate 0.001", ""),
    "dpm-solver++, 12 steps": ("", "", "--sampler dpm-solver++ --steps 12"),
    "until-loss": ("--until-loss {embedding}", "--until-loss {finetune}", ""),
}
# The share of the full method's last mean losses at which the trainings of `until-loss` end.
GOAL = 1.15


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"), dtype=np.float64)


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / max(np.mean((a - b) ** 2), 1e-9)))


def run(program: str, request: Path, folder: Path, flags: str, threads: list[str]) -> None:
    command = [PROGRAMS / program, "--request", request, "--run", folder, "--quiet", *threads, *flags.split()]
    if subprocess.run(command, check=False).returncode != 0:
        sys.exit(f"{program} failed on {request}")


def losses(file: Path) -> float:
    """The mean of the newest 50 losses of a checkpoint."""
    import h5py

    with h5py.File(file) as store:
        return float(np.mean(store["history/loss"][-50:]))


def edit(request: Path, way: str, folder: Path, goals: dict[str, float], threads: list[str]) -> dict:
    embed, tune, generate = (flags.format(**goals) for flags in WAYS[way])
    run("embed-optimize", request, folder, embed, threads)
    run("model-finetune", request, folder, tune, threads)
    run("interpolate-generate", request, folder, f"--alphas {ALPHAS} --no-suggest {generate}", threads)
    stages = json.loads((folder / "manifest.json").read_text())["stages"]
    edits = {float(p.stem.split("-")[1]): pixels(p) for p in sorted((folder / "edits").glob("alpha-*.png"))}
    return {
        "seconds": [stages[name]["seconds"] for name in ("embed-optimize", "model-finetune", "interpolate-generate")],
        "peak_bytes": max(stage["peak_memory"] for stage in stages.values()),
        "steps": [stages[name]["step"] for name in ("embed-optimize", "model-finetune")],
        "losses": {"embedding": losses(folder / "embedding.h5"), "finetune": losses(folder / "weights.h5")},
        "edits": edits,
    }


def photograph(folder: Path) -> np.ndarray:
    """The fitted photograph, which embedding.h5 keeps."""
    import h5py

    with h5py.File(folder / "embedding.h5") as store:
        return np.asarray(store["image/pixels"], dtype=np.float64)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("requests", nargs="*", type=Path)
    parser.add_argument("--threads")
    parser.add_argument("--save", type=Path)
    arguments = parser.parse_args()
    requests = arguments.requests or sorted((ROOT / "prompts").glob("*.yaml"))
    threads = ["--threads", arguments.threads] if arguments.threads else []
    found: dict[str, list[dict]] = {way: [] for way in WAYS}
    for request in requests:
        full: dict | None = None
        goals = {"embedding": 0.0, "finetune": 0.0}
        for way in WAYS:
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name) / "run"
                result = edit(request, way, folder, goals, threads)
                input_ = photograph(folder)
            if full is None:
                full = result
                goals = {name: GOAL * loss for name, loss in result["losses"].items()}
            result["reconstruction"] = psnr(result["edits"][0.0], input_)
            result["likeness"] = {
                alpha: psnr(edited, full["edits"][alpha]) for alpha, edited in result["edits"].items() if alpha > 0
            }
            found[way].append(result)
            print(f"{request.stem}: {way}, {sum(result['seconds']):.1f} s", file=sys.stderr)
    lines = []
    for way, results in found.items():
        mean = lambda values: float(np.mean(list(values)))  # noqa: E731
        lines.append(
            {
                "kind": "way",
                "way": way,
                "examples": len(results),
                "seconds": [mean(r["seconds"][stage] for r in results) for stage in range(3)],
                "steps": [mean(r["steps"][stage] for r in results) for stage in range(2)],
                "peak_bytes": max(r["peak_bytes"] for r in results),
                "reconstruction": mean(r["reconstruction"] for r in results),
                "likeness": {
                    str(alpha): None if way == "full" else mean(r["likeness"][alpha] for r in results)
                    for alpha in results[0]["likeness"]
                },
            }
        )
    text = "".join(json.dumps(line) + "\n" for line in lines)
    if arguments.save:
        arguments.save.parent.mkdir(parents=True, exist_ok=True)
        arguments.save.write_text(text)
    print(text, end="")


if __name__ == "__main__":
    main()
