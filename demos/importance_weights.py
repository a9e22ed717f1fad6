"""Do more draws teach more? The signal and the noise of an IWAE's gradients, by the draws K.

    python demos/importance_weights.py  prints three tables, leaves importance.png

The toy is that of Rainforth et al. (2018), where all is Gaussian and linear: z ~ N(0, I) and
x ~ N(W z + c, I), with q(z|x) = N(A x + b, 2/3 I), while the posterior has the variance 1/2. The
parameters are near their best values, W = I, c = 0, A = I/2, b = 0. Of a gradient g, all numbers of
a network together, the ratio of signal to noise is

    snr = |E[g]| / sqrt(E|g - E[g]|^2)                                                   (1)

The two gradients of the encoder have one mean, which is measured by the one with less noise. Are
they? With R draws of each, of P numbers, of means m and variances v,

    chi^2 / P = 1/P sum_i (m_i - m'_i)^2 / ((v_i + v'_i) / R)                            (2)

is near 1 if so, +- sqrt(2 / P).

As K grows, the decoder's gradient goes to that of log p(x), and its noise to 0 as 1/sqrt(K). The
encoder's goes to 0, because log p(x) knows no q: its mean as 1/K, and its noise as 1/sqrt(K) in
total, but as 1/sqrt(K)^3 where it is doubly reparameterised. So the ratios go like

    decoder  K^(1/2)     encoder, in total  K^(-1/2)     encoder, doubly  K^(1/2)        (3)
"""

import numpy as np

import scratchgen as sg
from scratchgen.distributions import FixedGaussian
from scratchgen.nn import Dense, JoinParameters, Network

SEEDS = (0, 1, 2)  # of the parameters, of x and of the noise
DRAWS = (1, 3, 10, 32, 100, 316, 1000)  # K
REPEATS, EXAMPLES, SIZE = 200, 16, 4  # R; N in the batch; numbers in x and in z
OFF = 0.1  # deviation of the parameters from their best values
FIRST = 10  # the least K from which on a slope is fitted
RESAMPLES = 200  # for its error
COLOURS = {"decoder": "#2a9d5c", "encoder, in total": "#d1495b", "encoder, doubly": "#1b6ca8"}


def toy(draws: int, doubly: bool, rng: int = 0) -> sg.models.IWAE:
    """The model, its parameters near their best values; the same for one rng."""
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
    for x, best in ((at.encoder[0].w, np.eye(SIZE) / 2), (at.decoder[0].w, np.eye(SIZE))):
        x[:] = best + OFF * stream.standard_normal(x.shape)
    for x in (at.encoder[0].b, at.decoder[0].b):
        x[:] = OFF * stream.standard_normal(x.shape)
    at.encoder[1].b[:] = np.log(2 / 3)
    return model


def gradients(model: sg.models.IWAE, x: np.ndarray, repeats: int, rng) -> dict[str, np.ndarray]:
    """Draws of the gradient that training is handed, by network: (R, P)."""
    g, found = model.gradient("iwae"), {"encoder": [], "decoder": []}
    for _ in range(repeats):
        g.clear()
        model.objective("iwae", x, rng, g)
        for name, rows in found.items():
            layers = getattr(g.views, name)
            arrays = [array.ravel() for layer in layers for array in vars(layer).values()]
            rows.append(np.concatenate(arrays))
    return {name: np.array(rows) for name, rows in found.items()}


def measured(draws, repeats: int, rng: int = 0) -> list[dict[str, np.ndarray]]:
    """At each K, draws (R, P) of the three gradients of (3)."""
    x = np.sqrt(2) * np.random.default_rng(rng).standard_normal((EXAMPLES, SIZE))  # (N, D)
    found = []
    for k in draws:
        stream = np.random.default_rng([rng, k])
        total = gradients(toy(k, doubly=False, rng=rng), x, repeats, stream)
        doubly = gradients(toy(k, doubly=True, rng=rng), x, repeats, stream)
        three = total["decoder"], total["encoder"], doubly["encoder"]
        found.append(dict(zip(COLOURS, three, strict=True)))
    return found


def ratios(found: dict[str, np.ndarray]) -> np.ndarray:
    """(1) of the three gradients: (3,)."""
    decoder, total, doubly = found.values()
    pairs = (decoder, decoder), (doubly, total), (doubly, doubly)  # signal and noise of each
    return np.array(
        [np.linalg.norm(s.mean(axis=0)) / np.sqrt(n.var(axis=0).sum()) for s, n in pairs]
    )


def chi_square(found: dict[str, np.ndarray]) -> float:
    """(2)."""
    _, total, doubly = found.values()
    variance = (total.var(axis=0) + doubly.var(axis=0)) / len(total)  # (P,)
    return float(np.mean((total.mean(axis=0) - doubly.mean(axis=0)) ** 2 / variance))  # (2)


def slopes(draws, found: list[dict[str, np.ndarray]], resamples: int = RESAMPLES) -> np.ndarray:
    """Of log snr against log K, for each gradient, and its error, by resampling: (3, 2)."""
    rng, repeats = np.random.default_rng(0), len(found[0]["decoder"])

    def fitted(rows: np.ndarray) -> np.ndarray:
        chosen = [{name: g[rows] for name, g in at_k.items()} for at_k in found]
        return np.polyfit(np.log(draws), np.log([ratios(at_k) for at_k in chosen]), 1)[0]  # (3,)

    again = [fitted(rng.integers(repeats, size=repeats)) for _ in range(resamples)]
    return np.stack([fitted(np.arange(repeats)), np.std(again, axis=0)], axis=1)


def main() -> None:
    late = [i for i, k in enumerate(DRAWS) if k >= FIRST]
    for seed in SEEDS:
        found = measured(DRAWS, REPEATS, seed)
        snr = np.array([ratios(at_k) for at_k in found])  # (K, 3)
        fits = slopes([DRAWS[i] for i in late], [found[i] for i in late])  # (3, 2)
        title = f"seed {seed}, snr at K ="
        print(f"{title:20}{''.join(f'{k:8}' for k in DRAWS)}   slope from K = {FIRST}")
        for name, row, (slope, error) in zip(COLOURS, snr.T, fits, strict=True):
            print(f"{name:20}{''.join(f'{one:8.3f}' for one in row)}   {slope:+.3f} +- {error:.3f}")
        print(f"{'(2), of one mean':20}{''.join(f'{chi_square(at_k):8.2f}' for at_k in found)}")
        if seed == SEEDS[0]:
            draw(snr, fits)


def draw(snr: np.ndarray, fits: np.ndarray) -> None:
    """The three ratios over K, each with its slope."""
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
