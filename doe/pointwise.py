"""A rule for one setting at a time, as scikit-optimize asks it: ten thousand times a suggestion.

The checked tree of a rule becomes nested functions of plain floats, much faster for a
single point than the arrays of `rules`. Where floats raise and arrays do not (a division by
zero), the arrays decide, so both always agree.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

from .rules import COMPARISONS, NEGATED, ROUNDING, Rule

Values = Mapping[str, Any]


def _of_defined(choose: Callable, numbers: tuple[float, ...]) -> float:
    return math.nan if any(n != n for n in numbers) else choose(numbers)


FUNCTIONS: dict[str, Any] = {
    "log": math.log,
    "exp": math.exp,
    "sqrt": math.sqrt,
    "abs": abs,
    "minimum": lambda *numbers: _of_defined(min, numbers),
    "maximum": lambda *numbers: _of_defined(max, numbers),
}
ARITHMETIC = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: math.pow,
}


def predicate(rule: Rule) -> Callable[[Values], bool]:
    """A function of one setting, ``{"rpm": 600.0, ...}``, that tells whether the rule holds."""
    quick = _truth(rule.tree, not rule.negated)

    def holds(values: Values) -> bool:
        try:
            return quick(values)
        except (ArithmeticError, ValueError):
            return bool(rule.satisfied(values))

    return holds


def _truth(node: ast.expr, wanted: bool) -> Callable[[Values], bool]:
    match node:
        case ast.UnaryOp():
            return _truth(node.operand, not wanted)
        case ast.BoolOp():
            parts = [_truth(v, wanted) for v in node.values]
            if isinstance(node.op, ast.And) == wanted:
                return lambda values: all(part(values) for part in parts)
            return lambda values: any(part(values) for part in parts)
        case ast.Compare():
            sides = [_number(side) for side in (node.left, *node.comparators)]
            parts = [
                _comparison(type(op) if wanted else NEGATED[type(op)], left, right)
                for op, left, right in zip(node.ops, sides, sides[1:], strict=False)
            ]
            if len(parts) == 1:
                return parts[0]
            join = all if wanted else any
            return lambda values: join(part(values) for part in parts)
    raise AssertionError(f"unchecked node {node!r}")


def _comparison(op: type, left: Callable, right: Callable) -> Callable[[Values], bool]:
    compare = COMPARISONS[op]
    loose = op in (ast.LtE, ast.GtE, ast.Eq)

    def holds(values: Values) -> bool:
        a, b = left(values), right(values)
        if loose:
            return compare(a, b) or _same(a, b)
        # an undefined number is unequal to nothing
        return compare(a, b) and not _same(a, b) and a == a and b == b

    return holds


def _same(a: Any, b: Any) -> bool:
    """Whether two values differ by rounding only."""
    if isinstance(a, str) or a == b:
        return a == b
    size = max(abs(a), abs(b))
    return size < math.inf and abs(a - b) <= ROUNDING * size


def _number(node: ast.expr) -> Callable[[Values], Any]:
    match node:
        case ast.Name(id=name):
            return lambda values: values[name]
        case ast.Constant(value=str() as text):
            return lambda values: text
        case ast.Constant(value=value):
            try:
                number = float(value)  # pyright: ignore[reportArgumentType]
            except OverflowError:
                number = math.inf
            return lambda values: number
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            inner = _number(operand)
            return lambda values: -inner(values)
        case ast.UnaryOp(operand=operand):
            return _number(operand)
        case ast.BinOp():
            do, a, b = ARITHMETIC[type(node.op)], _number(node.left), _number(node.right)
            return lambda values: do(a(values), b(values))
        case ast.Call(func=ast.Name(id=name), args=args):
            function, parts = FUNCTIONS[name], [_number(a) for a in args]
            return lambda values: function(*(part(values) for part in parts))
    raise AssertionError(f"unchecked node {node!r}")
