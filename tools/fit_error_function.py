"""Finds the polynomials of the error function in Sources/Tensors/Vectors.swift, and how far they are from it.

    $(tools/setup_venv.sh) tools/fit_error_function.py

Below |x| = 1, erf(x) / x is a polynomial of x^2; from there to 4, the logarithm of 1 - erf(x) to the base 2 is one of x.
Lawson's algorithm weighs least squares until the largest error is least: relative ones below 1, those of erf(x) above.
"""

import numpy as np
from mpmath import erf, erfc, log, mpf

PLACES = 3000
ITERATIONS = 300


def places(low: float, high: float) -> np.ndarray:
    """Points of an interval, dense at its ends, without the lower end."""
    return low + (high - low) * (1 - np.cos(np.linspace(0, np.pi, PLACES + 1)[1:])) / 2


def fit(x: np.ndarray, y: np.ndarray, importance: np.ndarray, degree: int) -> tuple[float, np.ndarray]:
    """The least largest error, each times its importance, and the coefficients from the constant on."""
    powers = np.stack([x**i for i in range(degree + 1)], 1)
    weights, best = np.ones(len(x)), (np.inf, np.zeros(degree + 1))
    for _ in range(ITERATIONS):
        factor = np.sqrt(weights) * importance
        matrix = powers * factor[:, None]
        scale = np.linalg.norm(matrix, axis=0)
        coefficients = np.linalg.lstsq(matrix / scale, y * factor, rcond=None)[0] / scale
        errors = np.abs(powers @ coefficients - y) * importance
        if errors.max() < best[0]:
            best = (errors.max(), coefficients)
        weights *= errors / errors.max() + 1e-6
        weights /= weights.sum()
    return best


def main() -> None:
    near = places(0, 1)
    ratios = np.array([float(erf(mpf(x)) / mpf(x)) for x in near])
    far = places(1, 4)
    left = np.array([float(erfc(mpf(x))) for x in far])
    powers = np.array([float(log(erfc(mpf(x)), 2)) for x in far])
    for name, (error, coefficients) in {
        "below 1": fit(near * near, ratios, 1 / ratios, 6),
        "from 1 to 4": fit(far, powers, left * np.log(2), 5),
    }.items():
        print(f"{name}: {error:.2g}", *(f"{c:.9g}" for c in coefficients))


if __name__ == "__main__":
    main()
