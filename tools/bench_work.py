"""The works that are timed in PyTorch: each a closure over a loaded model that does one repetition.

A work's name is `<model>-<what>`, with the picture's size or the batch at its end:

    sd-forward-512  sd-guidance-512  sd-embedding-512  sd-finetune-512  (and -256): Stable Diffusion 1.5's UNet
    vae-encode-512  vae-decode-512  (and -256)  text-77: its autoencoder and text encoder
    base-forward-4  base-embedding-4  base-finetune-4: the embedded base's UNet, batch 4

The weights of Stable Diffusion are random: the time does not depend on them. An embedding step is forward, backward
to the embedding alone, and Adam on it; a fine-tuning step is forward, backward to all weights, and fused Adam.
"""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import offline  # noqa: F401
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

from larger_bases import full_size_base
from random_bases import randomize

BASE = Path(__file__).parent.parent / "checkpoints" / "base"
CONFIG = full_size_base(BASE / "tokenizer")
SIZES = (256, 512)
TOKENS = {"sd": 77, "base": json.loads((BASE / "text_encoder" / "config.json").read_text())["max_position_embeddings"]}

Work = Callable[[], object]


class Works:
    """Makes works by name. Models are made when first wanted, and kept."""

    def __init__(self, memory_format: torch.memory_format):
        self.memory_format = memory_format

    @staticmethod
    def names() -> list[str]:
        unet = [f"sd-{what}-{size}" for size in SIZES for what in ("forward", "guidance", "embedding", "finetune")]
        vae = [f"vae-{what}-{size}" for size in SIZES for what in ("encode", "decode")]
        return [*unet, *vae, "text-77", *(f"base-{what}-4" for what in ("forward", "embedding", "finetune"))]

    @cache
    def work(self, name: str) -> Work:
        """The work of that name, ready to be repeated; a `KeyError` where there is none."""
        if name not in self.names():
            raise KeyError(name)
        model, *what, number = name.split("-")
        match model:
            case "sd":
                batch = 2 if what[0] == "guidance" else 1
                return self.unet_work(self.stable_diffusion(), what[0], batch, int(number) // 8, TOKENS["sd"])
            case "base":
                unet = self.embedded_base()
                return self.unet_work(unet, what[0], int(number), unet.config.sample_size, TOKENS["base"])
            case "vae":
                return self.vae_work(what[0], int(number))
            case _:
                return self.text_work(int(number))

    @cache
    def stable_diffusion(self) -> UNet2DConditionModel:
        return self.prepared(UNet2DConditionModel(**CONFIG.unet))

    @cache
    def embedded_base(self) -> UNet2DConditionModel:
        return self.prepared(UNet2DConditionModel.from_pretrained(BASE / "unet"), random=False)

    @cache
    def autoencoder(self) -> AutoencoderKL:
        return self.prepared(AutoencoderKL(**CONFIG.vae)).requires_grad_(False)

    @cache
    def text_encoder(self) -> CLIPTextModel:
        return self.prepared(CLIPTextModel(CLIPTextConfig(**CONFIG.text))).requires_grad_(False)

    def prepared(self, model: torch.nn.Module, random: bool = True) -> torch.nn.Module:
        if random:
            randomize(model, seed=0)
        return model.eval().to(memory_format=self.memory_format)

    @cache
    def adam(self, model: UNet2DConditionModel) -> torch.optim.Optimizer:
        return torch.optim.Adam(model.parameters(), lr=1e-6, fused=True)

    def unet_work(self, model: UNet2DConditionModel, what: str, batch: int, side: int, tokens: int) -> Work:
        """One of the steps of the method, on square latents of a side."""
        shape = (batch, model.config.in_channels, side, side)
        sample, target = (torch.randn(shape).contiguous(memory_format=self.memory_format) for _ in range(2))
        timestep = torch.randint(1000, (batch,))
        hidden = torch.randn(batch, tokens, model.config.cross_attention_dim)

        def loss() -> torch.Tensor:
            return torch.nn.functional.mse_loss(model(sample, timestep, hidden).sample, target)

        def forward() -> None:
            with torch.no_grad():
                model(sample, timestep, hidden)

        def step(optimizer: torch.optim.Optimizer, weights: bool) -> None:
            model.requires_grad_(weights)
            hidden.requires_grad_(not weights)
            loss().backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)

        if what == "embedding":
            adam = torch.optim.Adam([hidden], lr=1e-3)
            return lambda: step(adam, weights=False)
        if what == "finetune":
            return lambda: step(self.adam(model), weights=True)
        return forward

    def vae_work(self, what: str, size: int) -> Work:
        model = self.autoencoder()
        image = torch.rand(1, 3, size, size).contiguous(memory_format=self.memory_format)
        latent = torch.randn(1, 4, size // 8, size // 8).contiguous(memory_format=self.memory_format)
        return lambda: model.encode(image) if what == "encode" else model.decode(latent)

    def text_work(self, tokens: int) -> Work:
        model = self.text_encoder()
        ids = torch.randint(CONFIG.text["vocab_size"], (1, tokens))
        return lambda: model(ids)
