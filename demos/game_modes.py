"""Which games find the modes of the ring and of the grid? Each game, on three seeds.

    python demos/game_modes.py          prints a table, leaves games.png

All games have the same networks, with three hidden layers of 128 each, the same number of steps,
and their models' default optimizers. A sample is good when it lies within 3 standard deviations
of a mode; a mode is found when it is the nearest one to some good sample. The Wasserstein game
needs a bound on the discriminator's slope, and is tried with a weight clip and with a gradient
penalty.
"""

import numpy as np

import scratchgen as sg

SEEDS = (0, 1, 2)
DATA = ("ring", "grid")
N, EPOCHS, SAMPLES = 50_000, 20, 2_500
GAMES = {
    "minimax": {"loss": "minimax"},
    "non-saturating": {"loss": "non_saturating"},
    "least squares": {"loss": "least_squares"},
    "hinge": {"loss": "hinge"},
    "Wasserstein, clipped": {"loss": "wasserstein", "weight_clip": 0.1},
    "Wasserstein, penalty": {"loss": "wasserstein", "penalty": sg.losses.GradientPenalty(1.0)},
    "non-saturating, R1": {"loss": "non_saturating", "penalty": sg.losses.R1(0.1)},
}


def trained(x: np.ndarray, game: dict, seed: int) -> sg.models.GAN:
    """A GAN with the settings of that game, trained on x (N, 2)."""
    gan = sg.models.gan((2,), latent=2, hidden=(128, 128, 128), rng=seed, **game)
    sg.fit(gan, x, epochs=EPOCHS, batch_size=256, seed=seed)
    return gan


def main() -> None:
    rows = []
    for name in DATA:
        x = sg.data.TOYS[name].draw(N, rng=0)[0]
        rows.append([("data", x[:SAMPLES])])
        modes = len(sg.data.MIXTURES[name].means)
        print(f"{name}: modes found of {modes}, and the share of good samples; seeds {SEEDS}")
        for game, settings in GAMES.items():
            samples = [trained(x, settings, seed).sample(SAMPLES, rng=0) for seed in SEEDS]
            coverages = [sg.metrics.coverage(points, name) for points in samples]
            modes_text = ", ".join(f"{coverage.found:2}" for coverage in coverages)
            good_text = ", ".join(f"{coverage.good:5.1%}" for coverage in coverages)
            mean = np.mean([coverage.good for coverage in coverages])
            print(f"  {game:22}{modes_text}    {good_text}    mean {mean:.1%}", flush=True)
            title = f"{game}\n{coverages[0].found} modes, {coverages[0].good:.0%}"
            rows[-1].append((title, samples[0]))
    sg.plots.panels(rows, "games.png", f"{SAMPLES:,} samples of each game, seed {SEEDS[0]}")


if __name__ == "__main__":
    main()
