"""Models: the protocol that all meet, two classes, and names for the ways to set them up."""

from .adversarial import GAN
from .autoencoder import VAE
from .diagnosis import active_latents, collapse, symptoms
from .model import Model
from .named import RECIPES, beta_vae, gan, lsgan, vae, wgan, wgan_gp
from .trace import Trace

MODELS: dict[str, type[Model]] = {model.kind: model for model in (VAE, GAN)}

__all__ = [
    "GAN",
    "MODELS",
    "RECIPES",
    "VAE",
    "Model",
    "Trace",
    "active_latents",
    "beta_vae",
    "collapse",
    "gan",
    "lsgan",
    "symptoms",
    "vae",
    "wgan",
    "wgan_gp",
]
