"""The operators: each looks at a node of a function and lists replacements for it."""

import ast
from typing import Any

from operators import Node, Site, operator

SHAPE_ATTRIBUTES = ("shape", "dtype", "ndim", "flags", "size", "reshape")
PRODUCTS = ("matmul", "times", "times_transpose", "add_outer", "affine")
RECORDED = ("x", "u", "mu", "log_var", "logits", "real", "fake")  # gradients, by name
UNARY = ("abs", "exp", "expm1", "sqrt", "square", "log", "log1p", "sigmoid", "softplus")


def parsed(text: str) -> Any:
    """An expression."""
    return ast.parse(text, mode="eval").body


def text_of(node: Node) -> str:
    return ast.unparse(node)


def binop(left: Any, op: Any, right: Any) -> Any:
    return ast.BinOp(left, op, right)


def minus(node: Any) -> Any:
    return ast.UnaryOp(ast.USub(), node)


def called(node: Any) -> str:
    """The name of the called function, `matmul` in `np.matmul(...)`; "" if the node is no call."""
    if not isinstance(node, ast.Call):
        return ""
    f = node.func
    return f.attr if isinstance(f, ast.Attribute) else getattr(f, "id", "")


def is_number(node: Any, *values: float) -> bool:
    if not isinstance(node, ast.Constant) or type(node.value) not in (int, float):
        return False
    return not values or node.value in values


def recalled(call: ast.Call, args: list[Any] | None = None, **keywords: Any) -> Any:
    """The same call with other arguments."""
    old = [keyword for keyword in call.keywords if keyword.arg not in keywords]
    new = [ast.keyword(name, value) for name, value in keywords.items() if value is not None]
    return ast.Call(call.func, call.args if args is None else args, old + new)


def is_statement(node: Node) -> bool:
    return isinstance(node, ast.stmt)


@operator("drop term")
def drop_term(site: Site) -> list[Node]:
    """a + b -> a, b;  a - b -> a, -b."""
    node = site.node
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Add | ast.Sub):
        return []
    return [node.left, node.right if isinstance(node.op, ast.Add) else minus(node.right)]


@operator("sign")
def sign(site: Site) -> list[Node]:
    """a + b <-> a - b;  -a -> a;  a += b <-> a -= b;  what is returned, or named there -> -it."""
    node = site.node
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        other = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
        return [binop(node.left, other, node.right)]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return [node.operand] if not isinstance(site.parent, ast.Slice) else []
    if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add | ast.Sub):
        other = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
        return [ast.AugAssign(node.target, other, node.value)]
    returned = isinstance(site.parent, ast.Return) and isinstance(node, ast.expr)
    of_record = isinstance(site.parent, ast.keyword) and site.parent.arg not in (
        "out",
        "into",
        "axis",
    )
    if (returned or of_record) and isinstance(
        node, ast.BinOp | ast.Name | ast.Call | ast.Subscript
    ):
        if called(node) in ("SimpleNamespace", "tuple", "range", "Network") or site.in_field(
            "func"
        ):
            return []
        return [minus(node)]
    return []


@operator("drop factor")
def drop_factor(site: Site) -> list[Node]:
    """a * b -> a, b;  a / b -> a;  a *= b -> nothing."""
    node = site.node
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        return [node.left, node.right]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        return [node.left]
    if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Mult | ast.Div):
        return [ast.Pass()]
    if called(node) == "multiply" and len(node.args) >= 2:
        return [
            recalled(node, [parsed("1.0"), node.args[1]]),
            recalled(node, [node.args[0], parsed("1.0")]),
        ]
    if called(node) == "divide" and len(node.args) >= 2:
        return [recalled(node, [node.args[0], parsed("1.0")])]
    return []


@operator("times or divide")
def times_or_divide(site: Site) -> list[Node]:
    """a * b <-> a / b."""
    node = site.node
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
        other = ast.Div() if isinstance(node.op, ast.Mult) else ast.Mult()
        return [binop(node.left, other, node.right)]
    if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Mult | ast.Div):
        other = ast.Div() if isinstance(node.op, ast.Mult) else ast.Mult()
        return [ast.AugAssign(node.target, other, node.value)]
    if called(node) in ("multiply", "divide"):
        other_name = {"multiply": "divide", "divide": "multiply"}[called(node)]
        return [ast.Call(parsed(f"np.{other_name}"), node.args, node.keywords)]
    return []


@operator("sum or mean")
def sum_or_mean(site: Site) -> list[Node]:
    """.sum() <-> .mean()."""
    node = site.node
    if called(node) not in ("sum", "mean") or not isinstance(node.func, ast.Attribute):
        return []
    other = {"sum": "mean", "mean": "sum"}[called(node)]
    return [ast.Call(ast.Attribute(node.func.value, other, ast.Load()), node.args, node.keywords)]


@operator("axis")
def axis(site: Site) -> list[Node]:
    """axis=a -> the others of 0, 1, -1, None; [..., None] and [:, None] -> [None]."""
    node = site.node
    if isinstance(node, ast.keyword) and node.arg == "axis":
        have = text_of(node.value)
        others = [axis for axis in ("0", "1", "-1", "None") if axis != have]
        return [ast.keyword("axis", parsed(axis)) for axis in others]
    if isinstance(node, ast.Subscript) and text_of(node.slice) in (
        "(:, None)",
        "(..., None)",
        "..., None",
        ":, None",
    ):
        return [ast.Subscript(node.value, parsed("None"), ast.Load())]
    return []


@operator("transpose")
def transpose(site: Site) -> list[Node]:
    """.T dropped; .T inserted at an operand of a product; its operands exchanged."""
    node = site.node
    if isinstance(node, ast.Attribute) and node.attr == "T":
        return [node.value]
    found: list[Node] = []
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
        a, b = node.left, node.right
        found = [binop(b, node.op, a), binop(_t(a), node.op, b), binop(a, node.op, _t(b))]
    elif called(node) in PRODUCTS and len(node.args) >= 2:
        a, b, *rest = node.args
        variants = [[b, a], [_t(a), b], [a, _t(b)]]
        found = [recalled(node, [*pair, *rest]) for pair in variants]
    return [node for node in found if ".T.T" not in text_of(node)]


def _t(node: Any) -> Any:
    return ast.Attribute(node, "T", ast.Load())


@operator("comparison")
def comparison(site: Site) -> list[Node]:
    """< <-> >, <= <-> >= (flipped); < <-> <=, > <-> >= (weakened); == <-> !=."""
    node = site.node
    if not isinstance(node, ast.Compare) or len(node.ops) != 1:
        return []
    kinds: dict[type, list[Any]] = {
        ast.Lt: [ast.Gt, ast.LtE],
        ast.Gt: [ast.Lt, ast.GtE],
        ast.LtE: [ast.GtE, ast.Lt],
        ast.GtE: [ast.LtE, ast.Gt],
        ast.Eq: [ast.NotEq],
        ast.NotEq: [ast.Eq],
    }
    others = kinds.get(type(node.ops[0]), [])
    return [ast.Compare(node.left, [operator()], node.comparators) for operator in others]


@operator("constant")
def constant(site: Site) -> list[Node]:
    """2 -> 1, 3;  0.5 -> 1;  1 -> 0, 2;  0 -> 1;  any other number -> half of it."""
    node = site.node
    if not is_number(node) or isinstance(site.parent, ast.Subscript | ast.Slice | ast.Tuple):
        return []
    if isinstance(site.parent, ast.keyword) and site.parent.arg in ("axis", "keepdims"):
        return []
    if isinstance(site.parent, ast.BinOp) and isinstance(site.parent.op, ast.Pow):
        return []  # the operator `power`
    if called(site.parent) in ("range", "split", "inner", "arange"):
        return []
    others = {2: [1, 3], 0.5: [1], 1: [0, 2], 0: [1]}.get(node.value, [node.value / 2])
    return [ast.Constant(constant) for constant in others]


@operator("accumulate")
def accumulate(site: Site) -> list[Node]:
    """a += b -> a = b;  -> a[...] = b;  np.add.at(a, i, b) -> a[i] += b."""
    node = site.node
    if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add | ast.Sub):
        plain = node.value if isinstance(node.op, ast.Add) else minus(node.value)
        target = parsed(text_of(node.target))
        inside = ast.Subscript(target, parsed("..."), ast.Store())
        return [ast.Assign([node.target], plain), ast.Assign([inside], plain)]
    if isinstance(node, ast.Expr) and text_of(node.value).startswith("np.add.at("):
        into, at, value = node.value.args
        return [ast.AugAssign(ast.Subscript(into, at, ast.Store()), ast.Add(), value)]
    return []


@operator("power")
def power(site: Site) -> list[Node]:
    """a ** n -> a ** (n - 1), a ** (n + 1);  a * a -> a * a * a."""
    node = site.node
    if not isinstance(node, ast.BinOp):
        return []
    if isinstance(node.op, ast.Pow):
        less, more = (
            binop(node.right, ast.Sub(), parsed("1")),
            binop(node.right, ast.Add(), parsed("1")),
        )
        return [binop(node.left, node.op, less), binop(node.left, node.op, more)]
    if isinstance(node.op, ast.Mult) and text_of(node.left) == text_of(node.right):
        return [binop(node, ast.Mult(), node.right)]
    return []


@operator("wrong name")
def wrong_name(site: Site) -> list[Node]:
    """An array -> those before and after it in the list of the function's arrays known by then."""
    node = site.node
    if not _is_array_read(site):
        return []
    known = [name for name in site.arrays if site.bound.get(name, 0) < node.lineno]
    if not known:
        return []
    here = known.index(text_of(node)) if text_of(node) in known else 0
    others = dict.fromkeys(known[(here + step) % len(known)] for step in (1, -1))
    return [parsed(text) for text in others if text != text_of(node)]


def _is_array_read(site: Site) -> bool:
    """Whether the node reads the values of an array of the function."""
    node = site.node
    if not isinstance(node, ast.Name | ast.Attribute) or not isinstance(node.ctx, ast.Load):
        return False
    if isinstance(site.parent, ast.Attribute) and site.parent.attr in SHAPE_ATTRIBUTES:
        return site.parent.attr == "reshape" and text_of(node) in site.arrays
    if called(site.parent) == "len" or site.in_field("func"):
        return False
    if isinstance(site.parent, ast.keyword) and site.parent.arg in ("out", "into", "like"):
        return False
    if isinstance(site.parent, ast.Compare) and isinstance(site.parent.ops[0], ast.Is | ast.IsNot):
        return False
    return text_of(node) in site.arrays


@operator("drop mask")
def drop_mask(site: Site) -> list[Node]:
    """np.where(c, a, b) -> a, b;  a maximum or minimum -> its first argument."""
    node = site.node
    if called(node) == "where":
        return [_like(node.args[0], node.args[1]), _like(node.args[0], node.args[2])]
    if called(node) in ("maximum", "minimum"):
        return [node.args[0]]
    return []


def _like(condition: Any, value: Any) -> Any:
    """`value` in the shape of the condition."""
    if isinstance(condition, ast.Compare):
        return binop(value, ast.Add(), binop(parsed("0.0"), ast.Mult(), condition.left))
    return value


@operator("drop function")
def drop_function(site: Site) -> list[Node]:
    """f(a) -> a, for exp, sqrt, abs, square, sigmoid ...;  expm1 -> exp, log1p -> log."""
    node = site.node
    if called(node) not in UNARY or not node.args:
        return []
    found: list[Node] = [node.args[0]]
    without_one = {"expm1": "exp", "log1p": "log"}.get(called(node))
    if without_one:
        found.append(ast.Call(parsed(f"np.{without_one}"), node.args, node.keywords))
    return found


@operator("extra factor")
def extra_factor(site: Site) -> list[Node]:
    """What is added to a gradient, or recorded as one -> twice that; -> that, divided by N."""
    node = site.node
    if not isinstance(node, ast.expr) or not site.given:
        return []
    added = isinstance(site.parent, ast.AugAssign) and site.in_field("value")
    recorded = isinstance(site.parent, ast.keyword) and site.parent.arg in RECORDED
    if not (added or recorded) or (added and not isinstance(site.parent.op, ast.Add)):
        return []
    n = parsed(f"len({site.given[0]})")
    return [binop(parsed("2"), ast.Mult(), node), binop(node, ast.Div(), n)]


@operator("in place")
def in_place(site: Site) -> list[Node]:
    """a * b -> written into a, for an a that was given or is noted; out=... -> out=such an a;
    a copy -> the array itself."""
    node = site.node
    if called(node) == "copy":
        return [node.func.value]
    if isinstance(node, ast.BinOp) and text_of(node.left) in _borrowed(site):
        ufunc = {ast.Mult: "multiply", ast.Add: "add", ast.Sub: "subtract", ast.Div: "divide"}
        name = ufunc.get(type(node.op))
        if name:
            into = ast.keyword("out", node.left)
            return [ast.Call(parsed(f"np.{name}"), [node.left, node.right], [into])]
    if (
        isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.Mult)
        and text_of(node.right) in _borrowed(site)
    ):
        into = ast.keyword("out", node.right)
        return [ast.Call(parsed("np.multiply"), [node.left, node.right], [into])]
    if isinstance(node, ast.Call) and any(keyword.arg == "out" for keyword in node.keywords):
        here = [argument for argument in node.args if text_of(argument) in _borrowed(site)]
        return [recalled(node, out=argument) for argument in here]
    return []


def _borrowed(site: Site) -> list[str]:
    """Arrays that the function does not own: arguments, and notes of the forward pass."""
    return [*site.given, *(array for array in site.arrays if "." in array)]


@operator("stale cache")
def stale_cache(site: Site) -> list[Node]:
    """tape.x -> the x that the last forward pass noted, on any tape."""
    node = site.node
    if not isinstance(node, ast.Attribute) or not isinstance(node.ctx, ast.Load):
        return []
    if text_of(node.value) != "tape" or site.in_field("func") or node.attr in ("training", "rng"):
        return []
    return [parsed(f"__import__('operators').latest(tape, '{node.attr}')")]


@operator("not linear")
def not_linear(site: Site) -> list[Node]:
    """A cotangent c -> |c|, max(c, 0), c ** 2, c cut to [-1, 1]."""
    node = site.node
    if not _is_array_read(site) or text_of(node) not in ("dy", "dv", "dvalue", "dz"):
        return []
    name = text_of(node)
    texts = (f"np.abs({name})", f"np.maximum({name}, 0)", f"{name} ** 2", f"np.clip({name}, -1, 1)")
    return [parsed(text) for text in texts]


@operator("layout")
def layout(site: Site) -> list[Node]:
    """A cotangent is read in the order of its memory, as if it were contiguous."""
    node = site.node
    if not _is_array_read(site) or text_of(node) not in ("dy", "dv", "dz"):
        return []
    name = text_of(node)
    return [parsed(f"{name}.ravel(order='K').reshape({name}.shape)")]


@operator("drop statement")
def drop_statement(site: Site) -> list[Node]:
    """A call for its effect, or an addition in place -> nothing."""
    node = site.node
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        return [ast.Pass()]
    return (
        [ast.Pass()]
        if isinstance(node, ast.AugAssign | ast.Assign) and _writes_inside(node)
        else []
    )


def _writes_inside(node: Any) -> bool:
    target = node.target if isinstance(node, ast.AugAssign) else node.targets[0]
    return isinstance(node, ast.AugAssign) or isinstance(target, ast.Subscript)


@operator("slice")
def slices(site: Site) -> list[Node]:
    """a[:k] <-> a[k:];  a[:-1] -> a[1:];  reversed(a) -> a."""
    node = site.node
    if isinstance(node, ast.Slice) and (node.lower is None) != (node.upper is None):
        if isinstance(site.parent, ast.Subscript) and ".shape" in text_of(site.parent.value):
            return []
        return [ast.Slice(node.upper, node.lower, node.step)]
    return [node.args[0]] if called(node) == "reversed" else []


@operator("branch")
def branch(site: Site) -> list[Node]:
    """if c -> if not c; a if c else b -> b if c else a; and <-> or. Not for `is None`."""
    node = site.node
    if isinstance(node, ast.If | ast.IfExp) and "None" not in text_of(node.test):
        test = ast.UnaryOp(ast.Not(), node.test)
        if isinstance(node, ast.If):
            return [ast.If(test, node.body, node.orelse)]
        return [ast.IfExp(test, node.body, node.orelse)]
    if isinstance(node, ast.BoolOp):
        other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        return [ast.BoolOp(other, node.values)]
    return []


@operator("path missing")
def path_missing(site: Site) -> list[Node]:
    """A gradient that is returned, alone or in a record -> zeros."""
    node = site.node
    if not isinstance(node, ast.expr):
        return []
    in_record = isinstance(site.parent, ast.keyword) and site.parent.arg in RECORDED
    return [binop(parsed("0.0"), ast.Mult(), node)] if in_record else []
