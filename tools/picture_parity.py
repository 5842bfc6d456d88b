"""Whether a base gives the same picture in diffusers and in this program, from the same noise and sentence.

    $(tools/setup_venv.sh) tools/picture_parity.py [--base DIR] [--probe PATH] [--prompt TEXT]... [--steps N]

Diffusers' own StableDiffusionPipeline makes a picture; `model-probe` takes the same noise through the same steps, and then
the latent through the decoder. It ends with 1 where a pixel differs by more than 2 of 255.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import offline  # noqa: F401
import h5py
import numpy as np
import probe_files
import torch
from diffusers import StableDiffusionPipeline

ROOT = Path(__file__).parent.parent
LIMIT = 2


def theirs(pipeline: StableDiffusionPipeline, prompt: str, noise: torch.Tensor, steps: int, scale: float) -> np.ndarray:
    """The picture of diffusers, `[height, width, 3]`, 0 to 255."""
    images = pipeline(prompt, latents=noise, num_inference_steps=steps, guidance_scale=scale, output_type="np").images
    return np.round(images[0] * 255)


def run(probe: Path, base: Path, folder: Path, inputs: dict[str, object], output: str) -> np.ndarray:
    """What the program answers to some inputs."""
    source, target = folder / "inputs.h5", folder / "outputs.h5"
    target.unlink(missing_ok=True)
    probe_files.write(source, inputs.items())
    command = [probe, "--base", base, "--inputs", source, "--outputs", target]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    with h5py.File(target) as file:
        return probe_files.read(file, output)


def ours(
    probe: Path, base: Path, pipeline: StableDiffusionPipeline, prompt: str, noise: torch.Tensor, steps: int,
    scale: float,
) -> np.ndarray:
    """The picture of this program, `[height, width, 3]`, 0 to 255; it reads the sentence itself too."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ids = run(probe, base, folder, {"/tokenizer/text": [prompt, ""]}, "/tokenizer/input_ids")
        states = run(probe, base, folder, {"/text/input_ids": ids}, "/text/last_hidden_state")
        latents = run(
            probe, base, folder,
            {
                "/sampler/latents": noise.numpy(),
                "/sampler/encoder_hidden_states": states[:1],
                "/sampler/unconditional_hidden_states": states[1:],
                "/sampler@steps": steps,
                "/sampler@guidance_scale": scale,
            },
            "/sampler/latents",
        )
        scaled = latents / pipeline.vae.config.scaling_factor
        decoded = run(probe, base, folder, {"/vae/latent": scaled.astype(np.float32)}, "/vae/decoded")
    pixels = np.clip(decoded[0].transpose(1, 2, 0) / 2 + 0.5, 0, 1)
    return np.round(pixels * 255)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", type=Path, default=ROOT / "checkpoints/base")
    parser.add_argument("--probe", type=Path, default=ROOT / ".build/release/model-probe")
    parser.add_argument("--prompt", action="append")
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--guidance-scale", type=float, default=2)
    arguments = parser.parse_args()
    pipeline = StableDiffusionPipeline.from_pretrained(arguments.base, torch_dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    side = pipeline.unet.config.sample_size
    generator = torch.Generator().manual_seed(0)
    worst = 0.0
    for prompt in arguments.prompt or ["a photo of a red car on a road", "a photo of a dog at night"]:
        noise = torch.randn(1, pipeline.unet.config.in_channels, side, side, generator=generator)
        pictures = [
            theirs(pipeline, prompt, noise, arguments.steps, arguments.guidance_scale),
            ours(
                arguments.probe, arguments.base, pipeline, prompt, noise, arguments.steps, arguments.guidance_scale
            ),
        ]
        difference = np.abs(pictures[0] - pictures[1])
        worst = max(worst, difference.max())
        print(f"{prompt}: at most {difference.max():.0f} of 255, {difference.mean():.4f} on average")
    if worst > LIMIT:
        print(f"found pictures that differ by {worst:.0f}, wanted at most {LIMIT}", file=sys.stderr)
    return int(worst > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
