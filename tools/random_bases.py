"""Random diffusion bases: a folder in diffusers' layout, with every number in it drawn from a seed.

The models are diffusers' and transformers' own; only their weights are made up. They are drawn so that a mistake
anywhere shows: outputs are of the order of 1, norms have scales and shifts, and attention is far from uniform.
"""

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import offline  # noqa: F401
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel

NORMS = (torch.nn.GroupNorm, torch.nn.LayerNorm)
SCORES = ("to_q", "to_k", "q_proj", "k_proj", "query", "key")
LEGACY_ATTENTION = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}


@dataclass(frozen=True)
class Base:
    """What a random base is made of; the dictionaries are the arguments of the models' configs."""

    name: str
    seed: int
    unet: dict
    vae: dict
    text: dict
    scheduler: dict
    tokenizer: Path
    pad_token: str = "<|endoftext|>"
    dtype: torch.dtype = torch.float32
    max_shard_size: str = "10GB"
    legacy_names: bool = False
    """Store the names that the folders of 2022 have, as Stable Diffusion 1.5's still do."""
    shapes: "Shapes" = field(default_factory=lambda: Shapes())


@dataclass(frozen=True)
class Shapes:
    """The sizes of the inputs that a base is tried on."""

    batch: int = 2
    latent: tuple[int, int] = (8, 8)  # height, width
    sampler_batch: int = 1
    sampler_latent: tuple[int, int] = (8, 8)
    vae_batch: int = 1


def randomize(model: torch.nn.Module, seed: int) -> None:
    """Fills every parameter of the model from the seed, in the order of its modules."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for path, module in model.named_modules():
            for name, parameter in module.named_parameters(recurse=False):
                parameter.normal_(generator=generator)
                if isinstance(module, NORMS):
                    parameter.mul_(0.3).add_(1 if name == "weight" else 0)
                elif isinstance(module, torch.nn.Embedding):
                    parameter.mul_(0.5)
                elif parameter.ndim >= 2:
                    fan_in = parameter[0].numel()
                    gain = 2 if path.rsplit(".", 1)[-1] in SCORES else 1
                    parameter.mul_(gain / fan_in**0.5)
                else:
                    parameter.mul_(0.1)


def write_base(base: Base, folder: Path) -> None:
    """Writes the whole base into the folder, which is made anew."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_part(base, folder, "unet", UNet2DConditionModel(**base.unet), base.seed)
    write_part(base, folder, "vae", AutoencoderKL(**base.vae), base.seed + 1)
    write_part(base, folder, "text_encoder", CLIPTextModel(CLIPTextConfig(**base.text)), base.seed + 2)
    write_tokenizer(base, folder / "tokenizer")
    write_json(folder / "scheduler" / "scheduler_config.json", base.scheduler)
    write_json(folder / "model_index.json", model_index(base))
    if base.legacy_names:
        rename_as_in_2022(folder)


def write_part(base: Base, folder: Path, part: str, model: torch.nn.Module, seed: int) -> None:
    randomize(model, seed)
    model.to(base.dtype).save_pretrained(folder / part, max_shard_size=base.max_shard_size)


def write_tokenizer(base: Base, folder: Path) -> None:
    """Copies a vocabulary and sets how long a text is and what fills it up."""
    folder.mkdir()
    for name in ("vocab.json", "merges.txt"):
        shutil.copyfile(base.tokenizer / name, folder / name)
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        config = json.loads((base.tokenizer / name).read_text())
        config["pad_token"] = base.pad_token
        if "model_max_length" in config:
            config["model_max_length"] = base.text["max_position_embeddings"]
        write_json(folder / name, config)


def model_index(base: Base) -> dict:
    return {
        "_class_name": "StableDiffusionPipeline",
        "_diffusers_version": "0.42.0",
        "feature_extractor": [None, None],
        "image_encoder": [None, None],
        "requires_safety_checker": False,
        "safety_checker": [None, None],
        "scheduler": ["diffusers", base.scheduler["_class_name"]],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }


def rename_as_in_2022(folder: Path) -> None:
    """Gives the weights the older names: the autoencoder's `query`, `key`, `value` and `proj_attn`, and the text
    encoder's `text_model.` prefix with the positions' numbers beside the weights."""
    path = folder / "vae" / "diffusion_pytorch_model.safetensors"
    save_file({legacy_attention(name): value for name, value in load_file(path).items()}, path, {"format": "pt"})

    path = folder / "text_encoder" / "model.safetensors"
    weights = {f"text_model.{name.removeprefix('text_model.')}": value for name, value in load_file(path).items()}
    positions = weights["text_model.embeddings.position_embedding.weight"].shape[0]
    weights["text_model.embeddings.position_ids"] = torch.arange(positions)[None]
    save_file(weights, path, {"format": "pt"})


def legacy_attention(name: str) -> str:
    if ".attentions." in name:
        for new, old in LEGACY_ATTENTION.items():
            name = name.replace(f".{new}.", f".{old}.")
    return name


def write_json(path: Path, value: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
