"""The README's picture: a VAE's digits, a GAN's digits, and a GAN's ring.

python demos/portrait.py            leaves portrait.png, in about two minutes
"""

import numpy as np
from matplotlib.figure import Figure

import scratchgen as sg

N, POINTS, EPOCHS = 10_000, 50_000, {"vae": 40, "gan": 60, "ring": 20}


def main() -> None:
    x, ring = sg.data.digits(N, rng=0), sg.data.ring(POINTS, rng=0)
    vae = sg.models.vae((28, 28, 1), latent=8, hidden=(256, 128), rng=0)
    sg.fit(vae, x, epochs=EPOCHS["vae"], seed=0, progress=True)
    gan = sg.models.gan((28, 28, 1), latent=32, hidden=(256, 512), rng=0)
    sg.fit(gan, x, epochs=EPOCHS["gan"], seed=0, progress=True)
    ring_gan = sg.models.gan((2,), latent=2, hidden=(128, 128), rng=1)  # as in the README
    sg.fit(ring_gan, ring, epochs=EPOCHS["ring"], batch_size=256, seed=1, progress=True)

    figure = Figure(figsize=(12, 4.3), layout="constrained")
    titles = ("a VAE's digits", "a GAN's digits", "a GAN's ring of eight modes")
    for number, title in enumerate(titles):
        axes = figure.add_subplot(1, 3, number + 1)
        axes.set_title(title)
        axes.set_axis_off()
        if number < 2:
            pictures = (vae, gan)[number].sample(64, rng=1)[..., 0]  # (64, 28, 28)
            rows = pictures.reshape(8, 8, 28, 28).swapaxes(1, 2)  # (8, 28, 8, 28)
            axes.imshow(rows.reshape(224, 224), cmap="gray", vmin=0, vmax=1)
        else:
            points = ring_gan.sample(POINTS, rng=1)
            window = [[-1.3, 1.3]] * 2
            counts, _, _ = np.histogram2d(points[:, 1], points[:, 0], 160, window)  # (160, 160)
            axes.imshow(np.log1p(counts), cmap="magma", origin="lower")
    figure.savefig("portrait.png", dpi=80)


if __name__ == "__main__":
    main()
