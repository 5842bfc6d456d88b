"""The two networks that Sources/Measuring has, in PyTorch: a shift-tolerant LPIPS and a SqueezeNet.

Written from the papers (Ghildyal and Liu 2022; Zhang et al. 2018; Iandola et al. 2016) and from what the packages' weights
and answers tell; convert_metrics.py compares them with the packages.
"""

import torch
from torch.nn import functional as F

Weights = dict[str, torch.Tensor]


def conv(x: torch.Tensor, weights: Weights, name: str, **options) -> torch.Tensor:
    return F.conv2d(x, weights[f"{name}.weight"], weights[f"{name}.bias"], **options)


def blur(x: torch.Tensor) -> torch.Tensor:
    """Halves a picture by a binomial filter, mirrored at its sides."""
    line = torch.tensor([1.0, 2, 1]) / 4
    kernel = (line[:, None] * line[None]).expand(x.shape[1], 1, 3, 3)
    return F.conv2d(F.pad(x, (2, 2, 2, 2), "reflect"), kernel, stride=2, groups=x.shape[1])


def alexnet_features(x: torch.Tensor, weights: Weights) -> list[torch.Tensor]:
    """Of pictures [n, 3, height, width] in [-1, 1]: what the five convolutions answer."""
    shift = torch.tensor([-0.030, -0.088, -0.188])[:, None, None]
    scale = torch.tensor([0.458, 0.448, 0.450])[:, None, None]
    x = F.relu(blur(conv((x - shift) / scale, weights, "conv1", padding=2)))
    features = [x]
    x = F.relu(conv(blur(F.max_pool2d(x, 3, 1)), weights, "conv2", padding=2))
    features.append(x)
    x = F.relu(conv(blur(F.max_pool2d(x, 3, 1)), weights, "conv3", padding=1))
    features.append(x)
    for name in ["conv4", "conv5"]:
        x = F.relu(conv(x, weights, name, padding=1))
        features.append(x)
    return features


def perceptual_distance(a: torch.Tensor, b: torch.Tensor, weights: Weights) -> torch.Tensor:
    total = torch.zeros(a.shape[0])
    pairs = zip(alexnet_features(a, weights), alexnet_features(b, weights))
    for index, features in enumerate(pairs):
        a, b = (x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10) for x in features)
        squares = (a - b).square() * weights[f"linear{index + 1}"][:, None, None]
        total += squares.sum(1).mean((1, 2))
    return total


def same(size: int) -> tuple[int, int]:
    """The frame of zeros that a kernel of 3 and stride 2 takes where nothing is to be lost."""
    total = max((-(-size // 2) - 1) * 2 + 3 - size, 0)
    return total // 2, total - total // 2


def squeezenet(x: torch.Tensor, weights: Weights) -> torch.Tensor:
    """Logits of pictures [n, 3, height, width], 0 to 255."""
    mean = torch.tensor([103.939, 116.779, 123.68])[:, None, None]
    x = x.flip(1) - mean
    x = F.pad(x, same(x.shape[3]) + same(x.shape[2]))
    x = F.relu(conv(x, weights, "conv1", stride=2))
    for fire in range(2, 10):
        if fire in (2, 4, 6):
            x = F.max_pool2d(x, 3, 2)
        x = F.relu(conv(x, weights, f"fire{fire}.squeeze"))
        parts = conv(x, weights, f"fire{fire}.expand1"), conv(x, weights, f"fire{fire}.expand3", padding=1)
        x = F.relu(torch.cat(parts, 1))
    return conv(x, weights, "conv10").mean((2, 3))
