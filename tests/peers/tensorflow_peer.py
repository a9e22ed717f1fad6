"""The benchmark's models in TensorFlow: tf.function, with XLA and without, and its fused Adam."""

from itertools import pairwise
from typing import Any

import numpy as np
import tensorflow as tf

from scratchgen.bench.tasks import LEAST, PENALTY, SLOPE, Task
from scratchgen.distributions.gaussian import LOG_TWO_PI

VARIANTS = ("tf.function", "XLA")
ACTIVATIONS = {"relu": tf.nn.relu, "tanh": tf.tanh}
EPS = 1e-8


def use_threads(n: int) -> None:
    tf.config.threading.set_intra_op_parallelism_threads(n)
    tf.config.threading.set_inter_op_parallelism_threads(n)


def forward(variables: Any, x: Any, activation: Any) -> Any:
    for k in range(0, len(variables), 2):
        x = tf.nn.bias_add(tf.matmul(x, variables[k]), variables[k + 1])
        if k + 2 < len(variables):
            x = activation(x)
    return x


def leaky_relu(x: Any) -> Any:
    """Theirs rounds the slope to float32, which shows in a check in float64."""
    return tf.nn.leaky_relu(x, SLOPE) if x.dtype == tf.float32 else tf.where(x > 0, x, SLOPE * x)


class Peer:
    """One task, with first weights {network: [w, b, w, b ...]}."""

    def __init__(self, task: Task, weights: Any, dtype: str = "float32", how: str = "tf.function"):
        self.task, self.dtype = task, dtype
        self.inner = ACTIVATIONS[task.activation]
        self.p = {name: [tf.Variable(array) for array in own] for name, own in weights.items()}
        losses: dict[str, Any] = {
            "vae": {"all": self.vae},
            "gan": {"discriminator": self.discriminator, "generator": self.generator},
            "critic": {"discriminator": self.critic},
        }[task.game]
        self.players = []
        for player, loss in losses.items():
            own = self.p.values() if player == "all" else [self.p[player]]
            moved = [variable for variables in own for variable in variables]
            m, v = ([tf.Variable(tf.zeros_like(variable)) for variable in moved] for _ in range(2))
            self.players.append((loss, moved, m, v))
        self.powers = [tf.Variable(tf.ones((), dtype)) for _ in range(2)]  # b1^t, b2^t
        self.given = tf.function(self.update, jit_compile=how == "XLA")
        self.drawn = tf.function(self.gathered, jit_compile=how == "XLA")

    def judge(self, x: Any) -> Any:
        return forward(self.p["discriminator"], x, leaky_relu)[:, 0]

    def vae(self, x: Any, noise: Any) -> Any:
        mu, log_var = tf.split(forward(self.p["encoder"], x, self.inner), 2, axis=1)
        raw = forward(self.p["decoder"], mu + tf.exp(log_var / 2) * noise, self.inner)
        if self.task.likelihood == "gaussian":
            mean, s = tf.split(raw, 2, axis=1)
            lv = LEAST + tf.nn.softplus(s - LEAST)  # log(exp(s) + exp(LEAST))
            each = 0.5 * (LOG_TWO_PI + lv + (x - mean) ** 2 * tf.exp(-lv))
        else:
            each = tf.nn.sigmoid_cross_entropy_with_logits(labels=x, logits=raw)
        kl = 0.5 * tf.reduce_sum(mu**2 + tf.exp(log_var) - 1 - log_var)
        return (tf.reduce_sum(each) + kl) / tf.cast(tf.shape(x)[0], self.dtype)

    def discriminator(self, x: Any, z: Any) -> Any:
        made = forward(self.p["generator"], z, self.inner)
        of_real, of_made = self.judge(x), self.judge(made)
        return tf.reduce_mean(tf.nn.softplus(-of_real)) + tf.reduce_mean(tf.nn.softplus(of_made))

    def generator(self, x: Any, z: Any) -> Any:
        made = forward(self.p["generator"], z, self.inner)
        return tf.reduce_mean(tf.nn.softplus(-self.judge(made)))

    def critic(self, x: Any, z: Any, e: Any) -> Any:
        made = tf.sigmoid(forward(self.p["generator"], z, self.inner))
        between = e[:, None] * x + (1 - e[:, None]) * made
        slope = tf.gradients(self.judge(between), between)[0]
        penalty = PENALTY * tf.reduce_mean((tf.norm(slope, axis=1) - 1) ** 2)
        return tf.reduce_mean(self.judge(made)) - tf.reduce_mean(self.judge(x)) + penalty

    def draw(self, n: Any) -> Any:
        """The noise of one player's turn."""
        normal = tf.random.normal((n, self.task.latent), dtype=self.dtype)
        if self.task.game == "critic":
            return [normal, tf.random.uniform((n,), dtype=self.dtype)]
        return [normal]

    def update(self, x: Any, noise: Any) -> Any:
        """One step of every player: what each minimised."""
        rate, b1, b2 = (tf.constant(number, self.dtype) for number in self.task.rate)
        power1, power2 = (
            power.assign(power * b) for power, b in zip(self.powers, (b1, b2), strict=True)
        )
        # the op's eps stands beside the uncorrected sqrt(v): this makes it that of the paper
        eps = tf.constant(EPS, self.dtype) * tf.sqrt(1 - power2)
        values = []
        for (loss, moved, m, v), own_noise in zip(self.players, noise, strict=True):
            value = loss(x, *own_noise)
            gradients = tf.gradients(value, moved)
            ops = [
                tf.raw_ops.ResourceApplyAdam(
                    var=p.handle, m=a.handle, v=b.handle, beta1_power=power1, beta2_power=power2,
                    lr=rate, beta1=b1, beta2=b2, epsilon=eps, grad=g,
                )
                for p, a, b, g in zip(moved, m, v, gradients, strict=True)
            ]  # fmt: skip
            with tf.control_dependencies(ops):
                values.append(tf.identity(value))
        return values

    def gathered(self, x: Any, rows: Any) -> Any:
        """One step on those rows of x, with noise of its own."""
        batch = tf.gather(x, rows)
        return self.update(batch, [self.draw(rows.shape[0]) for _ in self.players])

    def step(self, batch: Any, noise: Any) -> list[float]:
        """One step with that noise, a list for each player: what each minimised, before it."""
        noise = [[tf.constant(array) for array in own] for own in noise]
        return [float(value) for value in self.given(tf.constant(batch), noise)]

    def weights(self) -> dict[str, list[np.ndarray]]:
        return {name: [variable.numpy() for variable in own] for name, own in self.p.items()}

    def load(self, x: Any) -> None:
        self.x = tf.constant(x)

    def epoch(self) -> float:
        """All examples once, shuffled: the mean of what the last player minimised."""
        n, size = len(self.x), self.task.batch
        order = tf.random.shuffle(tf.range(n))
        ends = [*range(0, n, size), n]
        found = [self.drawn(self.x, order[a:b])[-1] for a, b in pairwise(ends)]
        return float(tf.reduce_mean(found))
