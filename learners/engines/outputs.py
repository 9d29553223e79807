"""Outputs of nets where they were trained, in float64: on a GPU by jax."""

from __future__ import annotations

from typing import Any

import numpy as np

from hierbench.errors import refusal
from hierbench.learners.engines.network import DenseNetwork, outputs_of

_ROWS = 1 << 15
"""Rows whose outputs are computed together on a GPU."""


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

    X = X.astype(np.float64, copy=False)
    with jax.enable_x64(True):
        place = jax_device(device)
        parts = jax.device_put(network.parts(parameters), place)
        chunks = [
            np.asarray(network.forward(parts, jax.device_put(X[i : i + _ROWS], place)).output[:, 0])
            for i in range(0, len(X), _ROWS)
        ]
    return np.concatenate(chunks)


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
