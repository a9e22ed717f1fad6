"""Does what is read run? The textbook is edited in many ways, and each edit has to count.

    python tests/proofs/edits.py                       --only KL for edits of that name

Each edit is written into a copy of the package, in which a small model is trained three times, with
fit(replay=None), False and True. The numbers of every epoch and the weights have to be the same to
the last bit in all three, others than those of the unedited package, and with replay=None one line
has to say which file was edited: in a process without numba, by NumPy, and in one with its loops.

`same` is whether the three give the same numbers, `counts` whether these are others than without
the edit, `plan` whether replay=True could replay it: where an edit writes into what a kernel gave,
or computes what no kernel does, steps run as they are written even then.
"""

import argparse
import compileall
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from edited_copies import TRAININGS, Edit, copied, numbers, outcome, problems, published
from shared import PROCESSES, heading, table

from scratchgen.ground.versions import is_installed

VAE, DENSE, ADAM = "models/variational.py", "nn/dense.py", "optim/adam.py"
GAUSSIAN, BERNOULLI = "distributions/gaussian.py", "distributions/bernoulli.py"
RECTIFIERS, GAMES, DESCENT = "nn/rectifiers.py", "losses/adversarial.py", "optim/descent.py"
PRODUCTS, STEP = "kernels/products.py", "train/trainer.py"

NOISE = "        noise = turn.normal(turn.size, self.latent)  # (N, Z)\n"
HEADS = '        heads = turn.forward("encoder", turn.batch, settle=True)  # (N, 2Z)   (1)\n'
AFFINE = "        return kernels.affine(x, p.w, p.b)  # (N, O)   (1)\n"
BACK = "        if g is not None:\n            kernels.add_outer(x, dy, into=g.w)  # (I, O)   (3)\n"
MOVE = "        adam_step(theta, g, memory.m, memory.v, coefficients)\n"
SIGN = "    sign = np.copysign(1, logits.real)  # 1 where l >= 0, else -1: (N, D)\n"
REPORT = "            self.reports[player] = report = _report(tape)\n"
SOFT = "    value = softplus(-real_score) + softplus(fake_score)  # (N,)   (1)\n"


def after(text: str, *lines: str) -> dict[str, str]:
    """A text, and the same with lines behind it, as far in as it is."""
    indent = text[: len(text) - len(text.lstrip())]
    return {"old": text, "new": text + "".join(f"{indent}{line}\n" for line in lines)}


def before(text: str, *lines: str) -> dict[str, str]:
    """A text, and the same with lines before it."""
    indent = text[: len(text) - len(text.lstrip())]
    return {"old": text, "new": "".join(f"{indent}{line}\n" for line in lines) + text}


def replacing(what: str, by: str, first: int) -> str:
    """A hook: after so many steps `what` is the function that `by` defines; `old` is the first."""
    return f"""
import scratchgen.distributions.gaussian as gaussian
import scratchgen.distributions.bernoulli as bernoulli
import scratchgen.kernels.products as products
nn, optim, VAE, steps = sg.nn, sg.optim, sg.models.VAE, [0]
old = {what}
{by}
def put():
    {what} = mine
def undo():
    {what} = old
if {first} == 0:
    put()
else:
    def callback(run):
        steps[0] += 1
        if steps[0] == {first}:
            put()
"""


TEXTS = (
    Edit("noise[:] = 0 in minimise", VAE, **after(NOISE, "noise[:] = 0")),
    Edit("np.clip(heads, out=heads)", VAE, **after(HEADS, "np.clip(heads, -1, 1, out=heads)")),
    Edit("heads = np.clip(heads)", VAE, **after(HEADS, "heads = np.clip(heads, -0.1, 0.1)")),
    Edit(
        "a branch on the step", VAE, "raw, -1 / turn.size",
        "raw, (-1 - (turn._tape.step > 4)) / turn.size",
    ),
    Edit(
        "y *= 0.5 in Dense.forward", DENSE, AFFINE,
        "        y = kernels.affine(x, p.w, p.b)\n        y *= 0.5\n        return y\n",
    ),
    Edit(
        "an early return in backward", DENSE,
        **before(BACK, "if self.n_in == 8:", "    return kernels.times_transpose(dy, p.w)"),
    ),
    Edit(
        "print in Dense.forward", DENSE, **before(AFFINE, "print(self)"), counts=False, prints=True,
    ),
    Edit("breakpoint()", DENSE, **before(AFFINE, "breakpoint()"), counts=False, prints=True),
    Edit(
        "LOG_TWO_PI", GAUSSIAN, "math.log(2 * math.pi)\n", "math.log(3 * math.pi)\n",
        training="gaussian",
    ),
    Edit("LEAST", DESCENT, "float(np.finfo(kind).tiny)", "1e-7"),
    Edit("a default, b1", ADAM, "b1: float = setting(0.9", "b1: float = setting(0.5"),
    Edit(
        "KL without its log_var", GAUSSIAN,
        "(mu**2 + np.expm1(log_var) - log_var) / 2", "(mu**2 + np.expm1(log_var)) / 2",
    ),
    Edit(
        "KL's gradient without mu", GAUSSIAN,
        "SimpleNamespace(mu=dterms * mu, log", "SimpleNamespace(mu=0 * mu, log",
    ),
    Edit(
        "score without its log1p", BERNOULLI, "(size * far + np.log1p(e))", "(size * far)",
    ),
    Edit("a write in a likelihood", BERNOULLI, **before(SIGN, "logits *= 0.5")),
    Edit(
        "a sign in a game", GAMES, "value = softplus(-real_score)", "value = softplus(real_score)",
        training="gan",
    ),
    Edit("a write in a game", GAMES, **before(SOFT, "fake_score *= 0.5"), training="gan"),
    Edit(
        "a sign in the hinge game", GAMES,
        "np.maximum(0, 1 - real_score)", "np.maximum(0, 1 + real_score)", training="hinge",
    ),
    Edit(
        "np.clip(theta) in Adam.move", ADAM, **after(MOVE, "np.clip(theta, -0.1, 0.1, out=theta)"),
    ),
    Edit("np.clip(g) in Adam.move", ADAM, **before(MOVE, "np.clip(g, -0.01, 0.01, out=g)")),
    Edit("memory.m[:] = 0 in Adam.move", ADAM, **before(MOVE, "memory.m[:] = 0")),
    Edit(
        "flush, which Adam's formula calls", DESCENT, "x[np.abs(x) < least] = 0", "x *= 0.9",
    ),
    Edit("ReLU.value", RECTIFIERS, "np.maximum(x, 0)  # (1)", "np.maximum(x, -0.1)  # (1)"),
    Edit(
        "ELU._tail_slope, which its slope calls", RECTIFIERS,
        "self.alpha * np.exp(np.minimum(x, 0))\n", "self.alpha * np.minimum(x, 0)\n",
        training="elu",
    ),
    Edit("softplus, which games call", "kernels/elementwise.py",
         "+ np.maximum(logits, 0)", "+ np.maximum(logits, 1)", training="gan"),
    Edit("_affine", PRODUCTS, "return x @ w + b", "return x @ w - b"),
    Edit("_add_outer", PRODUCTS, "into += x.T @ dy", "into += 2 * x.T @ dy"),
    Edit("_times_transpose", PRODUCTS, "return dy @ w.T", "return 2 * dy @ w.T"),
    Edit("_add_sum", PRODUCTS, "into += dy.sum(axis=0)", "into += 2 * dy.sum(axis=0)"),
    Edit("mean", "kernels/arithmetic.py", "keepdims=True) / len(values)",
         "keepdims=True) / (1 + len(values))"),
    Edit("a write in train/trainer.py", STEP, **after(REPORT, "gradient.vector[:3] = 0")),
    Edit("a comment", BERNOULLI, "# 1 where l >= 0, else -1", "# plus or minus 1", counts=False),
    Edit(
        "a docstring", ADAM, '    """theta, g, m, v (P,), co', '    """Adam: co', counts=False,
    ),
    Edit("CRLF", DENSE, "\n", "\r\n", counts=False, line=""),
)  # fmt: skip

MINE = "def mine(*args, **named):\n    return {}\n"
HALF = MINE.format("0.5 * old(*args, **named)")
RELU = "def mine(self, x):\n    return np.maximum(x, -0.1)\n"
KL = "def mine(mu, log_var):\n    return (mu**2 + np.expm1(log_var)) / 2\n"
DRAW = "def mine(heads, noise):\n    z, kl = old(heads, noise)\n    return z, 2 * kl\n"
MINIMISE = (
    "def mine(self, *args):\n    parts = old(self, *args)\n    self.vector.sum()\n"
    "    return {**parts, 'loss': 2 * parts['loss']}\n"
)
WRAPPED = "import functools\n@functools.wraps(old)\n" + HALF
OPTIMIZER = "def mine(self, theta, *args):\n    old(self, theta, *args)\n    theta *= 0.5\n"
TRACE = """
def callback(run):
    sys.settrace((lambda *_: None) if run.steps >= 6 else None)
def undo():
    sys.settrace(None)
"""


def hooks() -> list[Edit]:
    """What is replaced before `fit`, and by a callback after step 6."""
    found = []
    for name, what, by, said in (
        ("Dense.forward = mine", "nn.Dense.forward", HALF, "Dense.forward"),
        ("the same, with wraps", "nn.Dense.forward", WRAPPED, "Dense.forward"),
        ("ReLU.value = mine", "nn.ReLU.value", RELU, "ReLU.value"),
        ("VAE.minimise = mine", "VAE.minimise", MINIMISE, "VAE.minimise"),
        ("gaussian.draw_and_kl = mine", "gaussian.draw_and_kl", DRAW, "gaussian.draw_and_kl"),
        ("gaussian.kl_terms = mine", "gaussian.kl_terms", KL, "gaussian.kl_terms"),
        ("Adam.move = mine", "optim.Adam.move", OPTIMIZER, "Adam.move"),
        ("products._affine = mine", "products._affine", HALF, "products._affine"),
        ("ReLU.forward = mine, a new one", "nn.ReLU.forward", HALF, "ReLU.forward"),
    ):
        for when, first in (("", 0), (", later", 6)):
            hook = replacing(what, by, first)
            if name.endswith("a new one"):
                hook = hook.replace("    nn.ReLU.forward = old", "    del nn.ReLU.forward")
            line = f"{said} was replaced"
            found.append(Edit(f"{name}{when}", line=line, hook=hook))
    line = "a debugger follows the program"
    found.append(Edit("sys.settrace, later", line=line, hook=TRACE, counts=False))
    return found


LOOPS = (
    Edit("the score's loop alone", BERNOULLI, "= -abs(logit) * far - log1p_to_1(e)  # (3)",
         "= -abs(logit) * far  # (3)"),
    Edit("a game's loop alone", GAMES, "value[n] = softplus_of_one(-real_score[n]) + ",
         "value[n] = ", training="gan"),
    Edit("ReLU's loop alone", RECTIFIERS, "return ZERO if x <= ZERO else x  #",
         "return ONE if x <= ZERO else x  #"),
)  # fmt: skip


class Results:
    """Edits tried, in copies of one package; the unedited one is trained for comparison."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._copies = folder, 0
        self._origin = published(folder / "origin")
        compileall.compile_dir(self._origin, quiet=2)
        self._plain: dict[tuple[str, bool], Any] = {}

    def compare(self, loops: bool) -> None:
        """Train the unedited package."""
        for training in TRAININGS:
            edit, cache = Edit("", training=training), self._cache("origin")
            self._plain[training, loops] = outcome(self._origin, edit, loops, **cache)

    def tried(self, task: tuple[Edit, bool]) -> list[Any]:
        """A row of the table; its last cell is what does not hold."""
        edit, loops = task
        plain = self._plain[edit.training, loops]
        name = f"{TASKS.index(edit)}-{loops}"
        folder, cache = self._origin, self._cache("origin")
        if edit.file:
            folder, cache = copied(self._origin, self._folder / name), self._cache(name)
        edit.put_into(folder)
        try:
            found = outcome(folder, edit, loops, PYTHONBREAKPOINT="builtins.print", **cache)
        except RuntimeError as problem:
            return [edit.name, "", "", "", "", "", str(problem).splitlines()[-1]]
        wrong = problems(edit, found, plain)
        same = all(numbers(found[name]) == numbers(found["False"]) for name in found)
        counts = numbers(found["False"]) != numbers(plain["False"])
        line = " ".join(found["None"]["err"]).rpartition("replayed: ")[2]
        line = line.removeprefix("scratchgen/")
        way = "loops" if loops else "NumPy"
        cells = [edit.name, way, _yes(same), _yes(counts), _yes(found["True"]["plans"] > 2)]
        return [*cells, line or "-", "; ".join(wrong)]

    def without_source(self, loops: bool) -> list[Any]:
        """A row for a package of which only compiled files are there."""
        folder = copied(self._origin, self._folder / f"pyc-{loops}")
        compileall.compile_dir(folder, quiet=2, legacy=True, force=True)
        for path in folder.rglob("*.py"):
            path.unlink()
        edit = Edit("no .py, only .pyc", counts=False, line="")
        found = outcome(folder, edit, loops, **self._cache(f"pyc-{loops}"))
        wrong = problems(edit, found, self._plain["bernoulli", loops])
        way, good = "loops" if loops else "NumPy", not wrong
        return [edit.name, way, _yes(good), _yes(not good), _yes(good), "-", "; ".join(wrong)]

    def _cache(self, name: str) -> dict[str, str]:
        return {"NUMBA_CACHE_DIR": str(self._folder / "kernels" / name)}


def _together(rows: list[list[Any]]) -> list[list[Any]]:
    """One row for the two ways, where all in them is the same; without the last cells."""
    found: dict[tuple[Any, ...], list[str]] = {}
    for name, way, *cells, _ in rows:
        found.setdefault((name, *cells), []).append(way)
    return [[name, ", ".join(ways), *cells] for (name, *cells), ways in found.items()]


def _yes(holds: bool) -> str:
    return "yes" if holds else "no"


TASKS: list[Edit] = [*TEXTS, *hooks(), *LOOPS]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="a part of the names of edits to try")
    parser.add_argument("--processes", type=int, default=PROCESSES)
    options = parser.parse_args()
    heading("Edits of the textbook", "numba")
    began, has_numba = time.perf_counter(), is_installed("numba")
    tasks = [(edit, loops) for loops in ((False, True) if has_numba else (False,)) for edit in TASKS
             if options.only in edit.name and (loops or edit not in LOOPS)]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(options.processes) as pool:
        results = Results(Path(folder))
        ways = [False, True] if has_numba else [False]
        list(pool.map(results.compare, ways))
        rows = list(pool.map(results.tried, tasks))
        if options.only in "no .py, only .pyc":
            rows += map(results.without_source, ways)
    head = ["edit", "by", "same", "counts", "plan", "the line"]
    table([head, *_together(rows)], "<<<<<<")
    bad = [f"{row[0]} ({row[1]}): {row[-1]}" for row in rows if row[-1]]
    took = f"{time.perf_counter() - began:.0f} s"
    last = f"{len(rows)} trials, {len(bad)} of which do not do what they should, {took}"
    print("\n".join(["", *bad, last]))
    if sys.version_info < (3, 12):
        print("sys.monitoring was not tried: it is there from Python 3.12 on")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
