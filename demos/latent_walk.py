"""What lies between two digits? A straight line in the latent space of a VAE, decoded.

    python demos/latent_walk.py         leaves walk.png

Each row goes from one digit's posterior mean to another's in equal steps.
"""

import numpy as np

import scratchgen as sg

N, EPOCHS, ROWS, STEPS = 10_000, 40, 8, 12


def main() -> None:
    model = sg.models.vae((28, 28, 1), latent=8, hidden=(256, 128), rng=0)
    sg.fit(model, sg.data.digits(N, rng=0), epochs=EPOCHS, seed=0, progress=True)
    start, end = np.split(model.encode(sg.data.digits(2 * ROWS, rng=1)), 2)  # (ROWS, Z) each
    t = np.linspace(0, 1, STEPS)[:, None]  # (STEPS, 1)
    walks = [(1 - t) * a + t * b for a, b in zip(start, end, strict=True)]  # (STEPS, Z) each
    pictures = model.decode(np.concatenate(walks))  # (ROWS * STEPS, 28, 28, 1)
    sg.plots.sheet(pictures, "walk.png", STEPS, "from one digit to another, through z")


if __name__ == "__main__":
    main()
