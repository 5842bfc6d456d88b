"""The bases of `make parity`: random small ones of many forms, and one of Stable Diffusion 1.5's size."""

import random
from pathlib import Path

import torch

from committed_bases import SCHEDULER, TEXT, VOCABULARY
from random_bases import Base, Shapes


def random_base(seed: int) -> Base:
    """A base whose every choice is drawn from the seed; the first ones alternate between 1.x and 2.x form."""
    draw = random.Random(seed)
    second_form = seed % 2 == 1
    depth = draw.choice([2, 3, 4])
    widths = [draw.choice([16, 32, 48, 64]) for _ in range(depth)]
    cross = [draw.random() < 0.6 for _ in range(depth)]
    cross[draw.randrange(depth)] = True
    hidden = draw.choice([32, 48, 64])
    latent_channels = draw.choice([4, 4, 8])
    vae_depth = draw.choice([2, 3])
    return Base(
        name=f"random-{seed}-{'v2' if second_form else 'v1'}",
        seed=1000 * (seed + 1),
        unet={
            "sample_size": 16,
            "in_channels": latent_channels,
            "out_channels": latent_channels,
            "block_out_channels": tuple(widths),
            "down_block_types": tuple("CrossAttnDownBlock2D" if it else "DownBlock2D" for it in cross),
            "up_block_types": tuple("CrossAttnUpBlock2D" if it else "UpBlock2D" for it in reversed(cross)),
            "layers_per_block": draw.choice([1, 2]),
            # Two channels at least in a group: one alone makes gradients that are nothing but rounding.
            "norm_num_groups": draw.choice([4, 8]),
            "attention_head_dim": tuple(width // 8 for width in widths) if second_form else draw.choice([4, 8]),
            "cross_attention_dim": hidden,
            "use_linear_projection": second_form,
        },
        vae={
            "block_out_channels": tuple(draw.choice([8, 16, 24]) for _ in range(vae_depth)),
            "down_block_types": ("DownEncoderBlock2D",) * vae_depth,
            "up_block_types": ("UpDecoderBlock2D",) * vae_depth,
            "layers_per_block": draw.choice([1, 2]),
            "norm_num_groups": draw.choice([4, 8]),
            "latent_channels": latent_channels,
            "sample_size": 32,
            "scaling_factor": 0.18215,
            "mid_block_add_attention": draw.random() < 0.5,
        },
        text=TEXT
        | {
            "hidden_size": hidden,
            "intermediate_size": 4 * hidden,
            "num_attention_heads": draw.choice([2, 4, 8]),
            "num_hidden_layers": draw.choice([1, 2, 3]),
            "hidden_act": "gelu" if second_form else "quick_gelu",
        },
        scheduler=SCHEDULER
        | {
            "_class_name": draw.choice(["DDIMScheduler", "PNDMScheduler"]),
            "prediction_type": "v_prediction" if second_form else "epsilon",
        },
        tokenizer=VOCABULARY,
        pad_token="!" if second_form else "<|endoftext|>",
        dtype=draw.choice([torch.float32, torch.float16, torch.bfloat16]),
        max_shard_size=draw.choice(["10GB", "500KB"]),
        shapes=Shapes(
            batch=draw.choice([1, 2, 3]),
            latent=(draw.randint(5, 20), draw.randint(5, 20)),
            sampler_batch=draw.choice([1, 2]),
            sampler_latent=(draw.choice([8, 12]), draw.choice([8, 16])),
            vae_batch=draw.choice([1, 2]),
        ),
    )


def full_size_base(tokenizer: Path) -> Base:
    """Stable Diffusion 1.5's configs (859.5 M parameters in the UNet) at 256x256 pixels."""
    return Base(
        name="full-size-1.5",
        seed=15,
        unet={
            "sample_size": 64,
            "in_channels": 4,
            "out_channels": 4,
            "block_out_channels": (320, 640, 1280, 1280),
            "down_block_types": ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
            "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
            "layers_per_block": 2,
            "norm_num_groups": 32,
            "attention_head_dim": 8,
            "cross_attention_dim": 768,
        },
        vae={
            "block_out_channels": (128, 256, 512, 512),
            "down_block_types": ("DownEncoderBlock2D",) * 4,
            "up_block_types": ("UpDecoderBlock2D",) * 4,
            "layers_per_block": 2,
            "norm_num_groups": 32,
            "latent_channels": 4,
            "sample_size": 512,
            "scaling_factor": 0.18215,
        },
        text={
            "vocab_size": 49408,
            "bos_token_id": 49406,
            "eos_token_id": 49407,
            "pad_token_id": 49407,
            "max_position_embeddings": 77,
            "hidden_size": 768,
            "intermediate_size": 3072,
            "num_attention_heads": 12,
            "num_hidden_layers": 12,
            "hidden_act": "quick_gelu",
        },
        scheduler=SCHEDULER | {"_class_name": "PNDMScheduler", "skip_prk_steps": True},
        tokenizer=tokenizer,
        shapes=Shapes(batch=1, latent=(32, 32)),
    )
