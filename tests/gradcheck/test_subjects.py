"""Layers, likelihoods, games, penalties and models as pairs: their points and verdicts."""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

from scratchgen.distributions import Bernoulli, Categorical, FixedGaussian, Likelihood
from scratchgen.gradcheck import FAIL, PASS, check
from scratchgen.gradcheck.library.subjects import LayerPair, ObjectivePair, in_double, pairs_of
from scratchgen.ground import errors
from scratchgen.losses import HINGE, LOSSES, R1, AdversarialLoss, GradientPenalty
from scratchgen.models import VAE, gan, vae
from scratchgen.nn import (
    BatchNorm,
    Block,
    Dense,
    Dropout,
    Flatten,
    GaussianNoise,
    JoinLabels,
    Layer,
    LayerNorm,
    Layout,
    Maxout,
    Network,
    ReLU,
    Reshape,
    Residual,
    Tanh,
    Tied,
)


def verdicts(subject, **options):
    report = check(subject, **options)
    return {case.label: case.verdict for case in report.cases}


def notes(report, contract):
    return [
        finding
        for case in report.cases
        for finding in case.findings
        if finding.contract == contract
    ]


@dataclass(frozen=True, eq=False)
class Scale(Layer):
    """y = a x with a scalar a; `factor` scales the gradient of a, `root` needs a > 0."""

    factor: float = 1.0
    root: bool = False

    def parameters(self):
        return {"a": ((1,), lambda rng, shape: np.ones(shape))}

    def forward(self, p, x, tape):
        tape.x = x
        return (np.sqrt(p.a) if self.root else p.a) * x

    def backward(self, p, dy, tape, g=None, need_dx=True):
        slope = 0.5 / np.sqrt(p.a) if self.root else 1
        if g is not None:
            g.a += self.factor * slope * (dy * tape.x).sum()
        return (np.sqrt(p.a) if self.root else p.a) * dy if need_dx else None


@dataclass(frozen=True, eq=False)
class Rounding(Layer):
    """Rounds to tenths and passes gradients straight through, without a declaration."""

    honest: bool = True

    def forward(self, p, x, tape):
        return np.round(x, 1)

    def backward(self, p, dy, tape, g=None, need_dx=True):
        return dy if need_dx else None


class HonestRounding(Rounding):
    """The same with a declared surrogate."""

    def surrogate(self, p, x, tape):
        return x


# The point.


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (Dense(5, 3), (5,)),
        (Tied(Dense(4, 3)), (3,)),
        (LayerNorm(7), (7,)),
        (BatchNorm(2), (2,)),
        (Maxout(4), (12,)),
        (Reshape((2, 5, 1)), (10,)),
        (Residual(Dense(3, 3)), (3,)),
        (Network((2, 3), Flatten(), Dense(6, 2)), (2, 3)),
    ],
    ids=str,
)
def test_without_x_the_check_finds_a_shape_that_the_layer_accepts(layer, shape):
    (_, pair), *_ = pairs_of(layer)
    assert pair.blocks["x"].shape == (4, *shape)


def test_a_layer_that_accepts_no_shape_tried_asks_for_x():
    class Picky(Layer):
        def out_shape(self, shape):
            raise errors.ShapeError("never")

    with pytest.raises(errors.OptionError, match=r"takes no shape that was tried.*x=\(4, 5\)"):
        pairs_of(Picky())


def test_a_shape_means_random_numbers_and_an_array_keeps_its_layout():
    x = np.asfortranarray(np.arange(12.0).reshape(4, 3) - 5.2)
    assert pairs_of(Dense(3, 2), (6, 3))[0][1].blocks["x"].shape == (6, 3)
    taken = pairs_of(Dense(3, 2), x)[0][1].blocks["x"]
    assert (taken == x).all()
    assert taken.flags.f_contiguous
    assert taken is not x
    assert (pairs_of(Dense(3, 2), x.tolist())[0][1].blocks["x"] == x).all()
    assert pairs_of(Dense(3, 2), x.astype(np.float32))[0][1].blocks["x"].dtype == np.float64


def test_random_points_are_in_general_position_and_repeat_with_the_seed():
    for seed in range(20):
        blocks = pairs_of(Network((30,), Dense(30, 20), LayerNorm(20)), seed=seed)[0][1].blocks
        for block in blocks.values():
            assert abs(block).min() > 0.01
            assert abs(block).max() < 1.61
        assert len(np.unique(blocks["x"])) == blocks["x"].size
        again = pairs_of(Network((30,), Dense(30, 20), LayerNorm(20)), seed=seed)[0][1].blocks
        assert all((again[name] == block).all() for name, block in blocks.items())
    assert (pairs_of(ReLU(), (2, 3), seed=1)[0][1].blocks["x"] != blocks["x"][:2, :3]).any()


def test_random_weights_do_not_saturate_wide_layers():
    (_, pair), *_ = pairs_of(Network((2000,), Dense(2000, 50), Dense(50, 3)))
    assert abs(pair.forward(pair.blocks).outputs[0]).max() < 20


@pytest.mark.parametrize(
    ("subject", "x", "error", "text"),
    [
        (Dense(3, 2), (4, 5), errors.ShapeError, r"wants \(N, 3\)"),
        (Dense(3, 2), np.ones(3), errors.ShapeError, "put the batch in front"),
        (Dense(3, 2), 4, errors.ShapeError, "an array with the batch in front, or a shape"),
        (Dense(3, 2), "x", errors.KindError, "wants real numbers"),
        (Dense(3, 2), np.ones((2, 3)) * 1j, errors.KindError, "wants real numbers"),
        (Dense(3, 2), np.full((2, 3), np.nan), errors.DataError, "NaN or infinity"),
        (Dense(3, 2), (-1, 3), errors.OptionError, "wants a whole number of at least 0"),
        (ReLU(), (10**6, 10**6), errors.OptionError, "at most 16,777,216 numbers"),
        (HINGE, (4, 3), errors.ShapeError, r"wants scores \(N,\)"),
        (Bernoulli(), np.full((2, 3), 7.0), errors.DataError, "wants values in"),
        (Categorical(3), np.full((2, 3), 0.5), errors.DataError, r"whole numbers 0 \.\.\. 2"),
        (vae((3,), rng=0), (4, 2), errors.ShapeError, r"wants \(N, 3\)"),
    ],
)
def test_an_x_that_does_not_fit_is_refused_with_advice(subject, x, error, text):
    with pytest.raises(error, match=text):
        pairs_of(subject, x)


@pytest.mark.parametrize("subject", [Bernoulli, 3, None, "Dense", np.ones(3), np.tanh], ids=str)
def test_other_objects_are_refused_with_a_list_of_what_can_be_checked(subject):
    with pytest.raises(errors.KindError, match=r"a layer, such as Dense\(5, 3\), a likelihood"):
        pairs_of(subject)


def test_a_layer_that_compares_by_its_fields_is_refused():
    @dataclass(frozen=True)
    class Equal(Layer):
        pass

    with pytest.raises(errors.KindError, match="eq=False"):
        pairs_of(Equal())


def test_labels_and_training_are_for_layers_and_models():
    with pytest.raises(errors.OptionError, match="labels= is for layers and models, not for hinge"):
        pairs_of(HINGE, labels=[1])
    with pytest.raises(errors.OptionError, match="training= is for layers and models"):
        pairs_of(R1(), training=True)


# Modes, examples, labels.


@pytest.mark.parametrize(
    ("layer", "labels"),
    [
        (Dense(3, 2), ["x (4, 3)"]),
        (ReLU(), ["x (4, 5)"]),
        (Dropout(0.4), ["x (4, 5), training", "x (4, 5), evaluation"]),
        (GaussianNoise(0.4), ["x (4, 5), training", "x (4, 5), evaluation"]),
        (BatchNorm(3), ["x (4, 3), training", "x (4, 3), evaluation"]),
        (Network((3,), Dense(3, 2), Dropout(0.2)), ["x (4, 3), training", "x (4, 3), evaluation"]),
    ],
    ids=str,
)
def test_both_modes_are_checked_where_they_differ(layer, labels):
    assert [label for label, _ in pairs_of(layer)] == labels
    assert [label for label, _ in pairs_of(layer, training=False)] == [
        f"x {pairs_of(layer)[0][1].blocks['x'].shape}, evaluation"
    ]


def test_a_users_layer_that_reads_the_mode_is_checked_in_both():
    class Halving(Layer):
        def forward(self, p, x, tape):
            tape.factor = 0.5 if tape.training else 1.0
            return x * tape.factor

        def backward(self, p, dy, tape, g=None, need_dx=True):
            return dy * 0.5  # in evaluation too

    report = check(Halving())
    assert [(case.label, case.verdict) for case in report.cases] == [
        ("x (4, 5), training", PASS),
        ("x (4, 5), evaluation", FAIL),
    ]


@pytest.mark.parametrize(
    ("layer", "names"),
    [
        (Dense(3, 2), {"x"}),
        (JoinLabels(3, 2), ["labels", "x"]),
        (BatchNorm(3), set()),
        (Network((3,), Dense(3, 3), ReLU()), {"x"}),
        (Network((3,), Dense(3, 3), BatchNorm(3)), set()),
        (Residual(LayerNorm(3)), {"x"}),
        (Residual(BatchNorm(3)), set()),
        (Scale(), set()),
    ],
    ids=str,
)
def test_batch_laws_are_tested_for_layers_that_declare_them(layer, names):
    assert set(pairs_of(layer, (4, 3))[0][1].per_example) == set(names)


def test_batch_laws_are_not_tested_where_random_numbers_depend_on_the_place_in_the_batch():
    train, evaluate = (pair for _, pair in pairs_of(Dropout(0.4)))
    assert not train.per_example
    assert evaluate.per_example == {"x": 0}


def test_a_wrong_declaration_that_examples_do_not_mix_fails():
    class Mixing(Layer):
        example_wise = True

        def forward(self, p, x, tape):
            return x - x.mean(axis=0)

        def backward(self, p, dy, tape, g=None, need_dx=True):
            return dy - dy.mean(axis=0)

    report = check(Mixing())
    assert report.verdict == FAIL
    assert [finding.verdict for finding in notes(report, "batch")] == [FAIL]


def test_labels_are_constant_and_move_with_their_examples():
    report = check(JoinLabels(4, 2), x=(5, 3))
    assert report.ok
    assert notes(report, "batch")[0].verdict == PASS
    assert "labels" in notes(report, "constants")[0].text
    assert {block.name for block in report.cases[0].blocks} == {"x", "table"}


def test_labels_may_be_given_and_must_fit():
    ((_, pair),) = pairs_of(JoinLabels(4, 2), (3, 2), labels=[3, 0, 3])
    assert pair.blocks["labels"].tolist() == [3, 0, 3]
    with pytest.raises(errors.ShapeError, match=r"labels has shape \(2,\), wants \(3,\)"):
        pairs_of(JoinLabels(4, 2), (3, 2), labels=[3, 0])


# What is found.


@pytest.mark.parametrize("seed", range(3))
def test_a_users_layer_passes_or_fails_by_its_gradient(seed):
    assert check(Scale(), seed=seed).ok
    report = check(Scale(factor=2.0), seed=seed)
    assert {block.name: block.verdict for block in report.cases[0].blocks} == {"x": PASS, "a": FAIL}


def test_a_parameter_that_must_be_positive_is_made_positive():
    assert check(Scale(root=True)).ok
    assert check(Scale(factor=0.5, root=True)).verdict == FAIL


def test_a_forward_that_writes_into_its_state_fails():
    class Leaking(BatchNorm):
        def forward(self, p, x, tape):
            p.mean += 0.1 * (x.mean(axis=0) - p.mean)
            return super().forward(p, x, tape)

    report = check(Leaking(3))
    assert report.verdict == FAIL
    assert any("mean" in finding.text for finding in notes(report, "pure"))


def test_a_layer_that_raises_fails_without_a_traceback():
    class Broken(Layer):
        def forward(self, p, x, tape):
            raise IndexError("no such thing")

        def backward(self, p, dy, tape, g=None, need_dx=True):
            return dy

    report = check(Broken())
    assert report.verdict == FAIL
    assert "no such thing" in notes(report, "raises")[0].text


def test_tied_weights_are_a_block_where_their_owner_is_absent():
    ((_, pair),) = pairs_of(Tied(Dense(4, 3)))
    assert set(pair.blocks) == {"x", "b", "of.w"}
    assert check(Tied(Dense(4, 3))).ok


def test_an_empty_batch_does_not_raise():
    assert check(Dense(3, 2), x=(0, 3)).verdict != FAIL


# Surrogates.


@pytest.mark.parametrize(
    "make",
    [
        lambda layer: layer,
        lambda layer: Network((3,), Dense(3, 4), layer, Dense(4, 2), Tanh()),
        lambda layer: Residual(Network((3,), layer, Dense(3, 3))),
        lambda layer: Network((3,), Dropout(0.3), layer, Dense(3, 2)),
    ],
)
def test_a_declared_surrogate_is_differentiated_in_place_of_the_forward(make):
    report = check(make(HonestRounding()), x=(4, 3))
    assert report.ok
    assert notes(report, "surrogate")
    assert check(make(Rounding()), x=(4, 3)).verdict != PASS
    assert not notes(check(make(ReLU()), x=(4, 3)), "surrogate")


def test_a_backward_that_is_not_the_derivative_of_its_surrogate_fails():
    class Wrong(HonestRounding):
        def backward(self, p, dy, tape, g=None, need_dx=True):
            return 2 * dy

    assert check(Wrong()).verdict == FAIL


# Likelihoods, games, penalties.


@pytest.mark.parametrize("likelihood", [Bernoulli(), Categorical(5), FixedGaussian(0.5)], ids=str)
def test_likelihoods_are_checked_at_data_that_they_accept(likelihood):
    for seed in range(5):
        ((_, pair),) = pairs_of(likelihood, (6, 3), seed)
        likelihood.check(pair.blocks["x"])
        assert pair.blocks["raw"].shape == (6, *likelihood.raw_shape((3,)))
        assert pair.checked == ["raw"]


def test_a_users_likelihood_is_checked_at_data_that_it_accepts():
    @dataclass(frozen=True)
    class Poisson(Likelihood):
        name = "poisson"
        sign: float = 1.0

        def check(self, x, what="x"):
            if (x < 0).any() or (x != np.floor(x)).any():
                raise errors.DataError("wants counts")

        def log_prob(self, x, raw):
            return (x * raw - np.exp(raw)).sum(axis=1)

        def raw_gradient(self, x, raw, dvalue):
            return dvalue[:, None] * (x - self.sign * np.exp(raw))

    assert check(Poisson()).ok
    assert check(Poisson(sign=-1.0)).verdict == FAIL


@pytest.mark.parametrize("name", LOSSES)
def test_games_have_a_case_for_each_player(name):
    assert verdicts(LOSSES[name]) == {"discriminator": PASS, "generator": PASS}


def test_a_game_fails_for_the_player_with_the_swapped_sign():
    wrong = AdversarialLoss(
        "mine",
        HINGE.discriminator,
        lambda real, fake, dvalue: SimpleNamespace(real=dvalue, fake=-dvalue),
        HINGE.generator,
        HINGE.generator_gradients,
    )
    assert verdicts(wrong) == {"discriminator": FAIL, "generator": PASS}


def test_a_penalty_whose_gradient_lacks_its_two_fails():
    class Half(GradientPenalty):
        def slope_gradient(self, slope, dvalue):
            return super().slope_gradient(slope, dvalue) / 2

    assert check(GradientPenalty(3.0)).ok
    assert check(Half(3.0)).verdict == FAIL


# Models.


def test_a_model_is_checked_for_each_player_and_stays_unchanged():
    model = gan((2,), hidden=(3,), latent=2, rng=0)
    before = model.vector.copy()
    assert verdicts(model, x=(3, 2)) == {
        "discriminator, x (3, 2)": PASS,
        "generator, x (3, 2)": PASS,
    }
    assert (model.vector == before).all()
    assert model.vector.dtype == np.float32


def test_a_model_is_checked_at_its_own_weights_with_constant_arrays_varied():
    model = vae((2,), hidden=(3,), latent=1, rng=0)
    double = in_double(model, np.random.default_rng(0))
    ours, theirs = double.views, model.views
    assert (ours.encoder[0].w == theirs.encoder[0].w).all()
    assert (theirs.encoder[0].b == 0).all()
    assert (ours.encoder[0].b != 0).all()
    assert double.dtype == np.float64 != model.dtype


def test_data_for_models_are_legal_random_numbers_or_the_users():
    pictures = vae((2, 2, 1), hidden=(3,), latent=1, rng=0)
    ((_, pair),) = pairs_of(pictures)
    assert 0 < pair.x.min() <= pair.x.max() < 1
    x = np.linspace(0, 1, 12).reshape(3, 2, 2, 1)
    ((_, pair),) = pairs_of(pictures, x)
    assert (pair.x == x).all()
    labelled = gan((2,), hidden=(3,), latent=2, n_labels=3, rng=0)
    assert pairs_of(labelled, (5, 2))[0][1].options["labels"].shape == (5,)
    assert (pairs_of(labelled, (2, 2), labels=[2, 1])[0][1].options["labels"] == [2, 1]).all()


def test_a_model_whose_own_backward_is_wrong_fails():
    class Forgetful(VAE):
        def objective(self, player, batch, rng, gradient=None, *args, **kwargs):
            value = super().objective(player, batch, rng, gradient, *args, **kwargs)
            if gradient is not None:
                gradient.views.decoder[0].b *= 0.5
            return value

    made = Forgetful(Network((2,), Dense(2, 2)), Network((1,), Dense(1, 2)), FixedGaussian(), rng=0)
    blocks = {block.name: block.verdict for block in check(made, x=(3, 2)).cases[0].blocks}
    assert blocks.pop("decoder.0.b") == FAIL
    assert set(blocks.values()) == {PASS}


def test_both_kinds_of_pairs_can_be_built_by_hand():
    layer, rng = Dense(3, 2), np.random.default_rng(0)
    block = Block(Layout(it=layer), np.float64, rng)
    pair = LayerPair(
        layer, {"x": np.ones((2, 3)), "w": block.views.it.w, "b": block.views.it.b}, {}, True
    )
    run = pair.forward(pair.blocks)
    assert set(pair.backward(run, [np.ones((2, 2))])) == {"x", "w", "b"}
    model = vae((2,), hidden=(3,), latent=1, dtype="float64", rng=0)
    objective = ObjectivePair(model, "vae", np.ones((2, 2)))
    assert objective.forward(objective.blocks).outputs[0].shape == ()
