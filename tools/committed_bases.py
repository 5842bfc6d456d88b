"""The three small random bases whose references are committed: each has the form of a family of real folders."""

from pathlib import Path

import torch

from random_bases import Base, Shapes

VOCABULARY = Path(__file__).parent.parent / "checkpoints" / "base" / "tokenizer"

TEXT = {
    "vocab_size": 799,
    "bos_token_id": 797,
    "eos_token_id": 798,
    "pad_token_id": 798,
    "max_position_embeddings": 20,
}

SCHEDULER = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000,
    "set_alpha_to_one": False,
    "steps_offset": 1,
    "clip_sample": False,
}

# Stable Diffusion 1.x: convolutional projections, 8 heads everywhere, quick_gelu, epsilon, a scheduler config that was
# written for another sampler, and the names of weights of 2022.
STABLE_DIFFUSION_1 = Base(
    name="stable-diffusion-1",
    seed=100,
    unet={
        "sample_size": 8,
        "in_channels": 4,
        "out_channels": 4,
        "block_out_channels": (8, 24),
        "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
        "layers_per_block": 1,
        "norm_num_groups": 4,
        "attention_head_dim": 8,
        "cross_attention_dim": 24,
    },
    vae={
        "block_out_channels": (8, 16),
        "down_block_types": ("DownEncoderBlock2D",) * 2,
        "up_block_types": ("UpDecoderBlock2D",) * 2,
        "layers_per_block": 1,
        "norm_num_groups": 4,
        "latent_channels": 4,
        "sample_size": 16,
        "scaling_factor": 0.18215,
    },
    text=TEXT
    | {
        "hidden_size": 24,
        "intermediate_size": 96,
        "num_attention_heads": 4,
        "num_hidden_layers": 2,
        "hidden_act": "quick_gelu",
    },
    scheduler=SCHEDULER | {"_class_name": "PNDMScheduler", "skip_prk_steps": True},
    tokenizer=VOCABULARY,
    legacy_names=True,
    shapes=Shapes(batch=2, latent=(12, 8), sampler_batch=2, sampler_latent=(8, 8), vae_batch=1),
)

# Stable Diffusion 2.x: linear projections, a number of heads for each block, gelu, v prediction, texts filled up with
# "!", bfloat16; latents that halve to odd sizes.
STABLE_DIFFUSION_2 = Base(
    name="stable-diffusion-2",
    seed=200,
    unet={
        "sample_size": 8,
        "in_channels": 4,
        "out_channels": 4,
        "block_out_channels": (8, 16, 16),
        "down_block_types": ("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        "layers_per_block": 1,
        "norm_num_groups": 4,
        "attention_head_dim": (1, 2, 4),
        "cross_attention_dim": 16,
        "use_linear_projection": True,
    },
    vae={
        "block_out_channels": (8, 12, 12),
        "down_block_types": ("DownEncoderBlock2D",) * 3,
        "up_block_types": ("UpDecoderBlock2D",) * 3,
        "layers_per_block": 1,
        "norm_num_groups": 4,
        "latent_channels": 4,
        "sample_size": 16,
        "scaling_factor": 0.18215,
        "mid_block_add_attention": False,
    },
    text=TEXT
    | {
        "hidden_size": 16,
        "intermediate_size": 64,
        "num_attention_heads": 2,
        "num_hidden_layers": 2,
        "hidden_act": "gelu",
    },
    scheduler=SCHEDULER | {"_class_name": "DDIMScheduler", "prediction_type": "v_prediction"},
    tokenizer=VOCABULARY,
    pad_token="!",
    dtype=torch.bfloat16,
    shapes=Shapes(batch=3, latent=(7, 10), sampler_batch=1, sampler_latent=(6, 9), vae_batch=2),
)

# No family's: plain and cross-attention blocks mixed, two layers a block, six latent channels, float16, shards, and a
# linear noise schedule that ends without noise.
MIXED = Base(
    name="mixed",
    seed=300,
    unet={
        "sample_size": 8,
        "in_channels": 6,
        "out_channels": 6,
        "block_out_channels": (8, 12, 16),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "layers_per_block": 2,
        "norm_num_groups": 4,
        "attention_head_dim": 4,
        "cross_attention_dim": 12,
    },
    vae={
        "block_out_channels": (4, 8),
        "down_block_types": ("DownEncoderBlock2D",) * 2,
        "up_block_types": ("UpDecoderBlock2D",) * 2,
        "layers_per_block": 2,
        "norm_num_groups": 2,
        "latent_channels": 6,
        "sample_size": 16,
        "scaling_factor": 0.5,
    },
    text=TEXT
    | {
        "hidden_size": 12,
        "intermediate_size": 24,
        "num_attention_heads": 2,
        "num_hidden_layers": 3,
        "hidden_act": "quick_gelu",
    },
    scheduler=SCHEDULER
    | {
        "_class_name": "DDIMScheduler",
        "beta_start": 0.0001,
        "beta_end": 0.02,
        "beta_schedule": "linear",
        "set_alpha_to_one": True,
        "steps_offset": 0,
        "prediction_type": "epsilon",
    },
    tokenizer=VOCABULARY,
    dtype=torch.float16,
    max_shard_size="60KB",
    shapes=Shapes(batch=1, latent=(4, 12), sampler_batch=1, sampler_latent=(8, 4), vae_batch=1),
)

BASES = (STABLE_DIFFUSION_1, STABLE_DIFFUSION_2, MIXED)
