"""At which scales does a model learn from vectors? Without and with a scaler, on three seeds each.

    python demos/scales.py              prints two tables, leaves scales.png

All columns x_j of standard deviation 1 and mean 0 are taken at other scales, x_j deviation + mean.
A VAE with two latents is given six columns of two factors, and its number is what it explains,

    R^2 = 1 - sum_nj (x_nj - reconstructed_nj)^2 / sum_nj x_nj^2                         (1)

both back at scale 1; a GAN is given the ring, and its numbers are the share of good samples and
the modes found. "-" is a training that diverged, which is an error and no silence.
"""

import warnings

import numpy as np

import scratchgen as sg

SEEDS, N, EPOCHS, SAMPLES = (0, 1, 2), 10_000, 20, 2_500
DEVIATIONS = (0.001, 0.01, 0.03, 0.1, 0.15, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 30.0)
MEANS = (0.5, 0.75, 1.0, 2.0, 3.0, 5.0, 10.0, 100.0)
PICTURED = ((0.001, 0.0), (0.1, 0.0), (1.0, 0.0), (10.0, 0.0), (1.0, 2.0))
FACTORS = np.array([[1, 0, 1, 1, -1, 0.5], [0, 1, 1, -1, 0.5, 1]])  # (2, 6)


def six_columns(n: int) -> np.ndarray:
    """(n, 6): two factors, and a tenth of noise, each column of deviation 1."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, 2)) @ FACTORS + 0.1 * rng.standard_normal((n, 6))
    return (x - x.mean(axis=0)) / x.std(axis=0)


def explained(x: np.ndarray, scale: tuple[float, float], scaled: bool, seed: int) -> float:
    """(1), or nan."""
    deviation, mean = scale
    given = x * deviation + mean
    scaler = sg.data.Scaler.standard(given) if scaled else None
    model = sg.models.vae((6,), latent=2, hidden=(128, 128), rng=seed, scaler=scaler)
    try:
        sg.fit(model, given, epochs=EPOCHS, batch_size=128, seed=seed)
    except sg.errors.DivergedError:
        return np.nan
    again = (model.reconstruct(given) - mean) / deviation
    return float(1 - np.sum((x - again) ** 2) / np.sum(x**2))  # (1)


def sampled(x: np.ndarray, scale: tuple[float, float], scaled: bool, seed: int) -> np.ndarray:
    """Samples of a GAN, back at scale 1: (SAMPLES, 2)."""
    deviation, mean = scale
    given = x * deviation + mean
    scaler = sg.data.Scaler.standard(given) if scaled else None
    model = sg.models.gan((2,), latent=2, hidden=(128, 128, 128), rng=seed, scaler=scaler)
    try:
        sg.fit(model, given, epochs=EPOCHS, batch_size=256, seed=seed)
    except sg.errors.DivergedError:
        return np.zeros((SAMPLES, 2))
    return (model.sample(SAMPLES, rng=0) - mean) / deviation


def main() -> None:
    warnings.simplefilter("ignore", sg.errors.ScaleWarning)  # that is the subject
    columns, ring = six_columns(N // 2), sg.data.ring(N, rng=0)
    spread = ring.std()
    pictures: list[list[tuple[str, np.ndarray]]] = [[("ring", ring)], [("ring", ring)]]
    print(f"deviation, mean; without and with a scaler: R^2, seeds {SEEDS}; good, modes found")
    for scale in [*((one, 0.0) for one in DEVIATIONS), *((1.0, mean) for mean in MEANS)]:
        cells = [f"{scale[0]:6g} {scale[1]:6g}"]
        for k, scaled in enumerate((False, True)):
            shares = [explained(columns, scale, scaled, seed) for seed in SEEDS]
            points = [sampled(ring / spread, scale, scaled, seed) * spread for seed in SEEDS]
            found = [sg.metrics.coverage(one, "ring") for one in points]
            cells.append(" ".join(f"{share:6.2f}".replace("   nan", "     -") for share in shares))
            cells.append(" ".join(f"{one.good:4.0%}" for one in found))
            cells.append(" ".join(f"{one.found}" for one in found))
            if scale in PICTURED:
                title = f"{scale[0]:g}, mean {scale[1]:g}" + (", scaled" if scaled else "")
                pictures[k].append((title, points[0]))
        print("   ".join(cells), flush=True)
    sg.plots.panels(pictures, "scales.png", "a GAN's samples at other scales, back at scale 1")


if __name__ == "__main__":
    main()
