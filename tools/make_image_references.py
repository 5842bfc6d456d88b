"""Makes Tests/ImagesTests/References: small pictures, and what Pillow makes of them.

    python3 -m venv VENV && VENV/bin/pip install pillow==11.3.0 numpy
    VENV/bin/python tools/make_image_references.py
"""

from pathlib import Path

import numpy as np
from PIL import Image

FOLDER = Path(__file__).parent.parent / "Tests/ImagesTests/References"


def scene(width, height):
    """Smooth colours, hard edges and noise, so that a filter's every part shows."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[0:height, 0:width]
    red = 255 * x / (width - 1)
    green = 255 * y / (height - 1)
    blue = 127.5 + 127.5 * np.sin(x * y / 40)
    pixels = np.stack([red, green, blue], axis=-1)
    pixels[height // 4 : height // 2, width // 4 : width // 2] = [255, 255, 255]
    pixels[height // 2 : 3 * height // 4, width // 2 : 3 * width // 4] = [0, 0, 0]
    pixels[:, -width // 5 :] = rng.integers(0, 256, pixels[:, -width // 5 :].shape)
    return Image.fromarray(pixels.round().astype(np.uint8))


def save(picture, name, **options):
    picture.save(FOLDER / name, **options)


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    source = scene(45, 37)
    save(source, "scene.png")

    # Resizing: smaller, larger, each side its own way, and a part with sides between pixels.
    for width, height in [(16, 16), (13, 29), (96, 80), (45, 20), (7, 64)]:
        save(source.resize((width, height), Image.LANCZOS), f"resized-{width}x{height}.png")
    # The largest part in the middle that is as wide as it is high.
    save(source.resize((16, 16), Image.LANCZOS, box=(4, 0, 41, 37)), "cropped-16x16.png")
    save(source.resize((20, 15), Image.LANCZOS, box=(0, 1.625, 45, 35.375)), "cropped-20x15.png")

    # Decoding: each file beside what Pillow decodes it to.
    def decoded(name, **options):
        save(options.pop("picture", source), name, **options)
        save(Image.open(FOLDER / name).convert("RGB"), name + ".png")

    decoded("baseline.jpg", quality=90)
    decoded("progressive.jpg", quality=80, progressive=True, subsampling=0)
    decoded("grey.jpg", picture=source.convert("L"), quality=90)
    decoded("cmyk.jpg", picture=source.convert("CMYK"), quality=95)
    decoded("lossy.webp", quality=80)
    decoded("lossless.webp", lossless=True)

    # Transparency: the left half opaque, the right half not there, a column between half there.
    alpha = np.zeros((37, 45), np.uint8)
    alpha[:, :22] = 255
    alpha[:, 22] = 128
    transparent = source.copy()
    transparent.putalpha(Image.fromarray(alpha))
    save(transparent, "transparent.webp", lossless=True, exact=True)
    save(transparent, "transparent.png")
    frames = [source, source.transpose(Image.FLIP_LEFT_RIGHT)]
    frames[0].save(FOLDER / "animated.webp", save_all=True, append_images=frames[1:], lossless=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    save(source, "turned.webp", lossless=True, exif=exif)
    save(source, "turned.jpg", quality=90, subsampling=0, exif=exif)
    save(Image.open(FOLDER / "turned.jpg").transpose(Image.ROTATE_270), "turned.jpg.png")


if __name__ == "__main__":
    main()
