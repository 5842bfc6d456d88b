"""Makes Tests/DiffusionTests/Resources/schedule-references.json: what diffusers' schedulers answer.

    pip install torch diffusers==0.42.1
    python tools/make_schedule_references.py

The "model" of the trajectories is `0.3 * latent + timestep / 5000 - 0.05`, which the Swift tests have too.
"""

import json
import pathlib
from unittest import mock

import torch
from diffusers import (DDIMInverseScheduler, DDIMScheduler, DDPMScheduler, DPMSolverMultistepScheduler,
                       RePaintScheduler)

from philox import normal

STABLE_DIFFUSION = dict(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012)
CONFIGURATIONS = [
    dict(STABLE_DIFFUSION, steps_offset=1, set_alpha_to_one=False, clip_sample=False),
    dict(STABLE_DIFFUSION, steps_offset=1, set_alpha_to_one=False, clip_sample=False,
         prediction_type="v_prediction"),
    dict(STABLE_DIFFUSION, clip_sample=False, prediction_type="v_prediction",
         rescale_betas_zero_snr=True, timestep_spacing="trailing"),
    dict(beta_schedule="linear", clip_sample=False, prediction_type="sample",
         timestep_spacing="linspace"),
    dict(beta_schedule="squaredcos_cap_v2", num_train_timesteps=300, clip_sample=True,
         clip_sample_range=0.9),
]
SOLVER_CONFIGURATIONS = [
    dict(STABLE_DIFFUSION, steps_offset=1, clip_sample=False, prediction_type=prediction,
         timestep_spacing=spacing)
    for prediction in ["epsilon", "v_prediction", "sample"]
    for spacing in ["leading", "trailing", "linspace"]
] + [CONFIGURATIONS[2]]
STEPS = [1, 3, 7, 20, 50, 96, 299]
SOLVER_STEPS = [1, 2, 5, 15, 20, 50]
ANCESTRAL_STEPS = [1, 7, 20]
SOLVER = dict(algorithm_type="dpmsolver++", solver_order=2, solver_type="midpoint",
              lower_order_final=True, final_sigmas_type="zero", use_karras_sigmas=False)
# Steps, jump, how often each stretch is sampled.
RESAMPLINGS = [(250, 10, 10), (50, 5, 3), (20, 5, 3), (25, 10, 2), (7, 3, 4), (6, 2, 2), (5, 4, 3), (9, 1, 2)]
SEED = 5
SAMPLER_STEPS = 4
LATENT = [-1.7, -0.9, -0.4, 0.0, 0.3, 0.8, 1.2, 2.1]


def model(latent, timestep):
    return 0.3 * latent + float(timestep) / 5000 - 0.05


def walk(scheduler, steps):
    scheduler.set_timesteps(steps)
    latent = torch.tensor(LATENT)
    for timestep in scheduler.timesteps:
        latent = scheduler.step(model(latent, timestep), int(timestep), latent, return_dict=False)[0]
    return latent.tolist()


def ancestral_walk(configuration, steps):
    """DDPM's walk with this project's noise: that of (SEED, SAMPLER_STEPS, the step)."""
    scheduler = DDPMScheduler(**{k: v for k, v in configuration.items() if k != "set_alpha_to_one"})
    scheduler.set_timesteps(steps)
    latent = torch.tensor([LATENT])
    for step, timestep in enumerate(scheduler.timesteps):
        noise = torch.tensor([normal(SEED, SAMPLER_STEPS, step, len(LATENT))])
        with mock.patch("diffusers.schedulers.scheduling_ddpm.randn_tensor", lambda *_, **__: noise):
            latent = scheduler.step(model(latent, timestep), int(timestep), latent, return_dict=False)[0]
    return latent[0].tolist()


def ddim_walk_with_eta(configuration, steps):
    """DDIM's walk with an eta of 1, a last level free of noise, and the same noise."""
    scheduler = DDIMScheduler(**dict(configuration, set_alpha_to_one=True))
    scheduler.set_timesteps(steps)
    latent = torch.tensor([LATENT])
    for step, timestep in enumerate(scheduler.timesteps):
        noise = torch.tensor([normal(SEED, SAMPLER_STEPS, step, len(LATENT))])
        latent = scheduler.step(
            model(latent, timestep), int(timestep), latent, eta=1, variance_noise=noise,
            use_clipped_model_output=True, return_dict=False)[0]
    return latent[0].tolist()


def resampling_reference(steps, jump, resample):
    scheduler = RePaintScheduler(num_train_timesteps=1000)
    scheduler.set_timesteps(steps, jump_length=jump, jump_n_sample=resample)
    stride = 1000 // steps
    times = [int(timestep) // stride for timestep in scheduler.timesteps] + [-1]
    return {"steps": steps, "jump": jump, "resample": resample, "times": times}


def reference(configuration):
    scheduler = DDIMScheduler(**configuration)
    total = scheduler.config.num_train_timesteps
    result = {
        "configuration": dict(scheduler.config),
        "alphas": [[t, float(scheduler.alphas_cumprod[t])] for t in range(0, total, 37)]
        + [[total - 1, float(scheduler.alphas_cumprod[-1])]],
        "final_alpha": float(scheduler.final_alpha_cumprod),
        "timesteps": [],
        "sampled": walk(scheduler, 20),
        "ancestral": [{"steps": steps, "latent": ancestral_walk(configuration, steps)}
                      for steps in ANCESTRAL_STEPS],
    }
    # Its levels are those of its timesteps with this spacing only.
    if scheduler.config.timestep_spacing == "leading":
        result["ancestral_ddim"] = ddim_walk_with_eta(configuration, 20)
    for steps in STEPS:
        scheduler.set_timesteps(steps)
        result["timesteps"].append([steps, scheduler.timesteps.tolist()])
    # The inverse scheduler has no linspace spacing.
    if scheduler.config.timestep_spacing != "linspace":
        result["inverted"] = walk(DDIMInverseScheduler(**configuration), 20)
    timesteps = torch.tensor([0, total // 3, total - 1])
    clean = torch.tensor(LATENT[:6]).reshape(3, 2)
    noise = torch.tensor(LATENT[2:]).reshape(3, 2)
    result["noisy"] = scheduler.add_noise(clean, noise, timesteps).flatten().tolist()
    result["velocity"] = scheduler.get_velocity(clean, noise, timesteps).flatten().tolist()
    return result


def solver_reference(configuration):
    schedule = DDIMScheduler(**configuration).config
    solver = DPMSolverMultistepScheduler.from_config(
        schedule, timestep_spacing=schedule.timestep_spacing, **SOLVER)
    sampled = [{"steps": steps, "latent": walk(solver, steps),
                "timesteps": solver.timesteps.tolist()} for steps in SOLVER_STEPS]
    return {"configuration": dict(schedule), "sampled": sampled}


if __name__ == "__main__":
    place = pathlib.Path(__file__).parent.parent / "Tests/DiffusionTests/Resources"
    place.mkdir(parents=True, exist_ok=True)
    references = {"latent": LATENT, "schedules": [reference(c) for c in CONFIGURATIONS]}
    references["solvers"] = [solver_reference(c) for c in SOLVER_CONFIGURATIONS]
    references["resamplings"] = [resampling_reference(*r) for r in RESAMPLINGS]
    for schedule in references["schedules"] + references["solvers"]:
        schedule["configuration"].pop("_use_default_values", None)
    text = json.dumps(references, separators=(",", ":"))
    (place / "schedule-references.json").write_text(text + "\n")
