"""The notebooks in demos/ run from top to bottom, and their outputs display themselves.

To run a notebook again and save its outputs (without ipywidgets, whose bars cannot be saved):

    jupyter nbconvert --to notebook --execute --inplace demos/first_steps.ipynb
"""

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from scratchgen.ground.versions import is_installed

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "demos").glob("*.ipynb"))
LONGEST = 15  # lines of a cell
LARGEST = 300_000  # bytes of a notebook

needs_plots = pytest.mark.skipif(
    not is_installed("matplotlib"), reason="matplotlib is not installed: notebooks draw pictures"
)


def value_of(source: str, names: dict[str, Any]) -> Any:
    """Run a cell as Jupyter does; return the value of its last line, if that is an expression."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "<cell>", "exec"), names)
    return last and eval(compile(ast.Expression(last.value), "<cell>", "eval"), names)


def displayed(value: Any) -> str:
    """The kind of output that Jupyter would display for a value: the richest that it has."""
    for kind in ("html", "png"):
        method = getattr(value, f"_repr_{kind}_", None)
        if method is not None and method():
            return kind
    return "text" if repr(value) else ""


@needs_plots
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_displays_the_saved_kinds_of_outputs(notebook, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "__main__"}
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] != "code":
            continue
        value = value_of("".join(cell["source"]), names)
        saved = {kind for output in cell["outputs"] for kind in output.get("data", ())}
        if value is None:
            assert not saved
        elif "image/png" in saved:
            assert displayed(value) == "png"
        elif "text/html" in saved:
            assert displayed(value) == "html"
        else:
            (output,) = (output for output in cell["outputs"] if "data" in output)
            first = "".join(output["data"]["text/plain"]).split()[0]
            assert repr(value).startswith(first)  # such as PASS, True, or the kind of a model


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_has_short_cells_with_outputs_and_is_small(notebook):
    content = json.loads(notebook.read_text(encoding="utf-8"))
    assert content["nbformat"] == 4
    assert notebook.stat().st_size < LARGEST
    for cell in content["cells"]:
        if cell["cell_type"] == "code":
            assert len(cell["source"]) < LONGEST
            assert cell["outputs"], "run it, and save its outputs"
            assert all(output["output_type"] != "error" for output in cell["outputs"])


def test_a_notebook_says_how_to_open_it():
    assert NOTEBOOKS
    for notebook in NOTEBOOKS:
        first = json.loads(notebook.read_text(encoding="utf-8"))["cells"][0]["source"]
        assert "pip install jupyter" in "".join(first)
