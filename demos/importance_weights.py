"""Do more draws teach more? The signal and the noise of an IWAE's gradients for K draws.

    python demos/importance_weights.py  prints three tables, leaves importance.png

The toy model of Rainforth et al. (2018) is linear and Gaussian: z ~ N(0, I), x ~ N(W z + c, I),
and q(z|x) = N(A x + b, 2/3 I), while the true posterior has the variance 1/2. The parameters are
near their optimum, W = I, c = 0, A = I/2, b = 0. For the gradient g of all parameters of a network,
the ratio of signal to noise is

    snr = |E[g]| / sqrt(E|g - E[g]|^2)                                                   (1)

The encoder has two estimators of the same gradient: the total derivative and the doubly
reparameterised one. The signal of both is taken from the second, which has less noise. To test that
their means are equal, R draws of each, with P numbers, means m and variances v, give

    chi^2 / P = 1/P sum_i (m_i - m'_i)^2 / ((v_i + v'_i) / R)                            (2)

which is then near 1, +- sqrt(2 / P).

As K grows, the decoder's gradient converges to that of log p(x), with a noise of order 1/sqrt(K).
The encoder's converges to 0, because log p(x) does not depend on q: its mean is of order 1/K, and
its noise of order 1/sqrt(K) for the total derivative, but 1/sqrt(K)^3 for the doubly
reparameterised one. So the ratios grow or fall as

    decoder  K^(1/2)     encoder, in total  K^(-1/2)     encoder, doubly  K^(1/2)        (3)
"""

import numpy as np

import scratchgen as sg
from scratchgen.distributions import FixedGaussian
from scratchgen.nn import Dense, JoinParameters, Network

SEEDS = (0, 1, 2)  # of the parameters, of x and of the noise
DRAWS = (1, 3, 10, 32, 100, 316, 1000)  # K
REPEATS, EXAMPLES, SIZE = 200, 16, 4  # R; N in the batch; numbers in x and in z
OFF = 0.1  # standard deviation of the parameters around their optimum
FIRST = 10  # slopes are fitted from this K on
RESAMPLES = 200  # for the error of a slope
COLOURS = {"decoder": "#2a9d5c", "encoder, in total": "#d1495b", "encoder, doubly": "#1b6ca8"}


def toy(draws: int, doubly: bool, rng: int = 0) -> sg.models.IWAE:
    """The model, its parameters near their optimum; `rng` draws them."""
    encoder = Network((SIZE,), Dense(SIZE, SIZE), JoinParameters(SIZE))
    decoder = Network((SIZE,), Dense(SIZE, SIZE))
    model = sg.models.IWAE(
        encoder,
        decoder,
        FixedGaussian(1.0),
        draws=draws,
        doubly_reparameterised=doubly,
        dtype="float64",
    )
    stream = np.random.default_rng(rng)
    at = model.views
    for w, best in ((at.encoder[0].w, np.eye(SIZE) / 2), (at.decoder[0].w, np.eye(SIZE))):
        w[:] = best + OFF * stream.standard_normal(w.shape)
    for b in (at.encoder[0].b, at.decoder[0].b):
        b[:] = OFF * stream.standard_normal(b.shape)
    at.encoder[1].b[:] = np.log(2 / 3)
    return model


def gradients(model: sg.models.IWAE, x: np.ndarray, repeats: int, rng) -> dict[str, np.ndarray]:
    """Draws of the gradient that a training step takes, by network: (R, P)."""
    g, draws = model.gradient("iwae"), {"encoder": [], "decoder": []}
    for _ in range(repeats):
        g.clear()
        model.objective("iwae", x, rng, g)
        for name, rows in draws.items():
            layers = getattr(g.views, name)
            arrays = [array.ravel() for layer in layers for array in vars(layer).values()]
            rows.append(np.concatenate(arrays))
    return {name: np.array(rows) for name, rows in draws.items()}


def measured(draws, repeats: int, rng: int = 0) -> list[dict[str, np.ndarray]]:
    """Draws (R, P) of the three gradients of (3), for each K."""
    x = np.sqrt(2) * np.random.default_rng(rng).standard_normal((EXAMPLES, SIZE))  # (N, D)
    by_k = []
    for k in draws:
        stream = np.random.default_rng([rng, k])
        total = gradients(toy(k, doubly=False, rng=rng), x, repeats, stream)
        doubly = gradients(toy(k, doubly=True, rng=rng), x, repeats, stream)
        three = total["decoder"], total["encoder"], doubly["encoder"]
        by_k.append(dict(zip(COLOURS, three, strict=True)))
    return by_k


def ratios(gradients_at_k: dict[str, np.ndarray]) -> np.ndarray:
    """The ratios (1) of the three gradients: (3,)."""
    decoder, total, doubly = gradients_at_k.values()
    pairs = (decoder, decoder), (doubly, total), (doubly, doubly)  # signal and noise of each
    return np.array(
        [np.linalg.norm(s.mean(axis=0)) / np.sqrt(n.var(axis=0).sum()) for s, n in pairs]  # (1)
    )


def chi_square(gradients_at_k: dict[str, np.ndarray]) -> float:
    """The test (2) of the encoder's two gradients."""
    _, total, doubly = gradients_at_k.values()
    variance = (total.var(axis=0) + doubly.var(axis=0)) / len(total)  # (P,)
    return float(np.mean((total.mean(axis=0) - doubly.mean(axis=0)) ** 2 / variance))  # (2)


def slopes(draws, by_k: list[dict[str, np.ndarray]], resamples: int = RESAMPLES) -> np.ndarray:
    """The slope of log snr over log K for each gradient, and its error by resampling: (3, 2)."""
    rng, repeats = np.random.default_rng(0), len(by_k[0]["decoder"])

    def fitted(rows: np.ndarray) -> np.ndarray:
        chosen = [{name: g[rows] for name, g in at_k.items()} for at_k in by_k]
        return np.polyfit(np.log(draws), np.log([ratios(at_k) for at_k in chosen]), 1)[0]  # (3,)

    resampled = [fitted(rng.integers(repeats, size=repeats)) for _ in range(resamples)]
    return np.stack([fitted(np.arange(repeats)), np.std(resampled, axis=0)], axis=1)


def main() -> None:
    fitted = [i for i, k in enumerate(DRAWS) if k >= FIRST]
    for seed in SEEDS:
        by_k = measured(DRAWS, REPEATS, seed)
        snr = np.array([ratios(at_k) for at_k in by_k])  # (len(DRAWS), 3)
        fits = slopes([DRAWS[i] for i in fitted], [by_k[i] for i in fitted])  # (3, 2)
        title = f"seed {seed}, snr at K ="
        print(f"{title:20}{''.join(f'{k:8}' for k in DRAWS)}   slope from K = {FIRST}")
        for name, row, (slope, error) in zip(COLOURS, snr.T, fits, strict=True):
            ratios_text = "".join(f"{ratio:8.3f}" for ratio in row)
            print(f"{name:20}{ratios_text}   {slope:+.3f} +- {error:.3f}")
        tests = "".join(f"{chi_square(at_k):8.2f}" for at_k in by_k)
        print(f"{'(2), of equal means':20}{tests}")
        if seed == SEEDS[0]:
            draw(snr, fits)


def draw(snr: np.ndarray, fits: np.ndarray) -> None:
    """Draw the three ratios over K, each with its slope."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.6), layout="constrained")
    axes = figure.add_subplot()
    for (name, colour), row, (slope, _) in zip(COLOURS.items(), snr.T, fits, strict=True):
        axes.loglog(DRAWS, row, "o-", color=colour, label=f"{name}: slope {slope:+.2f}")
    axes.set(xlabel="draws K", ylabel="signal / noise of a gradient")
    axes.set_title("do more draws teach more?")
    axes.grid(alpha=0.2)
    axes.legend()
    figure.savefig("importance.png", dpi=150)


if __name__ == "__main__":
    main()
