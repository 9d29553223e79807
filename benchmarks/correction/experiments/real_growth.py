"""Growing a convolutional ResNet on data that nobody built: what a new block does to those below it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hierbench.benchmarks.correction.trained.real_data import SHAPES, Data, samples
from hierbench.benchmarks.units.measurement import Label, Measurement
from hierbench.learners.convolutional.resnet import ConvResNetClassifier

PENALTY = 1.0
"""Inverse weight of the l2 penalty of the probes, on features of unit variance."""
_ITERATIONS = 2000


def run(
    *,
    seed: int,
    data: str = "mnist1d",
    n: int = 1000,
    blocks: int = 3,
    width: int = 16,
    steps: int = 600,
    batch_size: int = 64,
    learning_rate: float = 0.1,
    frozen_rate: float = 0.3,
    weight_decay: float = 0.001,
    points: int = 4000,
) -> list[Measurement]:
    """Train the blocks of one initialisation on one sample in several ways, and probe each block as it goes.

    Every stage has ``steps`` steps, in the ways

    - "grown": a block is added in each stage, and all are trained;
    - "frozen": a block is added in each stage, and those below it are frozen;
    - "bfc-x": a block is added in each stage, and the last x below it go on being trained;
    - "waiting-l": as "grown" up to l blocks, and then a stage more of these l, without a new one: what time
      alone does;

    and, with as many steps for each block as all stages of these have together, "frozen-long", beside
    "end-to-end", which has that many in all. Decay is the same throughout. Ways that train all blocks have
    ``learning_rate``, those that freeze some ``frozen_rate``: on MNIST-1D the best of 0.1, 0.3 and 1 for
    grown (98.0, 97.6, 95.3 %) and frozen-long (97.0, 97.6, 96.7 %) on seed 99; others have theirs. On digits
    no rate was told from another (97.5, 97.8, 97.8 % and 97.5, 98.3, 98.6 % of the 360 test points that all
    seeds share).

    Parameters
    ----------
    seed : int
        Of the sample, the initial weights and the minibatches, which all ways share.
    data : {"mnist1d", "digits"}
    n : int
        Training points.
    blocks, width : int
        3 m: the depth of ``ConvResNetClassifier`` is 2 ``blocks`` + 2; and its width.
    points : int
        Test points, or as many as are held out.

    Returns
    -------
    list of Measurement
        Labels: ``seed``, ``data``, ``n``, ``path``, ``stage`` (0: as initialised), ``block``, ``blocks`` (of
        the net at that stage), ``last``. Values: ``accuracy`` of the net, ``probe``: test accuracy of
        logistic regression on what a head would read of the block, fitted to the training points.
    """
    train, test = samples(data, n, points, seed, 41)
    common: dict[str, Any] = {
        "shape": SHAPES[data], "depth": 2 * blocks + 2, "width": width, "batch_size": batch_size,
        "budget": "each", "weight_decay": weight_decay, "random_state": seed,
    }  # fmt: skip
    base: dict[str, Label] = {"seed": seed, "data": data, "n": n, "optimiser": "SGD"}
    measurements: list[Measurement] = []
    behind: dict[tuple[str, int], ConvResNetClassifier] = {}
    for path, parameters in paths(blocks, steps):
        frozen = parameters["training"] in ("layerwise", "bfc")
        learner = ConvResNetClassifier(
            learning_rate=frozen_rate if frozen else learning_rate, **common, **parameters
        )
        origin, begun = begins_as(path)
        of_origin = [m for m in measurements if m.labels["path"] == origin]
        measurements.extend(
            Measurement({**m.labels, "path": path, "last": False}, m.values)
            for m in of_origin
            if int(m.labels["stage"]) <= begun
        )

        def look(
            stage: int, net: ConvResNetClassifier, path: str = path, whole: ConvResNetClassifier = learner
        ) -> None:
            behind[path, stage] = net
            accuracy = float(np.mean(net.predict(test[0]) == test[1]))
            for block, probed in enumerate(probes(net, train, test), start=1):
                where: dict[str, Label] = {"path": path, "stage": stage, "block": block}
                where |= {"blocks": net.blocks_, "last": stage == len(whole.stages_)}
                measurements.append(Measurement({**base, **where}, {"accuracy": accuracy, "probe": probed}))

        learner.fit(*train, after_stage=look, start=behind.get((origin, begun)))
    return measurements


def begins_as(path: str) -> tuple[str, int]:
    """Way of training whose first stages are those of another, and how many of them."""
    if path.startswith("waiting-"):
        return "grown", int(path.removeprefix("waiting-"))
    return ("frozen", 1) if path.startswith("bfc-") else ("", 0)


def paths(blocks: int, steps: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Ways to train that many blocks, with the parameters of the learner that make them."""
    yield "grown", {"training": "grown", "steps": steps}
    yield "frozen", {"training": "layerwise", "steps": steps}
    for unfrozen in range(1, blocks - 1):
        yield f"bfc-{unfrozen}", {"training": "bfc", "unfrozen": unfrozen, "steps": steps}
    for below in range(1, blocks):
        growth = (*range(1, below + 1), below)
        yield f"waiting-{below}", {"training": "grown", "growth": growth, "steps": steps}
    yield "frozen-long", {"training": "layerwise", "steps": steps * blocks}
    yield "end-to-end", {"training": "end_to_end", "steps": steps * blocks}


def probes(net: ConvResNetClassifier, train: Data, test: Data) -> Iterator[float]:
    """Test accuracy of a linear probe of each block, the lowest first."""
    for inside, outside in zip(net.block_features(train[0]), net.block_features(test[0]), strict=True):
        yield probe(inside, train[1], outside, test[1])


def probe(inside: np.ndarray, labels: np.ndarray, outside: np.ndarray, truth: np.ndarray) -> float:
    """Test accuracy of logistic regression on features of any scale, fitted to the training points."""
    regression = make_pipeline(StandardScaler(), LogisticRegression(C=PENALTY, max_iter=_ITERATIONS))
    return float(np.mean(regression.fit(inside, labels).predict(outside) == truth))
