"""How large the numbers among the parameters of registered learners may be: what is more is a slip.

What a learner allows below that, and of which signs and kinds, its ``fit`` says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hierbench.checks import is_real, plain
from hierbench.errors import refusal

LARGEST: Mapping[str, float] = {
    # shapes: what a fit holds grows with them
    "width": 1e5,
    "first_width": 1e5,
    "narrow": 1e5,
    "stream": 1e5,
    "n_features": 1e6,
    "n_exact": 32768,
    "n_centres": 32768,
    "n_directions": 1e5,
    "max_features": 1e6,
    "r_rows": 1e3,
    "depth": 64,
    "levels": 64,
    "skips": 64,
    "correction": 64,
    "degree": 64,
    "max_degree": 64,
    # rounds of work: what a fit takes grows with them
    "steps": 1e9,
    "step_factor": 1e4,
    "max_lengthening": 1e4,
    "batch_size": 1e7,
    "restarts": 1e3,
    "rounds": 1e3,
    "iterations": 1e3,
    "max_iter": 1e6,
    "n_candidates": 1e4,
    "n_splits": 1e3,
    "folds": 1e3,
    # real numbers: their powers stay inside float64
    "learning_rate": 1e30,
    "weight_decay": 1e30,
    "momentum": 1e6,
    "tuning_share": 1e6,
    "tol": 1e6,
    "patience": 1e6,
    "distillation": 1e6,
    "truncation": 1e6,
    "length_scale": 1e12,
    "ridge": 1e12,
    "intercept": 1e12,
    "offset": 1e12,
    "decay": 1e6,
    "scale": 1e12,
    "exponent": 1e6,
    "power": 1e6,
    "bias": 1e6,
    "share": 1e6,
    "homogeneity": 1e6,
    "nu": 1e6,
    "safeguard": 1e6,
    "random_state": 2**32 - 1,
}
"""Parameter -> largest absolute value, of itself and of every number in it."""


def check_bounds(parameters: Mapping[str, Any]) -> None:
    """Refuse numbers past ``LARGEST``, whatever else they are.

    Raises
    ------
    ValueError
        One line: the parameter, its value and what is allowed.
    """
    for name, value in parameters.items():
        entries = value.tolist() if hasattr(value, "tolist") else value
        plain(name, entries)
        most = LARGEST.get(name)
        if most is not None and any(abs(number) > most for number in _numbers(entries)):
            raise ValueError(refusal(name, value, f"numbers of size up to {most:g}"))


def _numbers(value: Any) -> Iterator[Any]:
    """Numbers in lists in lists; ``plain`` has bounded their depth."""
    if isinstance(value, (list, tuple)):
        for entry in value:
            yield from _numbers(entry)
    elif is_real(value):
        yield value
