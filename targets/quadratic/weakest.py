"""What the weakest direction of a hierarchy's weights contributes to its label."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from hierbench.targets.base import Estimate
from hierbench.targets.laws.measures import Measure
from hierbench.targets.laws.sampling import batches, jackknife
from hierbench.targets.quadratic.cascade import Cascade

WEAKEST_SAMPLES = 2**16
_WEAKEST = 106


def weakest_share(
    cascade: Cascade,
    weights: Mapping[tuple[int, int], np.ndarray],
    means: Mapping[int, np.ndarray],
    measure: Measure,
    label: Callable[[Cascade], Callable[[np.ndarray], np.ndarray]],
) -> Estimate:
    """Variance of what the label loses with one direction of one weight matrix, least over all of them.

    The direction of the smallest singular value of W_{l,j} is taken out of what level l reads of level j, all
    constants staying as they are. From samples of fixed seed, with the standard error of a jackknife.

    Parameters
    ----------
    cascade : Cascade
        Of the label, which has unit variance.
    weights : mapping (l, j) -> array of shape (k_l, k_j)
        Before normalisation.
    means : mapping l -> array of shape (k_l,)
        Of s_l^2.
    measure : Measure
        Law of the coordinates w.
    label : callable
        From a cascade to its label as a function of w.
    """
    labels = [label(cascade), *map(label, _without_a_direction(cascade, weights, means))]
    moments = []
    for W in batches(WEAKEST_SAMPLES, measure, _WEAKEST):
        y, *others = (one(W) for one in labels)
        lost = np.stack([y - other for other in others])
        moments.append([lost.mean(axis=1), np.square(lost).mean(axis=1)])
    values, errors = jackknife(np.array(moments), lambda m: m[1] - m[0] ** 2)
    least = int(np.argmin(values))
    return Estimate(float(values[least]), float(errors[least]))


def _without_a_direction(
    cascade: Cascade, weights: Mapping[tuple[int, int], np.ndarray], means: Mapping[int, np.ndarray]
) -> Iterator[Cascade]:
    for (level, j), matrix in sorted(weights.items()):
        weakest = np.linalg.svd(matrix, full_matrices=False)[0][:, -1]
        folded = cascade.weights[level, j]
        lost = np.outer(weakest, weakest @ folded)
        offsets = dict(cascade.offsets)
        if j > 0:
            offsets[level] = offsets.get(level, np.zeros(len(folded))) + lost @ means[j]
        yield dataclasses.replace(
            cascade, weights={**cascade.weights, (level, j): folded - lost}, offsets=offsets
        )
