"""Makes the networks of Tests/MeasuringTests/References: tiny forms with random weights, and what PyTorch answers.

    $(tools/setup_venv.sh) tools/make_network_references.py
"""

from pathlib import Path

import torch
from safetensors.torch import save_file

import metric_networks as networks

FOLDER = Path(__file__).parent.parent / "Tests/MeasuringTests/References"


class Draws:
    """Weights and pictures of one seed."""

    def __init__(self, seed: int):
        self.generator = torch.Generator().manual_seed(seed)

    def convolution(self, name: str, inputs: int, outputs: int, kernel: int) -> networks.Weights:
        shape = (outputs, inputs, kernel, kernel)
        spread = (2 / (inputs * kernel**2)) ** 0.5
        return {
            f"{name}.weight": spread * torch.randn(shape, generator=self.generator),
            f"{name}.bias": 0.1 * torch.randn(outputs, generator=self.generator),
        }

    def uniform(self, *shape: int) -> torch.Tensor:
        return torch.rand(shape, generator=self.generator)


def alexnet(draws: Draws) -> networks.Weights:
    weights: networks.Weights = {}
    inputs = 3
    for index, (outputs, kernel) in enumerate([(4, 11), (6, 5), (8, 3), (5, 3), (7, 3)], 1):
        weights |= draws.convolution(f"conv{index}", inputs, outputs, kernel)
        weights[f"linear{index}"] = draws.uniform(outputs)
        inputs = outputs
    return weights


def squeezenet(draws: Draws) -> networks.Weights:
    weights = draws.convolution("conv1", 3, 4, 3)
    inputs = 4
    for fire in range(2, 10):
        weights |= draws.convolution(f"fire{fire}.squeeze", inputs, 2, 1)
        weights |= draws.convolution(f"fire{fire}.expand1", 2, 3, 1)
        weights |= draws.convolution(f"fire{fire}.expand3", 2, 4, 3)
        inputs = 7
    return weights | draws.convolution("conv10", inputs, 5, 1)


def channels_last(x: torch.Tensor) -> torch.Tensor:
    return x.permute(0, 2, 3, 1).contiguous()


def main() -> None:
    draws = Draws(11)
    perceptual, classifier = alexnet(draws), squeezenet(draws)
    save_file(perceptual, FOLDER / "perceptual.safetensors")
    save_file(classifier, FOLDER / "classifier.safetensors")
    pairs = 2 * draws.uniform(4, 3, 26, 31) - 1
    a, b = pairs.split(2)
    answers = {
        "small": channels_last(pairs),
        "distances": networks.perceptual_distance(a, b, perceptual),
    }
    # An odd and an even size take different frames.
    for side in [31, 40]:
        pictures = (255 * draws.uniform(2, 3, side, side)).round()
        answers[f"pictures{side}"] = channels_last(pictures)
        answers[f"logits{side}"] = networks.squeezenet(pictures, classifier)
    save_file(answers, FOLDER / "answers.safetensors")


if __name__ == "__main__":
    main()
