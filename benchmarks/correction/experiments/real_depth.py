"""A convolutional ResNet on real data: accuracy against depth, trained together or layer by layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hierbench.benchmarks.correction.trained.real_data import SHAPES, samples
from hierbench.benchmarks.units.measurement import Measurement
from hierbench.errors import refusal
from hierbench.learners.convolutional.resnet import ConvResNetClassifier

WAYS: Mapping[str, dict[str, Any]] = {
    "end-to-end": {"training": "end_to_end", "learning_rate": 0.3},
    "layerwise": {"training": "layerwise", "budget": "total", "learning_rate": 1.0},
    "layerwise-long": {"training": "layerwise", "budget": "each", "learning_rate": 0.3},
}
"""Parameters of the learner that make each way.

A rate is the best for its way of 0.1, 0.3, 1 on a seed apart (99; MNIST-1D, n = 1000, 250 steps, decay
0.001). Test accuracies there were, in % at these rates:

================  =================  =================
way               depth 8            depth 20
================  =================  =================
end-to-end        95.9, 96.8, 92.6   96.4, 96.6, 95.3
layerwise         65.7, 84.7, 88.5   41.1, 57.0, 62.8
layerwise-long    93.7, 96.3, 95.5   93.2, 96.2, 94.6
================  =================  =================

At 3 "layerwise" had 73.9 and 62.4. At its best rate "end-to-end" had 99.8 and 99.5 % of the training points
right.
"""


def run(
    *,
    seed: int,
    blocks: int = 9,
    data: str = "mnist1d",
    n: int = 1000,
    width: int = 16,
    steps: int = 250,
    batch_size: int = 64,
    weight_decay: float = 0.001,
    points: int = 4000,
) -> list[Measurement]:
    """Train one initialisation on one sample in each of ``WAYS``.

    - "end-to-end": all blocks together, ``steps`` steps;
    - "layerwise": a block is added in each stage, those below are frozen, and all stages together have
      ``steps`` steps;
    - "layerwise-long": the same, and each stage has ``steps`` steps.

    Parameters
    ----------
    seed : int
        Of the sample, the initial weights and the minibatches, which all ways share. At every depth the
        sample is the same.
    blocks : int
        3 m; the depth of ``ConvResNetClassifier`` is 2 ``blocks`` + 2.
    data : {"mnist1d", "digits"}
    n : int
        Training points.
    points : int
        Test points, or as many as are held out.

    Returns
    -------
    list of Measurement
        Labels: ``seed``, ``data``, ``n``, ``depth``, ``path``, ``learning_rate``, ``steps`` (of all stages
        together). Values: ``accuracy`` and ``training_accuracy`` of the whole net.

    Raises
    ------
    ValueError
        Unknown data, or a number of blocks that is no multiple of 3.
    """
    if blocks < 3 or blocks % 3:
        raise ValueError(refusal("blocks", blocks, "multiples of 3: a third at each resolution"))
    train, test = samples(data, n, points, seed, 43)
    measurements = []
    for path, parameters in WAYS.items():
        net = ConvResNetClassifier(
            shape=SHAPES[data], depth=2 * blocks + 2, width=width, steps=steps, batch_size=batch_size,
            weight_decay=weight_decay, random_state=seed, **parameters,
        ).fit(*train)  # fmt: skip
        measurements.append(
            Measurement(
                {"seed": seed, "data": data, "n": n, "depth": net.depth, "path": path, "optimiser": "SGD"}
                | {"learning_rate": parameters["learning_rate"], "steps": net.fit_report_.steps},
                {
                    "accuracy": float(np.mean(net.predict(test[0]) == test[1])),
                    "training_accuracy": float(np.mean(net.predict(train[0]) == train[1])),
                },
            )
        )
    return measurements
