"""Makes the small references of Tests/ParityTests: random bases, and what PyTorch answers to random inputs.

    $(tools/setup_venv.sh) tools/make_references.py

Each folder of Tests/ParityTests/References holds a base in diffusers' layout, `inputs.h5` and `expected.h5`; the names
in them are told in torch_reference.py. Everything comes from fixed seeds.
"""

from pathlib import Path

import probe_files
import torch_reference as reference
from committed_bases import BASES, STABLE_DIFFUSION_1
from random_bases import Base, write_base
from texts import TRICKY, random_texts

REFERENCES = Path(__file__).parent.parent / "Tests" / "ParityTests" / "References"


def make(base: Base, folder: Path, with_cotangents: bool) -> None:
    """Writes a base, inputs for all of its parts, and the outputs of PyTorch."""
    write_base(base, folder)
    draws = reference.Draws(base.seed + 3)
    inputs = {"/tokenizer/text": TRICKY + random_texts(20, base.seed)}
    inputs |= reference.text_inputs(base, draws)
    inputs |= reference.unet_inputs(base, draws)
    inputs |= reference.vae_inputs(base, draws)
    inputs |= reference.sampler_inputs(base, draws)
    if with_cotangents:
        outputs = reference.text_outputs(folder, inputs) | reference.vae_outputs(folder, inputs)
        inputs |= reference.cotangents(base, draws, outputs)
    probe_files.write(folder / "inputs.h5", inputs.items())
    probe_files.write(folder / "expected.h5", reference.all_outputs(folder, inputs))


def main() -> None:
    for base in BASES:
        folder = REFERENCES / base.name
        make(base, folder, with_cotangents=base is STABLE_DIFFUSION_1)
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        print(f"{folder}: {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
