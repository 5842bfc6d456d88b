"""Makes Tests/MeasuringTests/References: pairs of small pictures, and what scikit-image says of how alike they are.

    python3 -m venv VENV && VENV/bin/pip install scikit-image==0.26.0 pillow
    VENV/bin/python tools/make_metric_references.py
"""

import json
from pathlib import Path

import numpy as np
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

FOLDER = Path(__file__).parent.parent / "Tests/MeasuringTests/References"


def scene(width, height):
    """Smooth colours, a hard edge and noise."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[0:height, 0:width]
    pixels = np.stack(
        [255 * x / (width - 1), 255 * y / (height - 1), 127.5 + 127.5 * np.sin(x * y / 60)], axis=-1
    )
    pixels[height // 4 : height // 2, width // 4 : width // 2] = [230, 20, 40]
    pixels[:, : width // 5] = rng.integers(0, 256, pixels[:, : width // 5].shape)
    return pixels.round().astype(np.uint8)


def changes(pixels):
    """Pictures that differ from one in ways that structure and noise tell apart."""
    rng = np.random.default_rng(6)
    return {
        "noisy": pixels + rng.normal(0, 12, pixels.shape),
        "darker": pixels * 0.7,
        "shifted": np.roll(pixels, 2, axis=1),
        "inverted": 255.0 - pixels,
    }


def main():
    FOLDER.mkdir(exist_ok=True)
    pixels = scene(40, 32)
    Image.fromarray(pixels).save(FOLDER / "scene.png")
    expected = {}
    for name, changed in changes(pixels).items():
        changed = np.clip(changed, 0, 255).round().astype(np.uint8)
        Image.fromarray(changed).save(FOLDER / f"{name}.png")
        mean, whole = structural_similarity(
            pixels, changed, channel_axis=2, data_range=255, gaussian_weights=True, sigma=1.5,
            use_sample_covariance=False, full=True,
        )
        windows = whole[5:-5, 5:-5].mean(axis=2)
        expected[name] = {
            "psnr": float(peak_signal_noise_ratio(pixels, changed, data_range=255)),
            "ssim": float(mean),
            # Of the windows whose middle lies in the left 16 columns.
            "ssimOfLeft": float(windows[:, :11].mean()),
        }
    (FOLDER / "expected.json").write_text(json.dumps(expected, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
