"""An unknown keyword is answered with the one that was meant: libraries use different words.

    Adam(lr=1e-3)      KeywordError: Adam has no 'lr', here it is 'learning_rate': it takes ...

MEANT lists the words that PyTorch, Keras and scikit-learn use for what has another name here; of
several candidates, the first that the function takes is suggested. ADVICE is for words whose
meaning is expressed elsewhere.
"""

import functools
import inspect
from collections.abc import Callable, Collection, Iterable
from typing import Any, Self, TypeVar, cast

from .arguments import nearest
from .errors import KeywordError

F = TypeVar("F", bound=Callable[..., Any])

# ours: theirs
MEANT = {
    # optimizers and schedules
    "learning_rate": "lr eta step_size",
    "b1": "beta1 beta_1",
    "b2": "beta2 beta_2",
    "b1, b2": "betas",
    "eps": "epsilon",
    "keep": "alpha rho decay ema_decay",
    "centred": "centered",
    "norm": "max_norm clip_norm clipnorm",
    "rate": "lr base_lr max_lr initial_lr learning_rate initial_learning_rate",
    "steps": "t_max total_iters total_steps num_steps decay_steps warmup_steps",
    "every": "step_size",
    "factor": "gamma decay_rate",
    "least": "eta_min min_lr",
    # layers
    "n_in": "in_features in_dim input_dim input_size fan_in",
    "n_out": "out_features out_dim output_dim output_size units fan_out",
    "bias": "use_bias bias_initializer bias_init",
    "weights": "kernel_initializer weight_init init initializer",
    "features": "num_features normalized_shape dim",
    "drop": "p rate prob dropout",
    "negative_slope": "alpha slope",
    "std": "sigma stddev noise",
    "width": "embedding_dim dim",
    "in_shape": "input_shape input_dim shape",
    # models
    "shape": "input_shape input_dim image_shape img_shape data_shape in_shape n_features",
    "latent": "latent_dim latent_dims latent_size z_dim zdim nz n_latent n_components noise_dim",
    "hidden": "hidden_dim hidden_dims hidden_size hidden_sizes hidden_layers hidden_layer_sizes "
    "hidden_units units layers",
    "activation": "activation_fn nonlinearity act act_fn",
    "beta": "kl_weight kld_weight",
    "warm_up": "warmup kl_warm_up kl_warmup kl_anneal",
    "likelihood": "loss loss_fn reconstruction_loss criterion",
    "classes": "n_classes num_classes",
    "n_labels": "n_classes num_classes classes",
    "loss": "loss_fn criterion game",
    "discriminator": "critic",
    "discriminator_steps": "n_critic critic_steps critic_iters d_steps",
    "draws": "n_samples num_samples k n_importance_samples num_importance_samples iw_samples",
    "weight_clip": "clip clip_value",
    "penalty": "lambda_gp gp_weight gradient_penalty",
    "weight": "gamma lambda_ lambda_gp",
    # training and sampling
    "epochs": "n_epochs num_epochs nb_epoch epoch max_epochs max_iter n_iter",
    "batch_size": "batch bs batchsize minibatch",
    "labels": "y targets label classes",
    "validation": "validation_data val x_val valid",
    "optimizer": "opt optim optimiser",
    "average": "ema ema_decay",
    "callbacks": "callback",
    "progress": "verbose progress_bar",
    "n": "num_samples n_samples num size n_examples",
    "rng": "seed random_state random_seed generator",
    "seed": "rng random_state random_seed generator",
    "split": "train",
    "return_labels": "return_x_y with_labels",
    # files, and what embeds a model
    "file": "path filename filepath fname",
    "path_or_name": "path filename filepath name",
    "batch": "batch_size n",
}
OURS: dict[str, list[str]] = {}
for _ours, _theirs in MEANT.items():
    for _word in _theirs.split():
        OURS.setdefault(_word, []).append(_ours)

OPTIMIZER = "it is a setting of the optimizer, as in optimizer=sg.optim.Adam(1e-3)"
ACTIVATION = "an activation is a layer of its own, such as sg.nn.ReLU()"
CPU = "everything runs on the CPU, so leave it out"
THREADS = "sg.set_threads(2) sets the number of threads"
ADVICE = {
    "lr": OPTIMIZER,
    "learning_rate": OPTIMIZER,
    "activation": ACTIVATION,
    "activation_fn": ACTIVATION,
    "nonlinearity": ACTIVATION,
    "dropout": "sg.nn.Dropout(0.2) is a layer of its own",
    "batch_norm": "sg.nn.BatchNorm(64) is a layer of its own",
    "layer_norm": "sg.nn.LayerNorm(64) is a layer of its own",
    "momentum": "sg.optim.Momentum has one, and BatchNorm's keep is 1 - PyTorch's momentum",
    "nesterov": "sg.optim.Nesterov is an optimizer of its own",
    "weight_decay": "sg.optim.AdamW has it",
    "device": CPU,
    "map_location": CPU,
    "cuda": CPU,
    "use_cuda": CPU,
    "shuffle": "every epoch is shuffled, so leave it out",
    "num_workers": THREADS,
    "n_jobs": THREADS,
    "workers": THREADS,
}


def check_keywords(given: Iterable[str], known: Collection[str], name: str) -> None:
    """KeywordError if `name`, which takes the known words, was given another."""
    for word in given:
        if word not in known:
            takes = f"it takes {', '.join(known)}" if known else "it takes none"
            raise KeywordError(f"{name} has no {word!r}{_meant(word, known)}: {takes}")


def _meant(word: str, known: Collection[str]) -> str:
    """`, here it is 'learning_rate'`, or other advice about a word."""
    plain = word.lower()
    for ours in OURS.get(plain, []):
        if all(keyword in known for keyword in ours.split(", ")):
            return f", here it is {' and '.join(map(repr, ours.split(', ')))}"
    return f", {ADVICE[plain]}" if plain in ADVICE else nearest(word, known)


def _words_of(function: Callable[..., Any]) -> tuple[str, ...] | None:
    """The keywords that a Python function takes; None if it takes any."""
    code = getattr(function, "__code__", None)
    if code is None or code.co_flags & inspect.CO_VARKEYWORDS:
        return None
    words = code.co_varnames[code.co_posonlyargcount : code.co_argcount + code.co_kwonlyargcount]
    return tuple(word for word in words if word != "self")


def explains_keywords(function: F) -> F:
    """A decorator: the function answers an unknown keyword with the one that was meant."""
    known, name = _words_of(function) or (), function.__name__

    @functools.wraps(function)
    def checked(*args: Any, **given: Any) -> Any:
        check_keywords(given, known, name)
        return function(*args, **given)

    return cast(F, checked)


class ExplainsKeywords:
    """A base class whose constructors do what `explains_keywords` does for functions."""

    def __new__(cls, *_: Any, **given: Any) -> Self:
        known = _words_of(cls.__init__) if given else None
        if known is not None:
            check_keywords(given, known, cls.__name__)
        return super().__new__(cls)
