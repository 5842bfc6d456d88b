"""What PyTorch says about a base: inputs for each of its parts, and the outputs and gradients that belong to them.

Both are dictionaries from a dataset's name, as `model-probe` reads and writes them, to an array, a list of strings
or, for a name with an `@` in it, the attribute of a group. All arithmetic is float32, whatever the weights are
stored in.

Beyond what `model-probe` takes, the gradients of the text encoder and of the autoencoder can be asked for. Their loss
is a sum of means of products with given random numbers:

    /text/cotangent/last_hidden_state                   -> /text/grad/<parameter name>
    /vae/cotangent/{latent_mean,latent_logvar,decoded}  -> /vae/grad/<parameter name>, /vae/grad/{image,latent}

Parameters have the names that diffusers and transformers give them today (no `text_model.` prefix).
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import offline  # noqa: F401
import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from random_bases import Base

Datasets = dict[str, object]


class Draws:
    """Random inputs from a seed."""

    def __init__(self, seed: int):
        self.generator = torch.Generator().manual_seed(seed)

    def normal(self, *shape: int) -> np.ndarray:
        return torch.randn(shape, generator=self.generator).numpy()

    def uniform(self, *shape: int) -> np.ndarray:
        return (torch.rand(shape, generator=self.generator) * 2 - 1).numpy()

    def integers(self, below: int, *shape: int) -> np.ndarray:
        return torch.randint(below, shape, generator=self.generator).numpy()


# Inputs


def text_inputs(base: Base, draws: Draws, batch: int = 2) -> Datasets:
    """Sequences that begin and end like a tokenizer's, filled up with the end token."""
    length, vocabulary = base.text["max_position_embeddings"], base.text["vocab_size"]
    ids = draws.integers(vocabulary - 2, batch, length)
    ids[:, 0] = vocabulary - 2
    for row, words in enumerate(draws.integers(length - 2, batch)):
        ids[row, words + 1 :] = vocabulary - 1
    return {"/text/input_ids": ids}


def unet_inputs(base: Base, draws: Draws) -> Datasets:
    shape = (base.shapes.batch, base.unet["in_channels"], *base.shapes.latent)
    return {
        "/unet/sample": draws.normal(*shape),
        "/unet/timestep": draws.integers(1000, base.shapes.batch),
        "/unet/encoder_hidden_states": draws.normal(base.shapes.batch, *hidden_shape(base)),
        "/unet/target": draws.normal(*shape),
    }


def vae_inputs(base: Base, draws: Draws) -> Datasets:
    (height, width), batch = base.shapes.latent, base.shapes.vae_batch
    factor = 2 ** (len(base.vae["block_out_channels"]) - 1)
    return {
        "/vae/image": draws.uniform(batch, 3, height * factor, width * factor),
        "/vae/latent": draws.normal(batch, base.vae["latent_channels"], height, width),
    }


def sampler_inputs(base: Base, draws: Draws) -> Datasets:
    batch = base.shapes.sampler_batch
    return {
        "/sampler/latents": draws.normal(batch, base.unet["in_channels"], *base.shapes.sampler_latent),
        "/sampler/encoder_hidden_states": draws.normal(batch, *hidden_shape(base)),
        "/sampler/unconditional_hidden_states": draws.normal(batch, *hidden_shape(base)),
        "/sampler@steps": 20,
        "/sampler@guidance_scale": 3.0,
    }


def cotangents(base: Base, draws: Draws, outputs: Datasets) -> Datasets:
    """Random numbers of the outputs' shapes, which ask for the gradients of the text encoder and the autoencoder."""
    names = ("/text/last_hidden_state", "/vae/latent_mean", "/vae/latent_logvar", "/vae/decoded")
    return {cotangent_name(name): draws.normal(*outputs[name].shape) for name in names}


def cotangent_name(output: str) -> str:
    part, name = output.removeprefix("/").split("/")
    return f"/{part}/cotangent/{name}"


def hidden_shape(base: Base) -> tuple[int, int]:
    return base.text["max_position_embeddings"], base.unet["cross_attention_dim"]


# Outputs


def tokenizer_outputs(folder: Path, inputs: Datasets) -> Datasets:
    tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
    ids = tokenizer(inputs["/tokenizer/text"], padding="max_length", truncation=True).input_ids
    return {"/tokenizer/input_ids": np.array(ids, np.int64)}


def text_outputs(folder: Path, inputs: Datasets) -> Datasets:
    model = CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=torch.float32).eval()
    hidden = model(torch.from_numpy(inputs["/text/input_ids"])).last_hidden_state
    outputs = {"/text/last_hidden_state": hidden}
    return as_arrays(outputs | gradients("/text", model, {}, outputs, inputs))


def vae_outputs(folder: Path, inputs: Datasets) -> Datasets:
    model = AutoencoderKL.from_pretrained(folder / "vae", torch_dtype=torch.float32).eval()
    leaves = {
        name: torch.from_numpy(inputs[f"/vae/{name}"]).requires_grad_(cotangent_name("/vae/decoded") in inputs)
        for name in ("image", "latent")
    }
    with torch.set_grad_enabled(cotangent_name("/vae/decoded") in inputs):
        distribution = model.encode(leaves["image"]).latent_dist
        outputs = {
            "/vae/latent_mean": distribution.mean,
            "/vae/latent_logvar": distribution.logvar,
            "/vae/decoded": model.decode(leaves["latent"]).sample,
        }
    return as_arrays(outputs | gradients("/vae", model, leaves, outputs, inputs))


def gradients(part: str, model: torch.nn.Module, leaves: dict, outputs: Datasets, inputs: Datasets) -> Datasets:
    """The gradients of the part, where the inputs ask for them by cotangents."""
    terms = [
        (output * torch.from_numpy(inputs[cotangent_name(name)])).mean()
        for name, output in outputs.items()
        if cotangent_name(name) in inputs
    ]
    if not terms:
        return {}
    sum(terms).backward()
    return {f"{part}/grad/{name}": leaf.grad for name, leaf in (*model.named_parameters(), *leaves.items())}


def unet_outputs(folder: Path, inputs: Datasets) -> Iterator[tuple[str, np.ndarray]]:
    """The prediction, the loss and every gradient, one at a time: together they are as large as the model."""
    model = UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=torch.float32).eval()
    sample, timestep, hidden, target = (
        torch.from_numpy(inputs[f"/unet/{name}"]) for name in ("sample", "timestep", "encoder_hidden_states", "target")
    )
    hidden.requires_grad_()
    prediction = model(sample, timestep, hidden).sample
    loss = torch.nn.functional.mse_loss(prediction, target)
    loss.backward()
    yield "/unet/noise_prediction", prediction.detach().numpy()
    yield "/unet/loss", loss.detach().numpy()
    yield "/unet/grad/encoder_hidden_states", hidden.grad.numpy()
    for name, parameter in model.named_parameters():
        yield f"/unet/grad/{name}", parameter.grad.numpy()


@torch.no_grad()
def sampler_outputs(folder: Path, inputs: Datasets) -> Datasets:
    """DDIM as the base's scheduler config has it, with classifier-free guidance."""
    model = UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=torch.float32).eval()
    scheduler = DDIMScheduler.from_pretrained(folder / "scheduler")
    scheduler.set_timesteps(inputs["/sampler@steps"])
    scale = inputs["/sampler@guidance_scale"]
    latents, conditional, unconditional = (
        torch.from_numpy(inputs[f"/sampler/{name}"])
        for name in ("latents", "encoder_hidden_states", "unconditional_hidden_states")
    )
    for timestep in scheduler.timesteps:
        without = model(latents, timestep, unconditional).sample
        prediction = without + scale * (model(latents, timestep, conditional).sample - without)
        latents = scheduler.step(prediction, timestep, latents, eta=0).prev_sample
    return as_arrays({"/sampler/latents": latents})


def as_arrays(tensors: dict[str, torch.Tensor]) -> Datasets:
    return {name: tensor.detach().numpy() for name, tensor in tensors.items()}


PARTS = {
    "tokenizer": ("/tokenizer/text", tokenizer_outputs),
    "text": ("/text/input_ids", text_outputs),
    "vae": ("/vae/image", vae_outputs),
    "unet": ("/unet/sample", lambda folder, inputs: dict(unet_outputs(folder, inputs))),
    "sampler": ("/sampler/latents", sampler_outputs),
}


def all_outputs(folder: Path, inputs: Datasets) -> Iterator[tuple[str, np.ndarray]]:
    """The outputs of every part that the inputs name."""
    for dataset, outputs in PARTS.values():
        if dataset in inputs:
            yield from outputs(folder, inputs).items()
