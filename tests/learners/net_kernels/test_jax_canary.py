"""jax's compiled sums are right on this machine: some releases return wrong numbers on CPU at some sizes."""

import sys

import numpy as np
import pytest

from hierbench.learners.net_kernels.neural_tangents_compat import WRONG_NUMBERS_JAX, check_versions

jax = pytest.importorskip("jax")
SIZES = [2**k + 1 for k in range(1, 15)]


@pytest.mark.parametrize("rows", SIZES)
def test_jit_eager_and_numpy_agree(rows):
    """jax 0.10.2 fails this at 16385 rows in float64."""
    import jax.numpy as jnp

    def f(M, r):
        return jnp.sum((M @ r) ** 2)

    rng = np.random.default_rng(rows)
    M, R = rng.standard_normal((rows, 3)), rng.standard_normal((4, 3))
    expected = np.square(M @ R.T).sum(0)
    with jax.enable_x64(True):
        over = jax.vmap(f, in_axes=(None, 0))
        compiled, eager = np.asarray(jax.jit(over)(M, R)), np.asarray(over(M, R))
        one_by_one = np.array([float(f(jnp.asarray(M), r)) for r in R])
    for found in (compiled, eager, one_by_one):
        assert found.dtype == np.float64
        np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_the_installed_jax_is_none_of_those_that_fail():
    assert jax.__version__ not in WRONG_NUMBERS_JAX
    check_versions()


@pytest.mark.parametrize(
    ("jax_version", "nt_version"),
    [
        ("0.10.2", "0.6.5"),
        ("0.5.3", "0.6.5"),
        ("0.11.0", "0.6.5"),
        ("0.10.1", "0.6.4"),
        ("not installed", "0.6.5"),
    ],
)
def test_other_versions_are_refused_in_one_line(jax_version, nt_version):
    with pytest.raises(ImportError, match=r"neural-tangents 0\.6\.5") as error:
        check_versions(jax_version, nt_version)
    assert "\n" not in str(error.value)


def test_neural_tangents_leaves_jax_and_its_settings_as_they_were():
    import jax.core

    from hierbench.learners.net_kernels.neural_tangents_compat import load

    load()
    for name in ("Jaxpr", "Var", "Literal", "Primitive", "get_aval", "lattice_join"):
        assert name not in vars(jax.core)
    assert "jax.util" not in sys.modules
    assert not jax.config.jax_enable_x64
    assert "tensorflow" not in sys.modules
