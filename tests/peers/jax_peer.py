"""The benchmark's models in JAX: jit with donated buffers, step by step or a whole epoch at once.

Batches are gathered and noise is drawn within what is compiled; of its generators the default,
threefry, draws fastest on a CPU.
"""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from scratchgen.bench.tasks import LEAST, PENALTY, SLOPE, Task
from scratchgen.distributions.gaussian import LOG_TWO_PI

VARIANTS = ("step", "scan")
ACTIVATIONS = {"relu": jax.nn.relu, "tanh": jnp.tanh}
EPS = 1e-8


def use_threads(n: int) -> None:
    """XLA takes as many threads as the process has CPUs."""


def forward(arrays: Any, x: Any, activation: Any) -> Any:
    for k in range(0, len(arrays), 2):
        x = x @ arrays[k] + arrays[k + 1]
        if k + 2 < len(arrays):
            x = activation(x)
    return x


def judge(arrays: Any, x: Any) -> Any:
    return forward(arrays, x, partial(jax.nn.leaky_relu, negative_slope=SLOPE))[:, 0]


class Peer:
    """One task, with first weights {network: [w, b, w, b ...]}."""

    def __init__(self, task: Task, weights: Any, dtype: str = "float32", how: str = "step"):
        jax.config.update("jax_enable_x64", dtype == "float64")
        self.task, self.how, self.dtype = task, how, dtype
        self.inner = ACTIVATIONS[task.activation]
        self.players: dict[str, tuple[Any, Any]] = {
            "vae": {"vae": (self.vae, ("encoder", "decoder"))},
            "gan": {
                "discriminator": (self.discriminator, ("discriminator",)),
                "generator": (self.generator, ("generator",)),
            },
            "critic": {"discriminator": (self.critic, ("discriminator",))},
        }[task.game]
        # copies: what is donated must be nobody else's
        p = {name: [jnp.array(array, copy=True) for array in own] for name, own in weights.items()}
        m, v = (jax.tree.map(jnp.zeros_like, p) for _ in range(2))
        self.state = (p, m, v, jnp.zeros((), dtype))
        self.key = jax.random.key(0)
        self.given = jax.jit(self.update, donate_argnums=0)
        self.drawn = jax.jit(self.gathered, donate_argnums=0)
        self.scanned = jax.jit(
            lambda state, x, order, key: jax.lax.scan(
                lambda s, now: self.gathered(s, x, *now), state, (order, key)
            ),
            donate_argnums=0,
        )

    def vae(self, p: Any, x: Any, noise: Any) -> Any:
        mu, log_var = jnp.split(forward(p["encoder"], x, self.inner), 2, axis=1)
        raw = forward(p["decoder"], mu + jnp.exp(log_var / 2) * noise, self.inner)
        if self.task.likelihood == "gaussian":
            mean, s = jnp.split(raw, 2, axis=1)
            lv = LEAST + jax.nn.softplus(s - LEAST)  # log(exp(s) + exp(LEAST))
            unlikely = 0.5 * (LOG_TWO_PI + lv + (x - mean) ** 2 * jnp.exp(-lv)).sum()
        else:
            unlikely = (jax.nn.softplus(raw) - x * raw).sum()
        return (unlikely + 0.5 * (mu**2 + jnp.exp(log_var) - 1 - log_var).sum()) / len(x)

    def discriminator(self, p: Any, x: Any, z: Any) -> Any:
        made = forward(p["generator"], z, self.inner)
        of_real, of_made = judge(p["discriminator"], x), judge(p["discriminator"], made)
        return jax.nn.softplus(-of_real).mean() + jax.nn.softplus(of_made).mean()

    def generator(self, p: Any, x: Any, z: Any) -> Any:
        made = forward(p["generator"], z, self.inner)
        return jax.nn.softplus(-judge(p["discriminator"], made)).mean()

    def critic(self, p: Any, x: Any, z: Any, e: Any) -> Any:
        own = p["discriminator"]
        made = jax.nn.sigmoid(forward(p["generator"], z, self.inner))
        between = e[:, None] * x + (1 - e[:, None]) * made
        slope = jax.grad(lambda at: judge(own, at).sum())(between)
        penalty = PENALTY * ((jnp.linalg.norm(slope, axis=1) - 1) ** 2).mean()
        return judge(own, made).mean() - judge(own, x).mean() + penalty

    def draw(self, key: Any, n: int) -> Any:
        """The noise of one player's turn."""
        keys = jax.random.split(key)
        normal = jax.random.normal(keys[0], (n, self.task.latent), self.dtype)
        if self.task.game == "critic":
            return [normal, jax.random.uniform(keys[1], (n,), self.dtype)]
        return [normal]

    def update(self, state: Any, x: Any, noise: Any) -> Any:
        """One step of every player: the new state, and what each minimised."""
        p, m, v, t = state
        t = t + 1
        rate, b1, b2 = self.task.rate
        values = []
        for (loss, moved), own_noise in zip(self.players.values(), noise, strict=True):
            own = {name: p[name] for name in moved}
            value, g = jax.value_and_grad(lambda own, p=p: loss({**p, **own}, x, *own_noise))(own)
            values.append(value)
            m |= jax.tree.map(lambda a, b: b1 * a + (1 - b1) * b, {k: m[k] for k in moved}, g)
            v |= jax.tree.map(lambda a, b: b2 * a + (1 - b2) * b * b, {k: v[k] for k in moved}, g)
            p = p | jax.tree.map(
                lambda a, b, c: a - rate * b / (1 - b1**t) / (jnp.sqrt(c / (1 - b2**t)) + EPS),
                own,
                {k: m[k] for k in moved},
                {k: v[k] for k in moved},
            )
        return (p, m, v, t), jnp.stack(values)

    def gathered(self, state: Any, x: Any, rows: Any, key: Any) -> Any:
        """One step on those rows of x, with noise of its own."""
        keys = jax.random.split(key, len(self.players))
        return self.update(state, x[rows], [self.draw(key, len(rows)) for key in keys])

    def step(self, batch: Any, noise: Any) -> list[float]:
        """One step with that noise, a list for each player: what each minimised, before it."""
        self.state, values = self.given(self.state, jnp.asarray(batch), noise)
        return values.tolist()

    def weights(self) -> dict[str, list[np.ndarray]]:
        return {name: [np.array(array) for array in own] for name, own in self.state[0].items()}

    def load(self, x: Any) -> None:
        self.x = jnp.asarray(x)
        self.order = np.random.default_rng(0)

    def epoch(self) -> float:
        """All examples once, shuffled: the mean of what the last player minimised."""
        n, size = len(self.x), self.task.batch
        order = self.order.permutation(n).astype(np.int32)
        self.key, *keys = jax.random.split(self.key, self.task.steps + 1)
        full = n // size if self.how == "scan" else 0
        found = []
        if full:
            rows = jnp.asarray(order[: full * size].reshape(full, size))
            self.state, values = self.scanned(self.state, self.x, rows, jnp.stack(keys[:full]))
            found.append(values[:, -1])
        for k in range(full, self.task.steps):
            rows = order[k * size : (k + 1) * size]
            self.state, values = self.drawn(self.state, self.x, rows, keys[k])
            found.append(values[-1:])
        return float(jnp.concatenate(found).mean().block_until_ready())
