"""Passes of a model whose players share a network: who learns, from which labels, on which tape."""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import pytest

import scratchgen as sg
from scratchgen.ground import errors
from scratchgen.kernels import add, full, integers, mean, scale
from scratchgen.kernels.formulas import compiles
from scratchgen.kernels.plans import Plan
from scratchgen.models import Model, Turn, family
from scratchgen.nn import (
    BatchNorm,
    Dense,
    JoinLabels,
    Network,
    Tanh,
    Tape,
    Tied,
)
from scratchgen.optim import Adam, Momentum
from scratchgen.train import Run, Trainer

NOISE = 7
N_LABELS = 3


@family
class Shared(Model):
    """Both players move the body; each has a network of its own, and nobody moves the last.

    maker     E[tanh head(h)],  h = body(x)
    judge     E[D(h, c)] - 2 E[D(h, c')],  c and c' drawn
    """

    __module__ = "scratchgen.models.of_ours"  # so that its steps are replayed
    kind: ClassVar[str] = "Shared"
    players: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "maker": ("body", "head"),
        "judge": ("body", "critic"),
    }
    reported: ClassVar[tuple[str, ...]] = ("maker", "judge")

    body: Network
    head: Network
    critic: Network
    still: Network

    def fit_together(self) -> None:
        self.shape, self.latent = self.body.in_shape, self.head.in_shape[0]

    @property
    def n_labels(self) -> int:
        """It draws its labels itself."""
        return 0

    def optimizers(self, steps: int, learning_rate: float | None = None) -> dict[str, Any]:
        return {"maker": Adam(0.01), "judge": Adam(0.02)}

    def minimise(self, turn: Turn) -> dict[str, Any]:
        h = turn.forward("still", turn.forward("body", turn.batch, settle=turn.player == "maker"))
        return self._maker(turn, h) if turn.player == "maker" else self._judge(turn, h)

    def _maker(self, turn: Turn, h: Any) -> dict[str, Any]:
        y = turn.forward("head", h)  # (N, 1)
        if turn.wants_gradient:
            for part in (1 / 4, 3 / 4):  # the gradients of two backward passes add up to the whole
                dy = full(y.shape, part / turn.size, y.dtype)
                turn.backward("body", turn.backward("still", turn.backward("head", dy)))
        return {"maker": mean(y[:, 0])}

    def _judge(self, turn: Turn, h: Any) -> dict[str, Any]:
        score, dh = {}, {}
        for on, weight in (("real", 1.0), ("fake", -2.0)):
            drawn = integers(turn.rng, N_LABELS, (turn.size,))  # (N,)
            score[on] = turn.forward("critic", h, on=on, labels=drawn)[:, 0]  # (N,)
            if turn.wants_gradient:
                dy = full((turn.size, 1), weight / turn.size, h.dtype)
                dh[on] = turn.backward("critic", dy, on=on)
        if turn.wants_gradient:
            turn.backward("body", turn.backward("still", add(dh["real"], dh["fake"])))
        return {"judge": mean(add(score["real"], scale(score["fake"], -2.0)))}


def shared(dtype="float64", **changed) -> Shared:
    networks = {
        "body": Network((3,), Dense(3, 4), BatchNorm(4), Tanh()),
        "head": Network((4,), Dense(4, 1), Tanh()),
        "critic": Network((4,), JoinLabels(N_LABELS, 2), Dense(6, 5), Tanh(), Dense(5, 1), Tanh()),
        "still": Network((4,), Dense(4, 4)),
    }
    model = Shared(**(networks | changed), dtype=dtype, rng=0)
    rng = np.random.default_rng(1)
    for entry, array in model.block.arrays():
        if entry.trained:
            array[...] = rng.standard_normal(array.shape) / 2
    return model


def data(n=5, dtype="float64"):
    return np.random.default_rng(2).standard_normal((n, 3)).astype(dtype)


def entries(model, *networks):
    return [entry for entry in model.block.layout.entries_of(networks) if entry.trained]


def with_pass(play, x=None, labels=None, player="maker", model=None):
    """The model, the player's gradient and the tape, after an objective that is `play(turn)`."""
    model = model or shared()
    model.minimise = lambda turn: {"maker": 0.0, "seen": play(turn) or 0.0}
    gradient, tape = model.gradient(player), Tape()
    x = data() if x is None else x
    model.objective(player, x, NOISE, gradient, tape, labels=labels)
    return model, gradient, tape


# Who learns.


def test_a_network_of_two_players_lies_between_their_other_networks():
    model = shared()
    assert [*model.block.layout.networks] == ["head", "body", "critic", "still"]
    maker, judge = model.theta("maker"), model.theta("judge")
    for theta in (maker, judge):
        assert np.shares_memory(theta, model.block.theta(("body",)))
    assert not np.shares_memory(maker, model.block.theta(("critic",)))
    assert not np.shares_memory(judge, model.block.theta(("head",)))


@pytest.mark.parametrize("player", Shared.players)
def test_the_gradient_is_that_of_the_number_although_the_network_is_shared(player):
    model, x, h = shared(), data(), 1e-6
    gradient, theta = model.gradient(player), model.theta(player)
    model.objective(player, x, NOISE, gradient)
    for i in range(len(theta)):
        kept, values = theta[i], []
        for step in (h, -h):
            theta[i] = kept + step
            values.append(model.objective(player, x, NOISE))
        theta[i] = kept
        slope = (values[0] - values[1]) / (2 * h)
        assert gradient.vector[i] == pytest.approx(slope, rel=1e-5, abs=1e-8), i


@pytest.mark.parametrize("player", Shared.players)
def test_a_step_moves_the_networks_of_its_player_and_no_others(player):
    model = shared()
    model.turns = lambda step: (player,)
    before = model.vector.copy()
    Trainer(model, model.optimizers(1)).step(data(), NOISE)
    for name in model.networks:
        for entry in entries(model, name):
            moved = (entry.view(model.vector) != entry.view(before)).any()
            feeds_a_norm = entry.name == "body.0.b"  # whose gradient is rounding
            assert moved == (name in model.players[player]) or feeds_a_norm, entry.name


def test_a_network_that_no_player_moves_stays_as_it_is():
    model = shared("float32")
    still = model.block.theta(("still",))
    kept = still.copy()
    others = np.delete(model.vector, np.r_[model.block.layout.slices["still"]])
    sg.fit(model, data(40, "float32"), epochs=4, batch_size=10, seed=0, average=0.9)
    assert still.tobytes() == kept.tobytes()
    assert (np.delete(model.vector, np.r_[model.block.layout.slices["still"]]) != others).any()


def test_a_backward_pass_adds_only_to_networks_that_the_player_moves():
    def play(turn):
        for name in ("body", "still", "critic"):
            x = np.ones((5, 3 if name == "body" else 4))
            y = turn.forward(name, x, labels=np.zeros(5, int))
            assert turn.backward(name, np.linspace(0, 1, y.size).reshape(y.shape)).shape == x.shape

    for player, learns in (("maker", {"body"}), ("judge", {"body", "critic"})):
        model, gradient, _ = with_pass(play, player=player)
        start = model.block.layout.span(model.players[player]).start
        found = {
            entry.name.split(".")[0]
            for entry in entries(model, *model.players[player])
            if entry.view(gradient.vector, start).any()
        }
        assert found == learns


def test_one_tape_serves_several_backward_passes_whose_gradients_add():
    ways = {}

    def back(*dys):
        def play(turn):
            y = turn.forward("head", np.linspace(-1, 1, 20).reshape(5, 4))
            ways[dys] = [turn.backward("head", dy * np.ones_like(y)) for dy in dys]

        return with_pass(play)[1].vector

    once = back(1.0)
    np.testing.assert_allclose(back(1.0, 2.0, -0.5), 2.5 * once, rtol=1e-12)
    first, second, _ = ways[1.0, 2.0, -0.5]
    np.testing.assert_allclose(second, 2 * first, rtol=1e-12)


def test_two_passes_through_one_network_have_two_tapes():
    spread = np.linspace(-1, 1, 15).reshape(5, 3) ** 3
    x, dx = {"one": 1.0 + spread, "two": 2.0 + 3 * spread}, {}
    dy = np.linspace(0, 1, 20).reshape(5, 4) ** 2

    def play(turn):
        for on in x:
            turn.forward("body", x[on], on=on)
        for on in x:
            dx[on] = turn.backward("body", dy, on=on).copy()

    _, _, tape = with_pass(play)
    assert tape.passes == tape.back == {"one": "body", "two": "body"}
    for on in x:
        assert tape.inner(on).inner(0).x is x[on]
        alone = {}

        def play_one(turn, on=on, alone=alone):
            turn.forward("body", x[on])
            alone["dx"] = turn.backward("body", dy).copy()

        with_pass(play_one)
        assert np.array_equal(dx[on], alone["dx"])
    assert not np.array_equal(dx["one"], dx["two"])


# What a pass learns about the state.


def settled(play, player="maker"):
    """How the state of the body, its mean (4,) and variance (4,), has moved in that step."""
    model = shared()
    before = model.block.state_of("body").copy()
    _, _, tape = with_pass(play, model=model, player=player)
    assert np.array_equal(model.block.state_of("body"), before)  # the objective moves nothing
    model.settle(player, tape)
    return model.block.state_of("body") - before


def test_only_a_pass_with_settle_writes_the_state():
    assert not settled(lambda turn: turn.forward("body", turn.batch) is None).any()
    assert settled(lambda turn: turn.forward("body", turn.batch, settle=True) is None).all()


def test_a_pass_that_is_repeated_without_settle_writes_no_state():
    def play(turn):
        turn.forward("body", turn.batch, on="first", settle=True)
        turn.forward("body", turn.batch + 1, on="first")

    assert not settled(play).any()


def test_passes_of_different_names_settle_separately():
    def play(turn):
        for on in ("one", "two"):
            turn.forward("body", turn.batch, on=on, settle=True)
        turn.forward("body", turn.batch + 9, on="three")

    once = settled(lambda turn: turn.forward("body", turn.batch, settle=True) is None)
    keep = BatchNorm(4).keep
    np.testing.assert_allclose(settled(play), once * (1 + keep), rtol=1e-12)


# Labels.


def joined(turn, labels=None, on=""):
    """The rows of the table that the critic's labels choose, (5, 2), in a pass of these labels."""
    keywords = {} if labels is None else {"labels": labels}
    d = turn.network("critic", on=on, **keywords)
    first = d.network.layers[0]
    return first.forward(d.p[0], np.zeros((5, 4)), d.tape.inner(0))[:, 4:]


def test_labels_of_a_pass_reach_that_pass_alone():
    batch, drawn = np.array([0, 1, 2, 0, 1]), np.array([2, 2, 1, 1, 0])

    def play(turn):
        table = turn.network("critic", on="shape").p[0].table
        assert np.array_equal(joined(turn), table[batch])
        assert np.array_equal(joined(turn, drawn), table[drawn])
        assert np.array_equal(joined(turn), table[batch])  # the next pass of that name
        assert np.array_equal(joined(turn, drawn, on="fake"), table[drawn])
        assert np.array_equal(joined(turn, on="real"), table[batch])
        assert np.array_equal(turn.labels, batch)

    with_pass(play, labels=batch)


def test_labels_of_a_pass_are_not_those_of_the_next_step():
    model, tape = shared(), Tape()
    batch = np.array([0, 1, 2, 0, 1])
    keywords = [batch[::-1].copy(), None]

    def minimise(turn):
        table = turn.network("critic", on="shape").p[0].table
        expected = keywords[0] if keywords[0] is not None else batch
        assert np.array_equal(joined(turn, keywords.pop(0)), table[expected])
        return {"maker": 0.0}

    model.minimise = minimise
    for _ in range(2):
        model.objective("maker", data(), NOISE, tape=tape, labels=batch)
    assert not keywords


def test_a_pass_without_labels_is_refused_if_its_layers_join_labels():
    with pytest.raises(errors.TapeError, match="labels"):
        with_pass(lambda turn: joined(turn, on="fake"))


# Replayed steps.


@pytest.mark.parametrize("average", [None, 0.9])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_replayed_steps_equal_run_steps_to_the_bit(dtype, average, monkeypatch):
    if not compiles():
        pytest.skip("there are no loops")
    ran, run = [], Plan.run
    monkeypatch.setattr(Plan, "run", lambda plan: ran.append(plan) or run(plan))
    left = []
    for replay in (False, True):
        model, ran[:] = shared(dtype), []
        history = sg.fit(
            model,
            data(23, dtype),
            epochs=6,
            batch_size=8,
            seed=0,
            replay=replay,
            average=average,
            optimizer={"maker": Adam(0.01), "judge": Momentum(0.02)},
        )
        left.append([model.vector.tobytes(), model.state.tobytes(), dict(history)])
        assert bool(ran) == replay
    assert len(ran) >= 12  # of 18 steps, with batches of two sizes
    assert left[0] == left[1]


# The zeros between networks.


OPTIMIZERS = sg.optim.OPTIMIZERS.examples()


def gaps(model) -> np.ndarray:
    """Whether each number of the vector lies between networks, and is no parameter: (P,)."""
    is_gap = np.ones(model.vector.size, bool)
    for entry in model.block.layout.entries:
        if entry.trained:
            entry.view(is_gap)[...] = False
    return is_gap


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("replay", [False, True])
def test_zeros_between_networks_stay_0_in_training_and_in_its_memories(name, replay):
    optimizer = OPTIMIZERS[name]
    wgan = sg.models.wgan((3,), latent=2, hidden=(4,), weight_clip=0.05, rng=0)
    vae = sg.models.vae((3,), latent=2, hidden=(4,), rng=0)
    for model in (shared("float32"), vae, wgan):
        is_gap, before = gaps(model), model.vector.copy()
        assert is_gap.any()
        x = data(20, "float32")
        run = Run(model, x, epochs=5, batch_size=10, seed=0, optimizer=optimizer, average=0.9,
                  replay=replay)  # fmt: skip
        while not run.is_done():
            run.step()
            assert model.vector[is_gap].tobytes() == bytes(4 * is_gap.sum())
        run.finish()
        assert model.vector[is_gap].tobytes() == bytes(4 * is_gap.sum())
        assert (model.vector[~is_gap] != before[~is_gap]).any()
        for array in run.arrays().values():
            if array.shape == is_gap.shape:
                assert not array[is_gap].any()


# Layers that networks share.


def sharing(name, other, layer, use=None):
    """A Shared model in which `name` and `other` have a layer of 4 to 4 in common."""
    first, last = Network((4,), layer, Dense(4, 1)), Network((4,), use or layer, Dense(4, 1))
    if other == "still":
        last = Network((4,), use or layer)
    if name == "body":
        first = Network((3,), Dense(3, 4), layer)
    return shared(**{name: first, other: last})


@pytest.mark.parametrize(
    ("name", "other"),
    [("body", "head"), ("body", "critic"), ("head", "critic"), ("head", "still")],
)
@pytest.mark.parametrize("layer", [lambda: Dense(4, 4), lambda: BatchNorm(4)])
def test_a_layer_of_networks_that_different_players_move_is_refused(name, other, layer):
    with pytest.raises(errors.OptionError, match=r"which is moved by .*: build a layer for each"):
        sharing(name, other, layer())


@pytest.mark.parametrize(("name", "other"), [("body", "head"), ("head", "critic")])
def test_a_layer_without_arrays_may_be_shared_by_any_networks(name, other):
    assert sharing(name, other, Tanh()).players == Shared.players


def test_a_layer_of_networks_of_the_same_player_is_trained_once():
    shared_layer = Dense(3, 3)
    encoder = Network((3,), shared_layer, Tanh(), Dense(3, 6))
    decoder = Network((3,), Dense(3, 3), Tanh(), shared_layer)
    model = sg.models.VAE(encoder, decoder, "mse", dtype="float64", rng=0)
    assert model.views.encoder[0] is model.views.decoder[2]
    assert model.parameter_count() == 12 + 24 + 12
    before = model.views.encoder[0].w.copy()
    sg.fit(model, data(), epochs=1, seed=0)
    assert (model.views.decoder[2].w != before).all()
    tied = Network((3,), Dense(3, 3), Tanh(), Tied(shared_layer))
    assert sg.models.VAE(encoder, tied, "mse", rng=0).parameter_count() == 12 + 24 + 12 + 3
