"""Physics is written once, for NumPy, JAX and PyTensor values alike."""

from __future__ import annotations

from functools import cache
from types import ModuleType
from typing import Any


def namespace(*values: Any) -> ModuleType:
    """Return the array module that the values belong to.

    Parameters
    ----------
    *values
        Numbers, NumPy arrays, pandas Series, JAX arrays or PyTensor variables.

    Returns
    -------
    module
        ``pytensor.tensor`` if any value is symbolic, else ``jax.numpy`` if any is a JAX array,
        else ``numpy``. Only a library that the caller has already imported is imported.

    Notes
    -----
    Use what all three share: ``exp``, ``log``, ``expm1``, ``log1p``, ``sqrt``, ``where``,
    ``maximum``, ``minimum``, ``clip``, ``abs``, ``tanh``, ``sum``. They do not share ``hypot``,
    ``cbrt``, ``trapezoid``, ``logical_and`` (write ``&``), ``sigmoid``, ``erf``, ``logsumexp``.
    """
    homes = {type(value).__module__.partition(".")[0] for value in values}
    if "pytensor" in homes:
        import pytensor.tensor as xp
    elif homes & {"jax", "jaxlib"}:
        import jax.numpy as xp
    else:
        import numpy as xp
    return xp


def expit(x: Any) -> Any:
    """Logistic function 1 / (1 + exp(-x)), for any of the three array libraries."""
    return 0.5 * (1.0 + namespace(x).tanh(0.5 * x))


def without_gradient(x: Any) -> Any:
    """The same value, through which no gradient flows; for the steps of an inner solver.

    The last step of a Newton solver alone then carries the gradient, which is that of the
    implicit function, and the graph to differentiate stays small.
    """
    home = type(x).__module__.partition(".")[0]
    if home == "pytensor":
        return _held()(x)
    if home in {"jax", "jaxlib"}:
        from jax.lax import stop_gradient

        return stop_gradient(x)
    return x


@cache
def _held() -> Any:
    """An identity that keeps gradients off.

    PyTensor's own ``disconnected_grad`` does not serve: canonicalisation takes it out of a graph
    as a mere view, and nutpie canonicalises before it differentiates.
    """
    from pytensor.scalar.basic import UnaryScalarOp, same_out
    from pytensor.tensor.elemwise import Elemwise

    class Held(UnaryScalarOp):
        nfunc_spec = ("positive", 1, 1)

        def impl(self, x: Any) -> Any:
            return x

        def c_code(self, node: Any, name: str, inputs: Any, outputs: Any, sub: Any) -> str:
            return f"{outputs[0]} = {inputs[0]};"  # only what has C code is fused into a loop

        def pullback(self, inputs: Any, outputs: Any, output_gradients: Any) -> Any:
            from pytensor.gradient import disconnected_type

            return [disconnected_type()]

        def connection_pattern(self, node: Any) -> list[list[bool]]:
            return [[False]]

    return Elemwise(Held(same_out, name="held"))
