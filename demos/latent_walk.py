"""What lies between two digits? A straight line in the latent space of a VAE, decoded.

    python demos/latent_walk.py         leaves walk.png

Each row goes from one digit's posterior mean to another's in equal steps.
"""

import scratchgen as sg

N, EPOCHS, ROWS, STEPS = 10_000, 40, 8, 12


def main() -> None:
    model = sg.models.vae((28, 28, 1), latent=8, hidden=(256, 128), rng=0)
    sg.fit(model, sg.data.digits(N, rng=0), epochs=EPOCHS, seed=0, progress=True)
    unseen = sg.data.digits(2 * ROWS, rng=1)
    sg.plots.latent_walk(
        model,
        unseen[:ROWS],
        unseen[ROWS:],
        steps=STEPS,
        path="walk.png",
        title="from one digit to another, through the latent space",
    )


if __name__ == "__main__":
    main()
