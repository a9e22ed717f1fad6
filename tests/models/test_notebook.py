"""What a notebook shows of a model, and that showing it changes nothing."""

import base64
import io
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from small_models import small_model

from scratchgen.ground.png_files import png
from scratchgen.models import RECIPES, VAE, gan, vae
from scratchgen.nn import ReLU

PICTURE = re.compile(r'src="data:image/png;base64,([^"]+)"')


def picture_of(html):
    """The pixels of the inline PNG (H, W, channels)."""
    image = pytest.importorskip("matplotlib.image")
    return image.imread(io.BytesIO(base64.b64decode(PICTURE.search(html)[1])))


@pytest.mark.parametrize("shape", [(2,), (3,), (6, 4), (6, 4, 1), (6, 4, 3), (6, 4, 2)])
@pytest.mark.parametrize("name", RECIPES)
def test_the_html_of_every_family_parses_and_has_a_row_for_each_layer(name, shape):
    model = small_model(name, shape, latent=2, hidden=(4,), rng=0)
    root = ElementTree.fromstring(model._repr_html_())
    layers = sum(len(network.layers) for network in model.networks.values())
    assert len(root.findall(".//tr")) == 1 + layers
    assert str(model) in "".join(root.itertext())
    pictures = [element.tag for element in root if element.tag in ("img", "svg")]
    assert pictures == {(2,): ["svg"], (3,): [], (6, 4, 2): []}.get(shape, ["img"])


def test_the_picture_shows_samples_drawn_with_its_own_random_generator():
    model = gan((6, 4, 3), latent=2, hidden=(4,), rng=0)
    pixels = picture_of(model._repr_html_())
    first = model.sample(16, np.random.default_rng(0))[0]  # (6, 4, 3)
    np.testing.assert_allclose(pixels[:6, :4, :3], first, atol=0.6 / 255)


def test_showing_a_model_changes_neither_its_arrays_nor_what_it_shows():
    model = vae((6, 4), latent=2, hidden=(4,), rng=0)
    vector, state = model.vector.copy(), model.state.copy()
    assert model._repr_html_() == model._repr_html_()
    np.testing.assert_array_equal(model.vector, vector)
    np.testing.assert_array_equal(model.state, state)


@pytest.mark.parametrize("number", [np.nan, np.inf, 1e30])
@pytest.mark.parametrize("shape", [(2,), (6, 4)])
def test_weights_that_are_not_finite_or_huge_are_shown(shape, number):
    model = vae(shape, latent=2, hidden=(4,), rng=0)
    model.vector[...] = number
    ElementTree.fromstring(model._repr_html_())


def test_a_model_that_cannot_sample_is_shown_without_a_picture(monkeypatch):
    def refuse(*arguments):
        raise ZeroDivisionError

    monkeypatch.setattr(VAE, "sample", refuse)
    html = vae((6, 4), latent=2, hidden=(4,), rng=0)._repr_html_()
    assert "<img" not in html
    assert "<table>" in html


def test_text_is_escaped(monkeypatch):
    monkeypatch.setattr(VAE, "__str__", lambda self: "<script>&")
    html = vae((2,), latent=2, hidden=(4,), rng=0)._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;&amp;" in html


@pytest.mark.parametrize("channels", [1, 3])
def test_a_png_holds_its_pixels(channels):
    image = pytest.importorskip("matplotlib.image")
    pixels = np.random.default_rng(channels).integers(0, 256, (5, 7, channels), np.uint8)
    read = (image.imread(io.BytesIO(png(pixels))) * 255).round().astype(np.uint8)
    np.testing.assert_array_equal(read.reshape(5, 7, -1)[..., :channels], pixels)


def test_layers_and_families_whose_text_fails_are_shown_by_the_name_of_their_class(monkeypatch):
    model = vae((6, 4), latent=2, hidden=(4,), rng=0)

    def fail(self):
        raise RuntimeError("no text")

    monkeypatch.setattr(VAE, "__str__", fail)
    monkeypatch.setattr(ReLU, "__str__", fail)
    text = "".join(ElementTree.fromstring(model._repr_html_()).itertext())
    assert text.startswith("VAE, ")
    assert "ReLU()" not in text
    assert text.count("ReLU") == 2


def test_text_of_layers_is_escaped(monkeypatch):
    monkeypatch.setattr(ReLU, "__str__", lambda self: "<script>alert('&')</script>")
    html = vae((6, 4), latent=2, hidden=(4,), rng=0)._repr_html_()
    assert "<script" not in html
    assert html.count("&lt;script&gt;") == 2
