"""What units of a convolutional net trained on real data respond to most, with and without regularisation."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.svm import SVC
from torch import Tensor

from hierbench.benchmarks.correction.trained.activation_maximisation import Regularisation, maximise
from hierbench.benchmarks.correction.trained.conv_training import (
    perturbation,
    train_adversarially,
    unit_activations,
)
from hierbench.benchmarks.correction.trained.real_data import SHAPES, samples
from hierbench.benchmarks.units.measurement import Label, Measurement, Value
from hierbench.checks import integer
from hierbench.learners.convolutional.descent import Descent
from hierbench.learners.convolutional.network import ConvResNet, check_sizes

NOISE = 0.1
"""Norm of a start over that of a typical picture."""
RANDOM = 400
"""Random pictures that chance is taken from."""
PENALTY = 10.0
"""C of the probe."""
_ATTACK_STEPS = 20
_DECIMALS = 3
SHOWN = ("none", "strong")
"""Regularisations of which pictures are kept."""


def run(
    *,
    seed: int,
    data: str = "digits",
    n: int = 1000,
    blocks: int = 3,
    width: int = 16,
    steps: int = 200,
    batch_size: int = 64,
    learning_rate: float = 0.1,
    weight_decay: float = 0.001,
    radius: float = 2.0,
    attack_steps: int = 3,
    channels: int = 3,
    starts: int = 4,
    ascent_steps: int = 50,
    step: float = 0.1,
    decay: float = 0.1,
    blur: float = 0.05,
    shift: int = 1,
    points: int = 2000,
) -> list[Measurement]:
    r"""Maximise units of two nets of one initialisation and the same minibatches, plain and adversarial.

    Both are pre-activation ResNets trained end to end, the second with l2 perturbations of its minibatches
    ("adversarial", ``train_adversarially``). Units are the logits, and of every block the channels that vary
    most over the training points, each the mean over positions of what the next layer reads of it. From
    several random starts near the mean picture of the training set, ``maximise`` ascends with

    - "none": no regularisation;
    - "decay", "blur", "jitter": one of these;
    - "strong": decay and blur;
    - "all": jitter as well. A position is an eighth of an image of 8 x 8.

    Pictures are judged by their deviations from the mean picture: by the cosine to those of the mean
    pictures of the classes, and by a probe, a support vector classifier with a Gaussian kernel that was
    trained on the same points, which is shown the deviation at the size of a typical one. Chance is that of
    pictures which the same ascent with the same regularisation finds for random linear functions of the
    input: blur makes any picture more like a mean of many.

    Parameters
    ----------
    seed : int
        Of the sample, the initial weights, the minibatches and the starts.
    data : {"digits", "mnist1d"}
    blocks : int
        3 m; the depth of the net is 2 ``blocks`` + 2.
    radius : float
        Of the perturbations in training, in standard deviations of a pixel. Test points are attacked within
        the same radius.
    channels : int
        Looked at in each block.
    step, decay, blur, shift
        As ``maximise`` has them, ``step`` relative to a typical deviation's norm.
    points : int
        Test points, or as many as are held out.

    Returns
    -------
    list of Measurement
        Labels ``kind``, ``seed``, ``data``, ``n``, and

        - "net", with ``net`` ("plain", "adversarial"); values ``accuracy``, ``attacked`` (accuracy under
          attack) and ``probe_accuracy``, on test points;
        - "unit", with ``net``, ``regularisation``, ``layer`` (0: logits, else the block) and ``unit``;
          values, means over starts: ``nearest`` (cosine to the nearest class mean), ``chance`` of that,
          ``agreement`` (mean cosine between starts); of logits also ``own`` (cosine to its class's mean),
          ``own_chance`` (what 5 % of random pictures exceed), ``probe`` (share of starts that the probe puts
          into its class), and for "none" and "strong" ``picture``, the first start's deviation at norm 1;
        - "class", with ``unit``: ``picture``, the deviation of the class's mean at norm 1.
    """
    depth = 2 * blocks + 2
    check_sizes(depth, width)
    integer("starts", starts, 1)
    (X, y), (test_X, test_y) = samples(data, n, points, seed, 51)
    shape = SHAPES[data]
    classes, labels = np.unique(y, return_inverse=True)
    test_labels = np.searchsorted(classes, test_y)
    mean = X.mean(0)
    means = _unit(np.stack([X[labels == c].mean(0) for c in range(len(classes))]) - mean)
    size = float(np.sqrt(np.square(X - mean).sum(1).mean()))
    probe = SVC(C=PENALTY).fit(X, labels)
    base: dict[str, Label] = {"seed": seed, "data": data, "n": n}
    measurements = [
        Measurement({"kind": "class", **base, "unit": c}, {"picture": _rounded(m)})
        for c, m in enumerate(means)
    ]
    arms = {
        "none": Regularisation(),
        "decay": Regularisation(decay=decay),
        "blur": Regularisation(blur=blur),
        "jitter": Regularisation(shift=shift),
        "strong": Regularisation(decay, blur),
        "all": Regularisation(decay, blur, shift),
    }
    images, test_images = _images(X, shape), _images(test_X, shape)
    descent = Descent("sgd", learning_rate, weight_decay, 0.9, batch_size)

    def pictures(activation: Any, rows: int, arm: Regularisation, stream: int) -> np.ndarray:
        """Directions (rows, d) of the deviations that are found."""
        start = np.random.default_rng([seed, 53, stream]).standard_normal((rows, X.shape[1]))
        shifts = np.random.default_rng([seed, 54, stream])
        deviations = maximise(
            activation, _images(mean[None], shape)[0], _images(NOISE * size * _unit(start), shape), arm,
            ascent_steps, step * size, shifts,
        )  # fmt: skip
        return _unit(deviations.flatten(1).double().numpy())

    weights = _images(np.random.default_rng([seed, 55]).standard_normal((RANDOM, X.shape[1])), shape)
    random = {
        name: pictures(lambda x: (x * weights).flatten(1).sum(1), RANDOM, arm, 1) @ means.T
        for name, arm in arms.items()
    }
    for net, within in (("plain", 0.0), ("adversarial", radius)):
        network = ConvResNet(shape, len(classes), depth, width, np.random.default_rng([seed, 56]))
        train_adversarially(
            network, descent, steps, images, torch.from_numpy(labels), np.random.default_rng([seed, 57]),
            within, attack_steps, np.random.default_rng([seed, 58]),
        )  # fmt: skip
        judged = test_images, torch.from_numpy(test_labels)
        values: dict[str, Value] = {
            "accuracy": _accuracy(network, *judged),
            "attacked": _attacked(network, *judged, radius, np.random.default_rng([seed, 59])),
            "probe_accuracy": float(np.mean(probe.predict(test_X) == test_labels)),
        }
        measurements.append(Measurement({"kind": "net", **base, "net": net}, values))
        chosen = _chosen(network, images, channels)
        index = torch.tensor([place for place, _, _ in chosen]).repeat_interleave(starts)

        def activation(x: Tensor, network: ConvResNet = network, index: Tensor = index) -> Tensor:
            return torch.cat(unit_activations(network, x), 1).gather(1, index[:, None])[:, 0]

        for name, arm in arms.items():
            found = pictures(activation, len(index), arm, 0).reshape(len(chosen), starts, -1)
            for (_, layer, unit), of_unit in zip(chosen, found, strict=True):
                cosines = of_unit @ means.T
                values = {
                    "nearest": float(cosines.max(1).mean()),
                    "chance": float(random[name].max(1).mean()),
                    "agreement": _agreement(of_unit),
                }
                if layer == 0:
                    values["own"] = float(cosines[:, unit].mean())
                    values["own_chance"] = float(np.quantile(random[name][:, unit], 0.95))
                    values["probe"] = float(np.mean(probe.predict(mean + size * of_unit) == unit))
                    if name in SHOWN:
                        values["picture"] = _rounded(of_unit[0])
                where: dict[str, Label] = {"net": net, "regularisation": name, "layer": layer, "unit": unit}
                measurements.append(Measurement({"kind": "unit", **base, **where}, values))
    return measurements


def _images(X: np.ndarray, shape: tuple[int, ...]) -> Tensor:
    return torch.from_numpy(X).float().reshape(-1, *shape)


def _unit(X: np.ndarray) -> np.ndarray:
    """Rows at norm 1."""
    return np.asarray(X / np.linalg.norm(X, axis=1, keepdims=True))


def _rounded(x: np.ndarray) -> list[float]:
    return [float(v) for v in np.round(x, _DECIMALS)]


@torch.no_grad()
def _accuracy(network: ConvResNet, images: Tensor, labels: Tensor) -> float:
    return float((network(images, len(network.blocks)).argmax(1) == labels).double().mean())


def _attacked(
    network: ConvResNet, images: Tensor, labels: Tensor, radius: float, rng: np.random.Generator
) -> float:
    """Accuracy where every image is moved by the attack."""
    moved = images + perturbation(network, images, labels, radius, _ATTACK_STEPS, rng)
    return _accuracy(network, moved, labels)


@torch.no_grad()
def _chosen(network: ConvResNet, images: Tensor, channels: int) -> list[tuple[int, int, int]]:
    """(place among all units, layer, unit) of the logits, and of each block's channels that vary most."""
    chosen, before = [], 0
    for layer, activations in enumerate(unit_activations(network, images)):
        units = range(activations.shape[1])
        if layer:
            order = activations.double().std(0).numpy().argsort(kind="stable")[::-1]
            units = order[:channels].tolist()
        chosen += [(before + unit, layer, unit) for unit in units]
        before += activations.shape[1]
    return chosen


def _agreement(directions: np.ndarray) -> float:
    """Mean cosine between the pictures of several starts; 1 where there is one."""
    cosines = directions @ directions.T
    i, j = np.triu_indices(len(directions), 1)
    return float(cosines[i, j].mean()) if len(i) else 1.0
