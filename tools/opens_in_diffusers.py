"""Whether diffusers opens the folders that this program reads and writes."""

from pathlib import Path

import offline  # noqa: F401
import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel


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
