"""Do a GAN's two players find their equilibrium? The smallest GAN, for which theory answers.

    python demos/dirac.py               prints a table, leaves dirac.png

In the Dirac-GAN (Mescheder et al. 2018) each player has one number. All data are 0, the generator
makes theta for every z, and the discriminator's score is D(x) = psi x. At (theta, psi) = (0, 0) no
player can gain. Near it, the players' gradient descent in continuous time is

    (theta, psi)' = (-dL_G/dtheta, -dL_D/dpsi) = A (theta, psi) + ...                    (1)

and the eigenvalues of A decide where it leads. Let s be the slope of the game at a score of 0,
which is 1/2 in the logistic games and 1 in Wasserstein's, and g the weight of R1, here g/2 psi^2:

    A = [[0, s], [-s, -g]]        with the eigenvalues  -g/2 +- sqrt(g^2 / 4 - s^2)      (2)

Without R1 these are +- s i, and the players circle. With R1 their real parts are negative, and the
players converge. A step of size h that moves both players at once multiplies by I + h A. Without R1
each such step increases the distance from (0, 0) by the factor

    |1 +- h s i| = sqrt(1 + h^2 s^2)                                                     (3)

In `fit` the discriminator moves first, and the generator then plays against the new discriminator.
That step is [[1 - h^2 s^2, h s], [-h s, 1]], of determinant 1. For h s < 2 its eigenvalues are

    1 - h^2 s^2 / 2 +- i sqrt(1 - (1 - h^2 s^2 / 2)^2)        of size 1                  (4)

so the players go round an ellipse, and do not converge either. All this is to first order. Beyond
it, the flow of the minimax game keeps its distance exactly, while that of the non-saturating game
creeps inwards: d/dt (theta^2 + psi^2) / 2 = -theta psi tanh(theta psi / 2).
"""

import cmath
from dataclasses import dataclass

import numpy as np

import scratchgen as sg

SLOPES = {"minimax": 1 / 2, "non_saturating": 1 / 2, "wasserstein": 1.0}
WEIGHTS = (0.1, 0.5, 1.0, 3.0)  # of R1
SIZES = (0.1, 0.5)  # of steps
STEPS, SIZE, WEIGHT = 120, 0.2, 0.3  # of the picture
X = np.zeros((1, 1))  # the data
TINY = 2.0**-10  # the step of differences


@dataclass(frozen=True, eq=False)
class Theta(sg.nn.Layer):
    """y = theta for every x."""

    def parameters(self):
        return {"theta": ((1,), lambda *_: np.zeros(1))}

    def forward(self, p, x, tape):
        return np.zeros_like(x) + p.theta

    def backward(self, p, dy, tape, g=None, need_dx=True):
        if g is not None:
            g.theta += dy.sum(axis=0)
        return np.zeros_like(dy) if need_dx else None


def dirac_gan(loss: str, weight: float = 0.0) -> sg.models.GAN:
    """The Dirac-GAN in that game, with R1 of that weight; 0 is without R1."""
    generator = sg.nn.Network((1,), Theta())
    discriminator = sg.nn.Network((1,), sg.nn.Dense(1, 1, bias=None))
    penalty = sg.losses.R1(weight) if weight else None
    return sg.models.GAN(generator, discriminator, loss, penalty=penalty, dtype="float64", rng=0)


def place(gan: sg.models.GAN, point) -> None:
    """Put the players at a point (theta, psi)."""
    gan.theta("generator")[:], gan.theta("discriminator")[:] = point


def position(gan: sg.models.GAN) -> np.ndarray:
    """Where the players are: (theta, psi)."""
    return np.concatenate([gan.theta(player) for player in ("generator", "discriminator")])


def gradients(gan: sg.models.GAN) -> dict[str, np.ndarray]:
    """Each player's gradient at the present point."""
    by_player = {}
    for player in gan.players:
        gradient = gan.gradient(player)
        gan.objective(player, X, rng=0, gradient=gradient)
        by_player[player] = gradient.vector
    return by_player


def field(gan: sg.models.GAN, point) -> np.ndarray:
    """The right side of (1) at a point."""
    place(gan, point)
    by_player = gradients(gan)
    return -np.concatenate([by_player["generator"], by_player["discriminator"]])


def simultaneous(gan: sg.models.GAN, point, size: float) -> np.ndarray:
    """Where a step of SGD leads in which both players move at once."""
    place(gan, point)
    by_player, sgd = gradients(gan), sg.optim.SGD(size)
    for player, gradient in by_player.items():
        theta = gan.theta(player)
        sgd.update(theta, gradient, sgd.memory(theta))
    return position(gan)


def alternating(gan: sg.models.GAN, point, size: float) -> np.ndarray:
    """Where a step of `fit` leads, in which the discriminator moves first."""
    place(gan, point)
    sg.fit(gan, X, epochs=1, seed=0, optimizer=sg.optim.SGD(size))
    return position(gan)


def eigenvalues(f) -> np.ndarray:
    """The eigenvalues, in order, of the derivative of f: (2,) -> (2,) at (0, 0), by differences."""
    columns = [(f(TINY * e) - f(-TINY * e)) / (2 * TINY) for e in np.eye(2)]
    return in_order(np.linalg.eigvals(np.stack(columns, axis=1)))


def in_order(pair) -> np.ndarray:
    """Two numbers, sorted by their imaginary and then by their real parts."""
    return np.array(sorted(pair, key=lambda value: (round(value.imag, 6), value.real)))


def theory_of_flow(s: float, g: float) -> np.ndarray:
    """The eigenvalues of A."""
    root = cmath.sqrt(g**2 / 4 - s**2)  # (2)
    return in_order([-g / 2 + root, -g / 2 - root])


def theory_of_alternating(s: float, h: float) -> np.ndarray:
    """The eigenvalues of a step in which the discriminator moves first."""
    real = 1 - (h * s) ** 2 / 2  # (4)
    root = 1j * (1 - real**2) ** 0.5  # (4)
    return in_order([real + root, real - root])


def table() -> list[tuple[str, str, np.ndarray, np.ndarray]]:
    """The rows of the table: game, quantity, our numbers and those of theory."""
    rows = []
    for loss, s in SLOPES.items():
        for g in (0.0, *WEIGHTS):
            gan = dirac_gan(loss, g)
            ours = eigenvalues(lambda point, gan=gan: field(gan, point))
            rows.append((loss, f"flow, R1 {g:g}", ours, theory_of_flow(s, g)))
        gan = dirac_gan(loss)
        for h in SIZES:
            ours = eigenvalues(lambda point, gan=gan, h=h: simultaneous(gan, point, h))
            growth = np.full(2, (1 + (h * s) ** 2) ** 0.5)  # (3)
            rows.append((loss, f"simultaneous, h {h:g}: size", abs(ours), growth))
            ours = eigenvalues(lambda point, gan=gan, h=h: alternating(gan, point, h))
            rows.append((loss, f"alternating, h {h:g}", ours, theory_of_alternating(s, h)))
    return rows


def walk(step, gan: sg.models.GAN) -> np.ndarray:
    """The points (theta, psi) of a walk from (1, 0) on: (STEPS + 1, 2)."""
    points = [np.array([1.0, 0.0])]
    for _ in range(STEPS):
        points.append(step(gan, points[-1], SIZE))
    return np.stack(points)


def text(pair: np.ndarray) -> str:
    """Two numbers, both real or conjugate to each other, to six places."""
    first, second = np.asarray(pair, complex)
    if abs(second.imag) > 1e-9:
        return f"{second.real:z.6f} +- {second.imag:.6f}i"
    return f"{first.real:z.6f}, {second.real:z.6f}"


def main() -> None:
    print(f"{'game':15}{'eigenvalues of':27}{'ours':24}from theory")
    for loss, name, ours, theory in table():
        print(f"{loss:15}{name:27}{text(ours):24}{abs(ours - theory).max():11.1e}")
    walks = {
        "simultaneous": walk(simultaneous, dirac_gan("minimax")),
        "alternating": walk(alternating, dirac_gan("minimax")),
        f"simultaneous, R1 {WEIGHT:g}": walk(simultaneous, dirac_gan("minimax", WEIGHT)),
    }
    sg.plots.trajectories(walks, "dirac.png", "a GAN with two parameters", ("theta", "psi"))


if __name__ == "__main__":
    main()
