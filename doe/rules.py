"""Rules as text: ``"rpm >= 800 and milling_min > 20"``.

A rule is a truth about columns: comparisons (``< <= > >= == !=``, also chained), ``and``, ``or``,
``not``, arithmetic (``+ - * / **``) and the functions log, exp, sqrt, abs, minimum, maximum.
Text columns may be compared with quoted text by ``==`` and ``!=``, ordered ones by all of these
(which is read as an ``or`` of the texts that are meant). A formula is the same language
with a number as its result. Nothing is ever executed: the text is parsed, every node is checked
against this list, and the tree is walked with NumPy arrays.

Two numbers come from one tree: `Rule.satisfied`, and `Rule.violation`, which is zero exactly where
the rule holds and grows with the distance from holding (``and`` adds, ``or`` takes the smallest,
``not`` is moved to the comparisons by De Morgan's laws).

A value that is missing is an error, because ``not (rpm >= 800)`` would otherwise hold for it.
A comparison with an undefined number (log of -1) holds neither plainly nor negated.
Numbers that differ by rounding only (0.67 + 0.28 and 0.95) are equal in every comparison.
"""

from __future__ import annotations

import ast
import functools
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from .errors import RuleError, unknown

MAX_LENGTH = 500
MAX_NODES = 200
ROUNDING = 1e-12
"""Relative difference up to which two numbers are equal: what sums of decimals are off by."""

FUNCTIONS: dict[str, tuple[int, Callable[..., np.ndarray]]] = {
    "log": (1, np.log),
    "exp": (1, np.exp),
    "sqrt": (1, np.sqrt),
    "abs": (1, np.abs),
    "minimum": (2, np.minimum),
    "maximum": (2, np.maximum),
}
ARITHMETIC = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
}
COMPARISONS = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
NEGATED = {
    ast.Lt: ast.GtE,
    ast.GtE: ast.Lt,
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
}
MIRRORED = {
    ast.Lt: ast.Gt,
    ast.LtE: ast.GtE,
    ast.Gt: ast.Lt,
    ast.GtE: ast.LtE,
    ast.Eq: ast.Eq,
    ast.NotEq: ast.NotEq,
}
HINTS = {
    ast.BitAnd: "write 'and' for '&'",
    ast.BitOr: "write 'or' for '|'",
    ast.Invert: "write 'not' for '~'",
    ast.In: "write a == 'x' or a == 'y' for 'in'",
    ast.NotIn: "write a != 'x' and a != 'y' for 'not in'",
    ast.NamedExpr: "write '==' to compare",
}


class Ordered(str):
    """Kind of a text column whose values have an order."""

    values: tuple[str, ...]

    def __new__(cls, values: Sequence[str]) -> Ordered:
        made = super().__new__(cls, "text")
        made.values = tuple(values)
        return made


class Listed(str):
    """Kind of a text column whose values are known, in no order."""

    values: tuple[str, ...]

    def __new__(cls, values: Sequence[str]) -> Listed:
        made = super().__new__(cls, "text")
        made.values = tuple(values)
        return made


@dataclass(frozen=True)
class Rule:
    """A parsed rule.

    Attributes
    ----------
    text : str
        The rule as written; it is what a campaign stores.
    names : tuple of str
        Columns that it uses, in the order of their first use.
    negated : bool
        True for a forbidden rule: it holds where the text does not.
    """

    text: str
    names: tuple[str, ...]
    negated: bool
    tree: ast.expr = field(repr=False, compare=False)

    @property
    def exact(self) -> bool:
        """Whether it compares numbers by == or !=, which a continuum meets by chance only."""
        return any(
            isinstance(node, ast.Compare)
            and any(isinstance(op, (ast.Eq, ast.NotEq)) for op in node.ops)
            and not any(_is_text(side) for side in (node.left, *node.comparators))
            for node in ast.walk(self.tree)
        )

    def __str__(self) -> str:
        return f"{'forbidden' if self.negated else 'constraint'} {self.text!r}"

    def satisfied(self, values: Mapping[str, object]) -> np.ndarray:
        """Where the rule holds.

        Parameters
        ----------
        values : mapping of column to value or array
            Arrays broadcast: (draws, 1) against (rows,) gives (draws, rows), whose mean over
            draws is the probability that a rule on an uncertain quantity holds.

        Raises
        ------
        RuleError
            If a column that the rule uses is absent or has a missing value.
        """
        arrays = _arrays(self, values)
        with np.errstate(all="ignore"):
            holds = _truth(self.tree, arrays, not self.negated, _HOLDS)
        return np.broadcast_to(holds, np.broadcast_shapes(*(a.shape for a in arrays.values())))

    def violation(self, values: Mapping[str, object]) -> np.ndarray:
        """How far the rule is from holding, in the units of its comparisons; 0 where it holds."""
        arrays = _arrays(self, values)
        with np.errstate(all="ignore"):
            gap = _truth(self.tree, arrays, not self.negated, _GAPS)
        return np.broadcast_to(gap, np.broadcast_shapes(*(a.shape for a in arrays.values())))


@dataclass(frozen=True)
class Formula:
    """A parsed formula: a number computed from columns."""

    text: str
    names: tuple[str, ...]
    tree: ast.expr = field(repr=False, compare=False)

    def __call__(self, values: Mapping[str, object]) -> np.ndarray:
        arrays = _arrays(self, values)
        with np.errstate(all="ignore"):
            return np.asarray(_value(self.tree, arrays), dtype=float)


def parse(text: str, kinds: Mapping[str, str], negated: bool = False) -> Rule:
    """Read a rule.

    Parameters
    ----------
    text : str
    kinds : mapping of column to "number" or "text"
        The columns that a rule may use.
    negated : bool
        Read the text as forbidden.

    Raises
    ------
    RuleError
        Naming what is wrong, where, and the mend.
    """
    tree, kind, names = _read(text, kinds)
    if kind != "truth":
        raise RuleError(f"rule {text!r} is a {kind}, not a comparison; add one, such as '<= 10'")
    if not names:
        raise RuleError(f"rule {text!r} names no column; it would hold always or never")
    return Rule(text, names, negated, tree)


def parse_formula(text: str, kinds: Mapping[str, str]) -> Formula:
    """Read a formula, such as ``"rpm * milling_min"``; raises `RuleError` as `parse` does."""
    tree, kind, names = _read(text, kinds)
    if kind != "number":
        raise RuleError(f"formula {text!r} is a {kind}; it should give a number")
    if not names:
        raise RuleError(f"formula {text!r} names no column; give a constant in fixed")
    return Formula(text, names, tree)


def names_in(text: str) -> tuple[str, ...]:
    """Columns that a rule or formula uses, before it is known what they are."""
    return _names(_tree(text))


def _tree(text: str) -> ast.expr:
    if not isinstance(text, str):
        raise RuleError(f"a rule is text such as 'rpm <= 800', not {type(text).__name__}")
    if len(text) > MAX_LENGTH:
        raise RuleError(
            f"rule of {len(text)} characters: {MAX_LENGTH} are allowed; split it in several"
        )
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as problem:
        raise RuleError(f"rule {text!r} cannot be read{_unread(text, problem)}") from None
    if sum(1 for _ in ast.walk(tree)) > MAX_NODES:
        raise RuleError(f"rule {text!r} has more than {MAX_NODES} parts; split it in several")
    return tree


SIGNS = {"=>": ">=", "=<": "<=", "\u2265": ">=", "\u2264": "<=", "\u2260": "!=", "<>": "!=",
         "&&": "and", "||": "or", "\u00b7": "*", "\u00d7": "*", "\u2212": "-"}  # fmt: skip
"""Signs that people type, and what a rule has for them."""


def _unread(text: str, problem: Exception) -> str:
    """What to write instead of a text that is no rule, and where reading ended."""
    if not text.strip():
        return ": it is empty; write a comparison, such as 'rpm <= 800'"
    for typed, sign in SIGNS.items():
        if typed in text:
            return f"; write {sign!r} for {typed!r}"
    if "=" in text and not any(op in text for op in ("==", "<=", ">=", "!=")):
        return "; write '==' to compare"
    place = getattr(problem, "offset", None)
    at = f" at character {place}" if place else ""
    return (
        f"{at}; a rule is comparisons joined by 'and', 'or' and 'not', such as "
        "'rpm >= 800 and milling_min > 20'"
    )


def _names(tree: ast.expr) -> tuple[str, ...]:
    called = {id(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
    found = [n for n in ast.walk(tree) if isinstance(n, ast.Name) and id(n) not in called]
    found.sort(key=lambda n: (n.lineno, n.col_offset))
    return tuple(dict.fromkeys(n.id for n in found))


def _read(text: str, kinds: Mapping[str, str]) -> tuple[ast.expr, str, tuple[str, ...]]:
    written = _tree(text)
    tree = _ByOrder(kinds, text).visit(written)
    kind = _check(tree, kinds, text)
    return tree, kind, _names(tree)


class _ByOrder(ast.NodeTransformer):
    """Comparisons of ordered text by order, written out as the texts for which they hold."""

    def __init__(self, kinds: Mapping[str, str], text: str) -> None:
        self.kinds, self.text = kinds, text

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        sides = [node.left, *node.comparators]
        pairs = list(zip(node.ops, sides, sides[1:], strict=False))
        if not any(self._column(side) is not None for side in sides):
            return node
        parts = [self._pair(op, left, right, node) for op, left, right in pairs]
        if len(parts) == 1:
            return parts[0]
        return ast.copy_location(ast.BoolOp(ast.And(), parts), node)

    def _column(self, node: ast.expr) -> Ordered | None:
        kind = self.kinds.get(node.id) if isinstance(node, ast.Name) else None
        return kind if isinstance(kind, Ordered) else None

    def _pair(self, op: ast.cmpop, left: ast.expr, right: ast.expr, node: ast.expr) -> ast.expr:
        plain = ast.copy_location(ast.Compare(left, [op], [right]), node)
        if self._column(left) is None and self._column(right) is not None:
            left, right, op = right, left, MIRRORED[type(op)]()
        order = self._column(left)
        if order is None or not isinstance(right, ast.Constant) or type(op) not in COMPARISONS:
            return plain
        if right.value not in order.values:
            shown = unknown(right.value, order.values, f"value of {ast.unparse(left)}")
            raise _refuse(self.text, right, shown)
        if isinstance(op, (ast.Eq, ast.NotEq)):
            return plain
        rank = order.values.index(right.value)
        meant = [v for i, v in enumerate(order.values) if COMPARISONS[type(op)](i, rank)]
        if not meant:
            raise _refuse(self.text, right, f"nothing is {_sign(op)} {right.value!r} there")
        each: list[ast.expr] = [
            ast.copy_location(ast.Compare(left, [ast.Eq()], [ast.Constant(v)]), node)
            for v in meant
        ]
        if len(each) == 1:
            return each[0]
        return ast.copy_location(ast.BoolOp(ast.Or(), each), node)


def _refuse(text: str, node: ast.AST, what: str) -> RuleError:
    place = getattr(node, "col_offset", None)
    at = "" if place is None else f" (at character {place + 1})"
    return RuleError(f"rule {text!r}: {what}{at}")


def _sign(op: ast.cmpop) -> str:
    return {ast.Lt: "below", ast.Gt: "above"}.get(type(op), type(op).__name__)


def _check(node: ast.expr, kinds: Mapping[str, str], text: str) -> str:
    """Kind of a node, "number", "text" or "truth"; everything not on the list is refused."""

    def need(child: ast.expr, kind: str, where: str) -> None:
        found = _check(child, kinds, text)
        if found != kind:
            raise _refuse(text, child, f"{where} needs a {kind}, this is a {found}")

    match node:
        case ast.BoolOp():
            for value in node.values:
                need(value, "truth", "'and' and 'or' join comparisons: each side")
            return "truth"
        case ast.UnaryOp(op=ast.Not()):
            need(node.operand, "truth", "'not'")
            return "truth"
        case ast.UnaryOp(op=ast.UAdd() | ast.USub()):
            need(node.operand, "number", "a sign")
            return "number"
        case ast.BinOp() if type(node.op) in ARITHMETIC:
            need(node.left, "number", "arithmetic")
            need(node.right, "number", "arithmetic")
            return "number"
        case ast.Compare() if all(type(op) in COMPARISONS for op in node.ops):
            sides = [_check(side, kinds, text) for side in (node.left, *node.comparators)]
            for op, left, right in zip(node.ops, sides, sides[1:], strict=False):
                if "truth" in (left, right) or left != right:
                    raise _refuse(text, node, f"a {left} is compared with a {right}")
                if left == "text" and not isinstance(op, (ast.Eq, ast.NotEq)):
                    raise _refuse(text, node, "text can only be compared by == and !=")
            for one, other in zip([node.left, *node.comparators], node.comparators, strict=False):
                _known_value(one, other, kinds, text)
                _known_value(other, one, kinds, text)
            return "truth"
        case ast.Call():
            return _check_call(node, kinds, text)
        case ast.Name():
            if node.id not in kinds:
                raise _refuse(text, node, unknown(node.id, kinds, "factor here"))
            return kinds[node.id]
        case ast.Constant(value=str()):
            return "text"
        case ast.Constant(value=int() | float()) if not isinstance(node.value, bool):
            return "number"
    raise _refuse(text, node, _not_allowed(node))


def _known_value(column: ast.expr, value: ast.expr, kinds: Mapping[str, str], text: str) -> None:
    """Refuse a text that the column never has: the rule would hold always or never, unnoticed."""
    kind = kinds.get(column.id) if isinstance(column, ast.Name) else None
    if not isinstance(kind, Listed) or not isinstance(value, ast.Constant):
        return
    if value.value not in kind.values:
        shown = unknown(value.value, kind.values, f"value of {ast.unparse(column)}")
        raise _refuse(text, value, shown)


def _check_call(node: ast.Call, kinds: Mapping[str, str], text: str) -> str:
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    if name not in FUNCTIONS:
        shown = name or ast.unparse(node.func)
        raise _refuse(text, node, unknown(shown, FUNCTIONS, "function here"))
    least = FUNCTIONS[name][0]
    if node.keywords or len(node.args) < least or (least == 1 and len(node.args) > 1):
        wanted = "one argument" if least == 1 else "two or more arguments"
        raise _refuse(text, node, f"{name} takes {wanted}")
    for argument in node.args:
        kind = _check(argument, kinds, text)
        if kind != "number":
            raise _refuse(text, argument, f"{name} needs a number, this is a {kind}")
    return "number"


def _not_allowed(node: ast.expr) -> str:
    ops = getattr(node, "ops", None) or [getattr(node, "op", node)]
    for op in ops:
        if type(op) in HINTS:
            return HINTS[type(op)]
    if isinstance(node, ast.Tuple):
        return "a comma joins nothing here; write decimals with a point, comparisons with 'and'"
    shown = type(ops[0]).__name__
    return f"{shown} is not allowed; use comparisons, and, or, not, + - * / ** and functions"


def _arrays(rule: Rule | Formula, values: Mapping[str, object]) -> dict[str, np.ndarray]:
    arrays = {}
    for name in rule.names:
        if name not in values:
            raise RuleError(
                f"rule {rule.text!r} needs {name!r}, which is not given; "
                f"add it to the table or to fixed={{{name!r}: ...}}"
            )
        array = np.asarray(values[name])
        if array.dtype.kind in "biuf":
            array = array.astype(float)
            missing = np.isnan(array)
        else:
            array = array.astype(object)
            missing = np.vectorize(_is_missing, otypes=[bool])(array)
        if missing.any():
            at = np.argwhere(np.atleast_1d(missing))[0]
            raise RuleError(
                f"rule {rule.text!r} needs {name!r}, which is missing in row {int(at[-1])}; "
                "fill it in or leave the row out"
            )
        arrays[name] = array
    return arrays


def _is_missing(value: object) -> bool:
    return value is None or value != value or type(value).__name__ == "NAType"


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _value(node: ast.expr, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """Number (or text) of a checked node. Constants are NumPy floats: 9**9**9 is inf, no hang."""
    match node:
        case ast.Name():
            return arrays[node.id]
        case ast.Constant(value=str()):
            return np.asarray(node.value, dtype=object)
        case ast.Constant():
            try:
                return np.asarray(float(node.value))  # pyright: ignore[reportArgumentType]
            except OverflowError:
                return np.asarray(np.inf)
        case ast.UnaryOp(op=ast.USub()):
            return -_value(node.operand, arrays)
        case ast.UnaryOp():
            return _value(node.operand, arrays)
        case ast.BinOp():
            return ARITHMETIC[type(node.op)](_value(node.left, arrays), _value(node.right, arrays))
        case ast.Call(func=ast.Name(id=name)):
            function = FUNCTIONS[name][1]
            arguments = [_value(a, arrays) for a in node.args]
            return (
                functools.reduce(function, arguments)
                if len(arguments) > 1
                else function(arguments[0])
            )
    raise AssertionError(f"unchecked node {node!r}")


def _holds(op: type, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    result = np.asarray(COMPARISONS[op](left, right), dtype=bool)
    if left.dtype.kind != "f":
        return result
    size = np.maximum(np.abs(left), np.abs(right))
    same = (np.abs(left - right) <= ROUNDING * size) & (size < np.inf)
    if op in (ast.LtE, ast.GtE, ast.Eq):
        return result | same
    return result & ~same & ~np.isnan(size)


def _gap(op: type, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    holds = _holds(op, left, right)
    if left.dtype.kind != "f" or op is ast.NotEq:
        return np.where(holds, 0.0, 1.0)
    distance = np.abs(left - right)
    distance = np.where(np.isnan(distance), np.inf, distance)
    # a strict comparison fails at distance zero: any positive number keeps "zero = holds" exact
    return np.where(holds, 0.0, np.maximum(distance, np.finfo(float).tiny))


_HOLDS = (_holds, np.logical_and, np.logical_or)
_GAPS = (_gap, np.add, np.minimum)


def _truth(node: ast.expr, arrays: Mapping[str, np.ndarray], wanted: bool, algebra: tuple):
    """Fold a truth node; `wanted` False asks for its negation, pushed down to the comparisons."""
    leaf, conjunction, disjunction = algebra
    match node:
        case ast.UnaryOp(op=ast.Not()):
            return _truth(node.operand, arrays, not wanted, algebra)
        case ast.BoolOp():
            parts = [_truth(v, arrays, wanted, algebra) for v in node.values]
            every = isinstance(node.op, ast.And) == wanted
            return functools.reduce(conjunction if every else disjunction, parts)
        case ast.Compare():
            sides = [_value(side, arrays) for side in (node.left, *node.comparators)]
            parts = [
                leaf(type(op) if wanted else NEGATED[type(op)], left, right)
                for op, left, right in zip(node.ops, sides, sides[1:], strict=False)
            ]
            return functools.reduce(conjunction if wanted else disjunction, parts)
    raise AssertionError(f"unchecked node {node!r}")
