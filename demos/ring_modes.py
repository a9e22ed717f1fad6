"""Does a GAN find all eight modes of the ring? On three seeds, with the README's settings.

    python demos/ring_modes.py          prints a line a seed, leaves ring.png

A sample is good when it lies within 3 standard deviations of a mode; a mode is found when it is the
nearest one to some good sample.
"""

import scratchgen as sg

SEEDS = (0, 1, 2)
N, EPOCHS, SAMPLES = 50_000, 20, 2_500


def main() -> None:
    x = sg.data.ring(N, rng=0)
    for seed in SEEDS:
        gan = sg.models.gan((2,), latent=2, hidden=(128, 128), loss="non_saturating", rng=seed)
        sg.fit(gan, x, epochs=EPOCHS, batch_size=256, seed=seed)
        covered = sg.metrics.coverage(gan.sample(SAMPLES, rng=0), sg.data.RING)
        modes = f"{covered.found} of {covered.modes} modes"
        print(f"seed {seed}: {modes}, {covered.good:.1%} good samples")
    sg.plots.density(x, gan.sample(N, rng=0), "ring.png", "the ring, and a GAN's samples")


if __name__ == "__main__":
    main()
