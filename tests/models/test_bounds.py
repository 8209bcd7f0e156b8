"""Readings that are bounds: their likelihood, and that a fit hears them."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytensor.tensor as pt
import pytest
from pytensor.compile.maker import function as compile_function
from scipy import stats
from ssbayes.models.engine.bounds import NODE, bound_encoder, log_normal_tail

Z = np.array([-40.0, -12.0, -6.001, -5.999, -1.0, 0.0, 3.0, 9.0])


def test_the_tail_is_that_of_a_normal_far_below_as_well():
    np.testing.assert_allclose(log_normal_tail(Z), stats.norm.logcdf(Z), rtol=3e-4, atol=1e-15)


def test_the_tail_is_one_function_for_numpy_jax_and_pytensor_with_its_gradient():
    jax.config.update("jax_enable_x64", True)
    expected = log_normal_tail(Z)
    np.testing.assert_allclose(jax.jit(log_normal_tail)(jnp.asarray(Z)), expected, rtol=1e-10)
    symbol = pt.dvector("z")
    compiled: Any = compile_function([symbol], log_normal_tail(symbol), mode="FAST_COMPILE")
    np.testing.assert_allclose(compiled(Z), expected, rtol=1e-10)
    slope = jax.vmap(jax.grad(log_normal_tail))(jnp.asarray(Z))
    exact = np.exp(stats.norm.logpdf(Z) - stats.norm.logcdf(Z))
    np.testing.assert_allclose(slope, exact, rtol=2e-3, atol=1e-15)


def test_bounds_are_listed_with_their_side_cells_and_stated_error():
    rows = pd.DataFrame({
        "coverage": [0.97, 0.5, 0.97, np.nan], "coverage_censored": [">", None, "<", "<"],
        "porosity": [np.nan, 0.05, np.nan, np.nan], "porosity_censored": [None, "<", None, None],
        "coverage_n": [2, 1, np.nan, 1], "porosity_sd": [np.nan, 0.01, np.nan, np.nan]})
    found = bound_encoder("coverage", "porosity")(rows, rows, False)[NODE]
    assert found.tolist() == [[0, 0, 0.97, 1, 2, 0], [0, 2, 0.97, -1, 1, 0],
                              [1, 1, 0.05, -1, 1, 0.01]]


def test_the_spread_between_cells_is_no_error_of_their_mean():
    rows = pd.DataFrame({"coverage": [0.97], "coverage_censored": [">"], "coverage_n": [4],
                         "coverage_sd": [0.05]})
    assert bound_encoder("coverage")(rows, rows, False)[NODE].tolist() == [[0, 0, 0.97, 1, 4, 0]]


@pytest.mark.parametrize("empty", [pd.DataFrame(), pd.DataFrame({"coverage": [0.3]})])
def test_a_table_without_bounds_has_an_empty_list(empty):
    assert bound_encoder("coverage")(empty, empty, False)[NODE].shape == (0, 6)
