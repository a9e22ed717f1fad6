"""The benchmark's models in PyTorch: fused Adam, eager or compiled, denormals flushed."""

from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from scratchgen.bench.tasks import LEAST, PENALTY, SLOPE, Task
from scratchgen.distributions.gaussian import LOG_TWO_PI

VARIANTS = ("eager", "eager, 1 thread", "compile")
ACTIVATIONS = {"relu": torch.nn.ReLU, "tanh": torch.nn.Tanh}


def use_threads(n: int) -> None:
    torch.set_num_threads(n)
    torch.set_flush_denormal(True)


def network(widths: Any, arrays: Any, activation: Any) -> torch.nn.Sequential:
    """Linear layers with our weights, which stand the other way round there."""
    layers: list[torch.nn.Module] = []
    for (a, b), w, bias in zip(pairwise(widths), arrays[::2], arrays[1::2], strict=True):
        layer = torch.nn.Linear(a, b)
        layer.weight.data = torch.tensor(w.T.copy())
        layer.bias.data = torch.tensor(bias)
        layers += [layer, activation()]
    return torch.nn.Sequential(*layers[:-1])


class Peer:
    """One task, with first weights {network: [w, b, w, b ...]}."""

    def __init__(self, task: Task, weights: Any, dtype: str = "float32", how: str = "eager"):
        self.task, self.dtype = task, getattr(torch, dtype)
        self.compiles = how == "compile"
        self.threads = 1 if how == "eager, 1 thread" else torch.get_num_threads()
        inner = ACTIVATIONS[task.activation]
        self.networks = {}
        for name, widths in task.widths().items():
            kind = (lambda: torch.nn.LeakyReLU(SLOPE)) if name == "discriminator" else inner
            self.networks[name] = network(widths, weights[name], kind)
        losses: dict[str, Any] = {
            "vae": {"all": self.vae},
            "gan": {"discriminator": self.discriminator, "generator": self.generator},
            "critic": {"discriminator": self.critic},
        }[task.game]
        rate, b1, b2 = task.rate
        self.players = []
        for player, loss in losses.items():
            own = self.networks.values() if player == "all" else [self.networks[player]]
            moved = [p for module in own for p in module.parameters()]
            adam = torch.optim.Adam(moved, lr=rate, betas=(b1, b2), fused=True)
            compiled = torch.compile(loss, dynamic=False) if self.compiles else loss
            self.players.append((compiled, moved, adam))

    def vae(self, x: Any, noise: Any) -> Any:
        mu, log_var = self.networks["encoder"](x).chunk(2, dim=1)
        raw = self.networks["decoder"](mu + torch.exp(log_var / 2) * noise)
        if self.task.likelihood == "gaussian":
            mean, s = raw.chunk(2, dim=1)
            lv = LEAST + F.softplus(s - LEAST)  # log(exp(s) + exp(LEAST))
            unlikely = 0.5 * (LOG_TWO_PI + lv + (x - mean) ** 2 * torch.exp(-lv)).sum()
        else:
            unlikely = F.binary_cross_entropy_with_logits(raw, x, reduction="sum")
        return (unlikely + 0.5 * (mu**2 + log_var.exp() - 1 - log_var).sum()) / len(x)

    def discriminator(self, x: Any, z: Any) -> Any:
        judge = self.networks["discriminator"]
        made = self.networks["generator"](z).detach()
        return F.softplus(-judge(x)).mean() + F.softplus(judge(made)).mean()

    def generator(self, x: Any, z: Any) -> Any:
        return F.softplus(-self.networks["discriminator"](self.networks["generator"](z))).mean()

    def critic(self, x: Any, z: Any, e: Any) -> Any:
        judge = self.networks["discriminator"]
        with torch.no_grad():
            made = torch.sigmoid(self.networks["generator"](z))
            between = e[:, None] * x + (1 - e[:, None]) * made
        if self.compiles:  # no second order through autograd there
            slope = torch.func.grad(lambda at: judge(at).sum())(between)
        else:
            between.requires_grad_()
            (slope,) = torch.autograd.grad(judge(between).sum(), between, create_graph=True)
        penalty = PENALTY * ((slope.norm(dim=1) - 1) ** 2).mean()
        return judge(made).mean() - judge(x).mean() + penalty

    def draw(self, n: int) -> list[Any]:
        """The noise of one player's turn."""
        normal = torch.randn(n, self.task.latent, dtype=self.dtype)
        return [normal, torch.rand(n, dtype=self.dtype)] if self.task.game == "critic" else [normal]

    def move(self, player: Any, x: Any, noise: Any) -> Any:
        loss, moved, adam = player
        value = loss(x, *noise)
        value.backward(inputs=moved)
        adam.step()
        adam.zero_grad(set_to_none=True)
        return value.detach()

    def step(self, batch: Any, noise: Any) -> list[float]:
        """One step with that noise, a list for each player: what each minimised, before it."""
        x = torch.tensor(batch)
        return [
            self.move(player, x, [torch.tensor(array) for array in own]).item()
            for player, own in zip(self.players, noise, strict=True)
        ]

    def weights(self) -> dict[str, list[np.ndarray]]:
        return {
            name: [p.detach().numpy().T.copy() for p in network.parameters()]
            for name, network in self.networks.items()
        }

    def load(self, x: Any) -> None:
        self.x = torch.tensor(x)

    def epoch(self) -> float:
        """All examples once, shuffled: the mean of what the last player minimised."""
        torch.set_num_threads(self.threads)
        total = torch.zeros((), dtype=self.dtype)
        for rows in torch.randperm(len(self.x)).split(self.task.batch):
            x = self.x[rows]
            for player in self.players:
                value = self.move(player, x, self.draw(len(x)))
            total += value
        return float(total) / self.task.steps
