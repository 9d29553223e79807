"""Outputs of nets where they were trained, in float64: on a GPU by jax."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from hierbench.errors import refusal
from hierbench.learners.engines import compiling
from hierbench.learners.engines.network import DenseNetwork, outputs_of

_ROWS = 1 << 15
"""Rows whose outputs are computed together on a GPU, at most."""
_ENTRIES = 1 << 25
"""Entries of a level's outputs that are computed together: 256 MiB."""


def outputs_on(device: str, network: DenseNetwork, parameters: np.ndarray, X: np.ndarray) -> np.ndarray:
    """Compute the outputs (n,) of one net on scaled inputs, in float64 and bounded memory.

    Parameters
    ----------
    device : "cpu", "cuda" or "cuda:1", as jax has them.
    parameters : (n_parameters,); X : (n, d).
    """
    if device == "cpu":
        return outputs_of(network, parameters, X)
    # jax starts slowly
    import jax

    with jax.enable_x64(True):
        place = jax_device(device)
        parts = jax.device_put(network.parts(parameters), place)
        most = min(_ROWS, max(1, _ENTRIES // network.floats_per_sample()))
        return np.concatenate(
            [_outputs(network, parts, X[i : i + most], most, place) for i in range(0, len(X), most)]
        )


def _outputs(network: DenseNetwork, parts: Any, X: np.ndarray, most: int, place: Any) -> np.ndarray:
    """Outputs of some rows, filled up with zeros to a power of two: few numbers of rows are compiled."""
    # as above
    import jax

    filled = np.zeros((min(most, 1 << (len(X) - 1).bit_length()), X.shape[1]))
    filled[: len(X)] = X
    return np.asarray(_compiled(network)(parts, jax.device_put(filled, place)))[: len(X)]


@functools.cache
def _compiled(network: DenseNetwork) -> Callable[..., Any]:
    """Compile the pass of a net: one program, where each operation by itself would be one."""
    # as above
    import jax

    compiling.count()
    return jax.jit(lambda parts, X: network.forward(parts, X).output[:, 0])


def jax_device(name: str) -> Any:
    """Return the device of that name.

    Raises
    ------
    ValueError
        It is none, or jax does not find it.
    """
    # jax starts slowly
    import jax

    platform, _, index = name.partition(":")
    try:
        return jax.devices(platform)[int(index or 0)]
    except (RuntimeError, ValueError, IndexError):
        there = "cpu, and cuda or cuda:1 where jax finds such a GPU"
        remedy = 'a learner that was fitted on one predicts elsewhere after set_params(device="cpu")'
        raise ValueError(refusal("device", name, there, remedy)) from None
