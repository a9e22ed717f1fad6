"""The certificate checks everything in the library, and all of it passes."""

from collections import Counter

import numpy as np
import pytest
from filled import filled

from scratchgen.distributions import LIKELIHOODS
from scratchgen.gradcheck import FAIL, INCONCLUSIVE, PASS, certificate
from scratchgen.gradcheck.certificate import Specimen, certify, specimens
from scratchgen.gradcheck.library.layer_points import layer_points
from scratchgen.gradcheck.reports.report import Report
from scratchgen.gradcheck.specimens import (
    GAME_SHAPES,
    LIKELIHOOD_SHAPES,
    PENALTY_SHAPES,
    functions,
    made_of,
    models,
    of_recipes,
)
from scratchgen.kernels.formulas import by_formulas, by_loops, formula, loop_of
from scratchgen.kernels.workspaces import Workspace
from scratchgen.losses import LOSSES, PENALTIES
from scratchgen.models import MODELS, RECIPES, Recipe
from scratchgen.nn import LAYERS, Layer, distinct_leaves
from scratchgen.optim import OPTIMIZERS

# What it checks.


def test_every_layer_is_checked_in_five_shapes_including_a_batch_of_one():
    assert {subject.name for subject in specimens() if subject.kind == "layer"} == set(LAYERS)
    for kind in LAYERS.values():
        points = layer_points(kind)
        assert len(points) == 5
        assert 1 in {shape[0] for _, shape in points}
        assert len({shape for _, shape in points}) == 5
        for layer, shape in points:
            assert kind in {type(inner) for inner in (layer, *layer.children())}
            layer.out_shape(shape[1:])


def test_every_layer_with_a_tangent_is_also_checked_in_second_order():
    names = [specimen.name for specimen in specimens() if specimen.kind == "second order"]
    second = {name.removesuffix(", second order") for name in names}
    assert second == {name for name in LAYERS if LAYERS[name].tangent is not Layer.tangent} | {
        name for name, kind in LAYERS.items() if not layer_points(kind)[0][0].why_no_tangent()
    }
    assert set(LAYERS) - second == {"BatchNorm"}


def test_every_likelihood_game_penalty_and_optimizer_is_checked():
    for registry in (LIKELIHOODS, LOSSES, PENALTIES, OPTIMIZERS):
        names = {subject.name for subject in specimens() if subject.kind == registry.what}
        assert {name.split(",")[0] for name in names} == set(registry)
    assert "rmsprop, centred=True" in {subject.name for subject in specimens()}
    for shapes in (LIKELIHOOD_SHAPES, GAME_SHAPES, PENALTY_SHAPES):
        assert len(set(shapes)) == 5
        assert 1 in {shape[0] for shape in shapes}


def test_every_gradient_function_of_the_distributions_is_checked():
    from scratchgen.distributions import bernoulli, categorical, gaussian

    rooms = {"gaussian": gaussian, "bernoulli": bernoulli, "categorical": categorical}
    expected = {
        f"{name}.{function.removesuffix('_gradients')}"
        for name, room in rooms.items()
        for function in dir(room)
        if function.endswith("_gradients")
    }
    assert expected
    assert expected <= set(functions(0))


def test_the_checked_models_have_every_likelihood_game_penalty_and_special_layer():
    all_models = list(models().values())
    assert {type(model) for model in all_models} == set(MODELS.values())
    vaes = [model for model in all_models if hasattr(model, "likelihood")]
    gans = [model for model in all_models if hasattr(model, "loss")]
    assert {type(model.likelihood) for model in vaes} == set(LIKELIHOODS.values())
    assert {model.loss.name for model in gans} == set(LOSSES)
    assert {type(model.penalty) for model in gans} >= {*PENALTIES.values(), type(None)}
    assert any(model.warm_up for model in vaes)
    assert any(model.free_bits for model in vaes)
    for kind in (vaes, gans):
        assert any(model.n_labels for model in kind)
        assert any(model.state.size for model in kind)
        names = {
            type(leaf).__name__
            for model in kind
            for network in model.networks.values()
            for leaf in distinct_leaves(network)
        }
        assert {"BatchNorm", "Dropout", "JoinLabels"} <= names


def test_every_recipe_that_differs_in_more_than_numbers_is_checked_with_and_without_labels():
    checked = models()
    assert "recipe beta_vae" not in checked  # a vae with another beta
    for name, recipe in RECIPES.items():
        with_labels = [] if recipe.like else [{"n_labels": 3}]
        for settings in (*with_labels, *([] if recipe.needs_labels else [{}])):
            model = recipe((5,), latent=3, hidden=(6,), rng=1, **settings)
            alike = [other for other in checked.values() if made_of(other) == made_of(model)]
            assert alike, name
            assert {bool(other.n_labels) for other in alike} == {bool(settings)}


def test_a_new_recipe_is_checked_without_being_listed():
    def softened(shape, *, slope=0.5, rng=None, dtype="float32", latent=2, hidden=(3,)):
        return RECIPES["gan"](shape, loss="hinge", rng=rng, dtype=dtype, hidden=hidden)

    new = Recipe(softened, MODELS["GAN"], "a GAN that takes no labels")
    checked = of_recipes({"gan": RECIPES["gan"], "softened": new})
    assert list(checked) == ["recipe gan", "recipe gan with labels", "recipe softened"]
    assert checked["recipe softened"].dtype == np.float64


# What it finds.


def test_the_library_passes(reports):
    assert [str(report) for report in reports if report.verdict == FAIL] == []
    assert [report.subject for report in reports if report.verdict == INCONCLUSIVE] == []
    assert {report.verdict for report in reports} == {PASS}


def test_the_library_passes_in_memory_that_holds_nan_until_it_is_written():
    """With loops, if there are any. tests/meaning does the same for models."""
    with filled():
        for specimen in (specimen for specimen in specimens() if specimen.kind != "model"):
            with Workspace().step():
                cases = specimen.cases(0)
            report = Report(specimen.name, cases, 0, "", 0.0, specimen.kind)
            assert report.verdict == PASS, specimen.name


def test_there_is_one_report_for_each_subject_and_reports_are_sorted_by_kind(reports):
    kinds = [report.kind for report in reports]
    assert list(dict.fromkeys(kinds)) == [
        "layer",
        "second order",
        "likelihood",
        "game",
        "penalty",
        "function",
        "optimizer",
        "model",
    ]
    assert kinds == sorted(kinds, key=list(dict.fromkeys(kinds)).index)
    assert max(Counter((report.kind, report.subject) for report in reports).values()) == 1
    assert all(report.cases for report in reports)


def test_layers_whose_modes_differ_are_checked_in_both_modes(reports):
    layers = {report.subject: report for report in reports if report.kind == "layer"}
    for name in ("BatchNorm", "Dropout", "GaussianNoise"):
        modes = Counter(case.label.rsplit(", ")[-1] for case in layers[name].cases)
        assert modes == {"training": 5, "evaluation": 5}
    assert len(layers["Dense"].cases) == 5


def test_all_first_order_checks_resolve_1e_8(reports):
    for report in reports:
        if report.kind in ("layer", "likelihood", "game", "penalty", "function"):
            for case in report.cases:
                for block in case.blocks:
                    if np.isfinite(block.resolution or np.inf):  # else the derivative is 0
                        assert block.resolution < 1e-8, (
                            f"{report.subject} {case.label}: its gradient is nearly 0 here, so let "
                            f"its example draw other sizes or settings"
                        )


def test_progress_is_called_with_each_report():
    class Enough(Exception):
        pass

    seen = []

    def stop_at_three(report):
        seen.append(report.subject)
        if len(seen) == 3:
            raise Enough

    with pytest.raises(Enough):
        certify(progress=stop_at_three)
    assert seen == list(LAYERS)[:3]


def test_models_with_state_are_also_checked_in_evaluation_and_warm_ups_half_way(monkeypatch):
    seen = {}
    monkeypatch.setattr(
        certificate, "examine", lambda pair, label, seed: seen.setdefault(label, pair)
    )
    for model in models().values():
        seen.clear()
        certificate._model(model, 0)
        has_state = model.state.size > 0
        modes = {pair.options["training"] for pair in seen.values()}
        assert modes == ({True, False} if has_state else {True})
        steps = {pair.options["step"] for pair in seen.values()}
        warm_up = getattr(model, "warm_up", 0)
        assert len(steps) == (2 if warm_up else 1)
        assert None in steps
        assert all(0 < step + 1 < warm_up for step in steps - {None})


# Formulas and loops.


@pytest.fixture
def ran_as(monkeypatch):
    """A kernel, and a list of what ran: its formula or its loop, which is not compiled."""
    ran = []
    monkeypatch.setattr("scratchgen.kernels.formulas.FORMULAS", {})

    @formula("-> x (N,) in place")
    def kernel(x):
        ran.append("formula")

    loop_of(kernel)(lambda part, parts, x: None)
    loop = lambda *_: ran.append("loop")  # noqa: E731
    monkeypatch.setattr("scratchgen.kernels.plans.for_python", lambda *_: loop)
    monkeypatch.setattr("scratchgen.kernels.formulas.numba_works", lambda: True)
    return kernel, ran


def test_by_formulas_and_by_loops_may_be_nested(ran_as):
    kernel, ran = ran_as
    with by_formulas():
        kernel(np.ones(1))
        with by_formulas():
            kernel(np.ones(1))
            with by_loops():
                kernel(np.ones(1))
        kernel(np.ones(1))
    with by_loops():
        kernel(np.ones(1))
    assert ran == ["formula"] * 2 + ["loop", "formula", "loop"]


@pytest.mark.parametrize(("jit", "expected"), [(False, "formula"), (True, "loop")])
def test_a_certificate_checks_formulas_or_with_jit_their_loops(monkeypatch, ran_as, jit, expected):
    kernel, ran = ran_as
    specimen = Specimen("layer", "kernel", lambda seed: kernel(np.ones(1)) or [])
    monkeypatch.setattr(certificate, "specimens", lambda: [specimen])
    certify(jit=jit)
    assert ran == [expected]
