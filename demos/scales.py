"""At which scales does a model learn from vectors? Without and with a scaler, on three seeds each.

    python demos/scales.py              prints two tables, leaves scales.png

Columns x_j of mean 0 and standard deviation 1 are brought to other scales, x_j deviation + mean. A
VAE with two latents learns six columns that depend on two factors, and is judged by

    R^2 = 1 - sum_nj (x_nj - reconstructed_nj)^2 / sum_nj x_nj^2                         (1)

after both are brought back to scale 1. A GAN learns the ring, and is judged by the share of good
samples and by the modes found. "-" marks a training that raised DivergedError.
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
    """Columns (n, 6) of deviation 1, which depend on two factors and on a tenth of noise."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, 2)) @ FACTORS + 0.1 * rng.standard_normal((n, 6))
    return (x - x.mean(axis=0)) / x.std(axis=0)


def explained(x: np.ndarray, scale: tuple[float, float], scaled: bool, seed: int) -> float:
    """R^2 (1) of a VAE that is trained at that scale; nan if it diverges."""
    deviation, mean = scale
    scaled_x = x * deviation + mean
    scaler = sg.data.Scaler.standard(scaled_x) if scaled else None
    model = sg.models.vae((6,), latent=2, hidden=(128, 128), rng=seed, scaler=scaler)
    try:
        sg.fit(model, scaled_x, epochs=EPOCHS, batch_size=128, seed=seed)
    except sg.errors.DivergedError:
        return np.nan
    reconstructed = (model.reconstruct(scaled_x) - mean) / deviation
    return float(1 - np.sum((x - reconstructed) ** 2) / np.sum(x**2))  # (1)


def sampled(x: np.ndarray, scale: tuple[float, float], scaled: bool, seed: int) -> np.ndarray:
    """Samples (SAMPLES, 2), at scale 1, of a GAN that is trained at that scale."""
    deviation, mean = scale
    scaled_x = x * deviation + mean
    scaler = sg.data.Scaler.standard(scaled_x) if scaled else None
    model = sg.models.gan((2,), latent=2, hidden=(128, 128, 128), rng=seed, scaler=scaler)
    try:
        sg.fit(model, scaled_x, epochs=EPOCHS, batch_size=256, seed=seed)
    except sg.errors.DivergedError:
        return np.zeros((SAMPLES, 2))
    return (model.sample(SAMPLES, rng=0) - mean) / deviation


def main() -> None:
    warnings.simplefilter("ignore", sg.errors.ScaleWarning)  # the scale is the subject here
    columns, ring = six_columns(N // 2), sg.data.ring(N, rng=0)
    spread = ring.std()
    pictures: list[list[tuple[str, np.ndarray]]] = [[("ring", ring)], [("ring", ring)]]
    print(f"deviation, mean; without and with a scaler: R^2, seeds {SEEDS}; good, modes found")
    for scale in [*((std, 0.0) for std in DEVIATIONS), *((1.0, mean) for mean in MEANS)]:
        cells = [f"{scale[0]:6g} {scale[1]:6g}"]
        for k, scaled in enumerate((False, True)):
            explained_shares = [explained(columns, scale, scaled, seed) for seed in SEEDS]
            points = [sampled(ring / spread, scale, scaled, seed) * spread for seed in SEEDS]
            coverages = [sg.metrics.coverage(samples, "ring") for samples in points]
            cells.append(
                " ".join(f"{share:6.2f}".replace("   nan", "     -") for share in explained_shares)
            )
            cells.append(" ".join(f"{coverage.good:4.0%}" for coverage in coverages))
            cells.append(" ".join(f"{coverage.found}" for coverage in coverages))
            if scale in PICTURED:
                title = f"{scale[0]:g}, mean {scale[1]:g}" + (", scaled" if scaled else "")
                pictures[k].append((title, points[0]))
        print("   ".join(cells), flush=True)
    sg.plots.panels(pictures, "scales.png", "a GAN's samples at other scales, back at scale 1")


if __name__ == "__main__":
    main()
