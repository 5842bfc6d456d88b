"""Whether diffusers opens the folders and files that this program reads and writes."""

from pathlib import Path

import offline  # noqa: F401
import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel


LORA_LIMIT = 1e-4


def failures(base: Path, exported: Path | None) -> list[str]:
    """What is wrong with the base and, where there is one, with a folder that was exported after fine-tuning."""
    try:
        original = StableDiffusionPipeline.from_pretrained(base).unet
    except Exception as error:
        return [f"{base} does not open in diffusers: {error}"]
    if exported is None:
        return []
    try:
        tuned = open_unet(exported)
    except Exception as error:
        return [f"{exported} does not open in diffusers: {error}"]
    return differences(original.state_dict(), tuned.state_dict(), exported)


def lora_failures(base: Path, exported: Path, lora: Path) -> list[str]:
    """What is wrong with LoRA's file: over the base, it has to answer as the exported folder does, which has it merged."""
    tuned = open_unet(exported)
    pipeline = StableDiffusionPipeline.from_pretrained(base)
    unet = UNet2DConditionModel.from_pretrained(base / "unet")
    generator = torch.Generator().manual_seed(0)
    config = unet.config
    side = config.sample_size
    sample = torch.randn(2, config.in_channels, side, side, generator=generator)
    states = torch.randn(2, 7, config.cross_attention_dim, generator=generator)

    def answer(unet: UNet2DConditionModel) -> torch.Tensor:
        with torch.no_grad():
            return unet(sample, torch.tensor([3, 700]), states).sample

    plain, expected = answer(unet), answer(tuned)
    pipeline.load_lora_weights(lora.parent, weight_name=lora.name)
    unet.load_lora_adapter(lora, prefix="unet")
    failures = [] if (expected - plain).abs().max() > 1e-4 else [f"{exported} answers as the base does"]
    for way, found in [("load_lora_weights", pipeline.unet), ("load_lora_adapter", unet)]:
        error = float((answer(found) - expected).abs().max() / expected.abs().max())
        print(f"LoRA by {way}: {error:.1e} of the largest value")
        if not error <= LORA_LIMIT:
            failures.append(f"{lora} by {way} is {error:.1e} from {exported}")
    return failures


def open_unet(folder: Path) -> UNet2DConditionModel:
    """The UNet of a whole exported folder, or of one that holds nothing else."""
    if (folder / "model_index.json").is_file():
        return StableDiffusionPipeline.from_pretrained(folder).unet
    return UNet2DConditionModel.from_pretrained(folder)


def differences(original: dict, tuned: dict, folder: Path) -> list[str]:
    """Fine-tuning changes every weight a little, and none of their names and shapes."""
    if {name: value.shape for name, value in original.items()} != {name: value.shape for name, value in tuned.items()}:
        return [f"{folder} holds other parameters than the base"]
    if not all(torch.isfinite(value).all() for value in tuned.values()):
        return [f"{folder} holds numbers that are not finite"]
    same = sum(torch.equal(original[name], tuned[name]) for name in original)
    return [f"{folder} holds the base's own weights"] if same == len(original) else []
