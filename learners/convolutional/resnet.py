"""The convolutional ResNet as a classifier: what a fit settles, the ways to train it, what it predicts."""

from __future__ import annotations

import copy
import functools
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor
from torch.nn import functional

from hierbench.checks import integer, is_real, one_of, real
from hierbench.errors import refusal
from hierbench.learners.base import FitReport, steps_law
from hierbench.learners.catalogue.bounds import check_bounds
from hierbench.learners.convolutional.descent import OPTIMIZERS, Descent
from hierbench.learners.convolutional.images import Standard, as_images
from hierbench.learners.convolutional.network import (
    RESOLUTIONS,
    ConvResNet,
    check_sizes,
    exact_convolutions,
    pooled,
)
from hierbench.learners.convolutional.stages import (
    BUDGETS,
    ROWS,
    TRAININGS,
    Stage,
    rows_of_minibatch,
    sizes_of_stages,
    stages,
    train,
)
from hierbench.learners.generators import Purpose, generator
from hierbench.learners.parameters import (
    KeepsParameters,
    integer_or_none,
    is_integer,
    not_negative,
    positive,
    share,
)
from hierbench.learners.seeds import seed_of
from hierbench.learners.torch_device import torch_device

DTYPES = {"float32": torch.float32, "float64": torch.float64}
_OF_STAGES = ("training", "unfrozen", "growth", "budget", "steps", "shape")
"""Parameters that settle the stages, and one whose value is known better from data."""

Pair = tuple[float, float]
"""A learning rate and a weight decay."""
Data = tuple[Tensor, Tensor]
"""Images and numbers of their classes."""
AfterStage = Callable[[int, "ConvResNetClassifier"], None]
"""Called as ``after_stage(number, fitted)`` with the learner as it is behind that stage; 0 is the start."""


class ConvResNetClassifier(KeepsParameters, ClassifierMixin, BaseEstimator):
    r"""Pre-activation ResNet on images, trained end to end or block by block; cross-entropy loss.

    .. math::
        x_l = s(x_{l-1}) + W_{l,2} * \sigma(W_{l,1} * \sigma(x_{l-1})), \qquad
        f_l = A_l \, \mathrm{mean}(\sigma(x_l)) + b_l, \qquad l = 1, \ldots, 3 m

    :math:`\sigma` is batch norm and ReLU, s the identity, or where channels double every other position and
    zeros in the new channels. This is the net of K. He, X. Zhang, S. Ren, J. Sun (arXiv 1603.05027) with the
    sizes that they use for CIFAR: a stem, three resolutions of m blocks, depth 6 m + 2. There is no
    augmentation. Inputs are put to zero mean and unit variance, channel by channel.

    ``training`` says how the 3 m blocks come to be trained:

    - ``"end_to_end"``: all together by the last head, :math:`f_{3m}`;
    - ``"layerwise"``: in stage l block l is added and trained by its own head, :math:`f_l`; the blocks below
      are frozen, as batch norm's statistics are (E. Belilovsky, M. Eickenberg, E. Oyallon, arXiv 1812.11446);
    - ``"bfc"``: the same, but the last ``unfrozen`` blocks below go on being trained (backward feature
      correction, Z. Allen-Zhu, Y. Li, arXiv 2001.04413);
    - ``"grown"``: the same, and all blocks below go on.

    The stem is frozen with block 1. Momentum and learning rate begin anew in every stage. Block l starts
    from the same weights whatever the way of training.

    Where ``learning_rate`` or ``weight_decay`` is a sequence, every combination is trained in this way for
    ``tuning_share`` of the steps on 80 % of the training set. The one with the fewest errors on the other
    20 % is chosen, of several the one with the least cross-entropy, and a new net is trained on all of it.
    ``fit_report_.steps`` and ``.flops`` count all of this.

    While blocks are trained, outputs of the frozen ones below are kept for all rows: n channels times
    positions in ``dtype``.

    On one CPU with one thread two fits are equal bit for bit; another number of threads rounds otherwise.

    Parameters
    ----------
    training : {"end_to_end", "layerwise", "bfc", "grown"}
    shape : sequence of int or None
        Of the image that a row of X is, channel after channel: (channels, length) or (channels, height,
        width). None is (1, d).
    depth : int, default 8
        6 m + 2, from 8 to 110.
    width : int, default 16
        Channels of the first m blocks; the next have 2 and 4 times as many.
    unfrozen : int, default 1
        For "bfc": how many of the blocks that were there before go on being trained.
    growth : sequence of int or None
        Number of blocks in each stage, never falling; None is 1, 2, ..., 3 m. (3 m,) is the same as training
        end to end. A number that comes twice is a stage without a new block: with (1, 2, 2) what a second
        stage of two blocks does can be set against a third block, (1, 2, 3). Predictions are those of the
        last stage.
    budget : {"total", "each"}
        Whether all stages together have ``steps`` steps, as even as may be, or each of them.
    steps : int or None
        Minibatch steps, tuning apart; None is a law of n, 2000 up to 4096 samples and doubled at every
        fourfold of them.
    batch_size : int, default 128
        Rows a minibatch.
    optimizer : {"sgd", "adam"}
        With a linear rise of the rate over a twentieth of the steps, and then half a cosine to 0.
    momentum : float in [0, 1)
        Of "sgd".
    learning_rate, weight_decay : float or sequence of float
        Peak rate, and decay of all parameters: an l2 penalty for "sgd", decoupled for "adam". The defaults
        are for "sgd".
    tuning_share : float in (0, 1]
        Length of a tuning run as a share of ``steps``.
    random_state : int, RandomState or None
    dtype : {"float32", "float64"}
        Arithmetic of training and predictions.
    device : str
        Where it is trained and predicts: "cpu", "cuda" or "cuda:1", as torch has them.

    Attributes
    ----------
    classes_ : (n_classes,) array
    network_ : ConvResNet
        On the CPU.
    blocks_ : int
        Number of blocks of the last stage.
    stages_ : tuple of Stage
    fit_report_ : FitReport
    """

    def __init__(
        self,
        training: str = "end_to_end",
        shape: Sequence[int] | None = None,
        depth: int = 8,
        width: int = 16,
        *,
        unfrozen: int = 1,
        growth: Sequence[int] | None = None,
        budget: str = "total",
        steps: int | None = None,
        batch_size: int = 128,
        optimizer: str = "sgd",
        momentum: float = 0.9,
        learning_rate: float | Sequence[float] = (0.03, 0.1),
        weight_decay: float | Sequence[float] = (1e-4, 1e-3),
        tuning_share: float = 0.25,
        random_state: int | np.random.RandomState | None = None,
        dtype: str = "float32",
        device: str = "cpu",
    ) -> None:
        self._keep(locals())

    # fit ------------------------------------------------------------------------------------

    def fit(
        self, X: Any, y: Any, *, after_stage: AfterStage | None = None, start: Self | None = None
    ) -> Self:
        """Fit to X (n, d) and labels y (n,) of any number of classes, n >= 2.

        Parameters
        ----------
        X : array-like of shape (n, d)
        y : array-like of shape (n,)
        after_stage : callable, optional
            For experiments: called with 0 and the learner as it starts, and then with the number of each
            stage of the final training and the learner as it is behind it. It gets a copy, which predicts and
            has ``block_features``; what it does changes nothing in the fit.
        start : ConvResNetClassifier, optional
            For experiments: what ``after_stage`` was given behind a stage of another fit to the same data.
            The stages that both begin with are not trained again; what comes out is the same, and
            ``fit_report_`` counts them.

        Raises
        ------
        ValueError
            Parameters out of range, data that are not finite, fewer than two rows, labels that are no
            classes; a start with other parameters or stages.
        """
        pairs, sizes = self._checked()
        X, y = validate_data(self, X, y, dtype=np.float64, ensure_min_samples=2)
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        images = as_images(X, self.shape)
        self.shape_ = tuple(images.shape[1:])
        steps = steps_law(len(X)) if self.steps is None else int(self.steps)
        plan = self._plan(sizes, steps)
        self.stages_, self.blocks_ = tuple(plan), plan[-1].blocks
        if start is not None:
            self._check_start(start, plan, pairs, images)
        seed = (seed_of(self.random_state), len(X))
        data = images, torch.from_numpy(labels)
        pair, spent, work = self._tuned(pairs, sizes, steps, data, seed)
        hook = functools.partial(self._hand_over, after_stage, images) if after_stage else None
        network, loss = self._trained(pair, plan, data, seed, Purpose.MINIBATCHES, hook, start)
        self._take(network, images)
        finite = math.isfinite(loss)
        self.fit_report_ = FitReport(
            steps=spent + sum(stage.steps for stage in plan),
            flops=work + self._flops(plan, network, len(X)),
            hyperparameters=dict(zip(("learning_rate", "weight_decay"), pair, strict=True)),
            status="ok" if finite else "diverged",
            reason="" if finite else "the training loss became infinite or NaN",
            health={"final_batch_loss": loss, "candidates": float(len(pairs))},
        )
        return self

    def _tuned(
        self, pairs: list[Pair], sizes: Sequence[int], steps: int, data: Data, seed: tuple[int, int]
    ) -> tuple[Pair, int, float]:
        """Choose rate and decay; return them, and the steps and operations that it took."""
        if len(pairs) == 1:
            return pairs[0], 0, 0.0
        images, labels = data
        order = torch.from_numpy(generator(seed, Purpose.SPLIT).permutation(len(images)))
        most = max(1, len(order) // 5)
        held, kept = order[:most], order[most:]
        plan = self._plan(sizes, max(self._least_steps(sizes), round(self.tuning_share * steps)))
        standard = Standard().add(images[kept])
        errors, work = [], 0.0
        for pair in pairs:
            network, _ = self._trained(pair, plan, (images[kept], labels[kept]), seed, Purpose.TUNING, None)
            scores = self._scores(network, standard(images[held]))
            errors.append(_error(scores, labels[held]))
            work += self._flops(plan, network, len(kept))
        return pairs[errors.index(min(errors))], len(pairs) * sum(stage.steps for stage in plan), work

    def _trained(
        self,
        pair: Pair,
        plan: list[Stage],
        data: Data,
        seed: tuple[int, int],
        purpose: Purpose,
        hook: Callable[[ConvResNet, int], None] | None,
        start: Self | None = None,
    ) -> tuple[ConvResNet, float]:
        """Train a net on all of the data, a new one or that of ``start``; return it and its last loss."""
        rng = generator(seed, Purpose.INITIALISATION)
        network = ConvResNet(self.shape_, len(self.classes_), int(self.depth), int(self.width), rng)
        network.to(self.device, DTYPES[self.dtype])
        if start is not None:
            network.load_state_dict(start.network_.state_dict())
        images, labels = data
        loss = train(
            network, plan,
            Descent(self.optimizer, *pair, float(self.momentum), int(self.batch_size)),
            Standard().add(images)(images).to(self.device, DTYPES[self.dtype]), labels.to(self.device),
            generator(seed, purpose),
            None if hook is None else functools.partial(hook, network),
            done=0 if start is None else len(start.stages_),
        )  # fmt: skip
        return network, loss

    def _check_start(self, start: Any, plan: Sequence[Stage], pairs: Sequence[Pair], images: Tensor) -> None:
        """Refuse a start that this fit would not have come to."""
        if why := self._other_start(start, plan, pairs, images):
            allowed = (
                "what after_stage was given before the last stage of a fit to the same data, with one rate,"
                " one decay, an integer as random_state and all else as here"
            )
            raise ValueError(refusal("start", why, allowed))

    def _other_start(self, start: Any, plan: Sequence[Stage], pairs: Sequence[Pair], images: Tensor) -> str:
        """Why a learner is no start of this fit; empty where it is one."""
        if not isinstance(start, ConvResNetClassifier) or not hasattr(start, "stages_"):
            return "no learner that was handed over"
        if len(pairs) > 1 or not is_integer(self.random_state):
            return "one for a fit that chooses a rate, or draws a seed"
        given, others = (
            {name: np.atleast_1d(np.asarray(value, dtype=object)) for name, value in one.items()}
            for one in (self.get_params(deep=False), start.get_params(deep=False))
        )
        for name in given:
            if name not in _OF_STAGES and not np.array_equal(given[name], others[name]):
                return f"one with another {name}"
        begun = len(start.stages_)
        if begun >= len(plan) or tuple(plan[:begun]) != start.stages_:
            return "one with other stages"
        here, there = Standard().add(images), start.input_standard_
        same = start.shape_ == self.shape_ and np.array_equal(start.classes_, self.classes_)
        same = same and here.count == there.count
        return "" if same and torch.equal(here.squares, there.squares) else "one of other data"

    def _hand_over(self, after_stage: AfterStage, images: Tensor, network: ConvResNet, number: int) -> None:
        """Hand a copy of what is fitted so far to the caller of ``fit``."""
        fitted = clone(self)
        fitted.__dict__.update({k: v for k, v in vars(self).items() if k.endswith("_")})
        fitted.stages_ = self.stages_[:number]
        fitted.blocks_ = self.stages_[max(0, number - 1)].blocks
        fitted._take(copy.deepcopy(network), images)
        after_stage(number, fitted)

    @exact_convolutions()
    def _take(self, network: ConvResNet, images: Tensor) -> None:
        """Keep a net, and the scales of its inputs and of its blocks' outputs."""
        self.network_ = network.to("cpu").eval().requires_grad_(False)
        self.input_standard_ = Standard().add(images)
        self.block_standards_ = [Standard() for _ in range(self.blocks_)]
        for streams in self._streams(self.input_standard_(images)):
            for standard, stream in zip(self.block_standards_, streams, strict=True):
                standard.add(stream)

    def _plan(self, sizes: Sequence[int], steps: int) -> list[Stage]:
        unfrozen = {"layerwise": 0, "bfc": self.unfrozen}.get(self.training)
        return stages(sizes, unfrozen, self.budget, steps)

    def _flops(self, plan: Sequence[Stage], network: ConvResNet, n: int) -> float:
        """Operations of a training on n rows."""
        flops, rows = network.flops(), rows_of_minibatch(n, self.batch_size)
        return sum(stage.flops(flops, n, rows) for stage in plan)

    def _least_steps(self, sizes: Sequence[int]) -> int:
        """Steps of which every stage has one."""
        return len(sizes) if self.budget == "total" else 1

    def _checked(self) -> tuple[list[Pair], tuple[int, ...]]:
        """Refuse what the net does not have; return the grid and the number of blocks in each stage."""
        given = self.get_params(deep=False)
        depth = given.pop("depth")  # deeper than other nets
        check_bounds(given)
        check_sizes(depth, self.width)
        integer("unfrozen", self.unfrozen, 0)
        integer("batch_size", self.batch_size, 2)
        one_of("training", self.training, TRAININGS)
        one_of("budget", self.budget, BUDGETS)
        one_of("optimizer", self.optimizer, tuple(OPTIMIZERS))
        one_of("dtype", self.dtype, tuple(DTYPES))
        momentum = self.momentum
        real("momentum", momentum, "numbers in [0, 1)", is_real(momentum) and 0 <= momentum < 1)
        share("tuning_share", self.tuning_share)
        sizes = sizes_of_stages(self.training, self.growth, RESOLUTIONS * (int(depth) - 2) // 6)
        integer_or_none("steps", self.steps, self._least_steps(sizes))
        torch_device("device", self.device)
        rates = [positive("learning_rate", rate) for rate in _several("learning_rate", self.learning_rate)]
        decays = [not_negative("weight_decay", w) for w in _several("weight_decay", self.weight_decay)]
        return list(itertools.product(rates, decays)), sizes

    # predict --------------------------------------------------------------------------------

    def predict(self, X: Any) -> np.ndarray:
        """Classes of X (n, d), shape (n,)."""
        chosen = self.predict_proba(X).argmax(1)
        return np.asarray(self.classes_[chosen])

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities of the classes, shape (n, n_classes), in the order of ``classes_``."""
        check_is_fitted(self)
        scores = self._scores(self._placed(), self._inputs(X))
        return np.asarray(functional.softmax(scores, dim=1).numpy())

    @exact_convolutions()
    def block_features(self, X: Any) -> list[np.ndarray]:
        """Compute what a fresh head would read of every block, for X (n, d).

        Returns
        -------
        list of float64 arrays of shapes (n, channels of the block)
            For each block of the last stage the mean over positions of the ReLU of its outputs, each channel
            at zero mean and unit variance over the training set.
        """
        check_is_fitted(self)
        features: list[list[Tensor]] = [[] for _ in range(self.blocks_)]
        for streams in self._streams(self._inputs(X)):
            for of_block, standard, stream in zip(features, self.block_standards_, streams, strict=True):
                of_block.append(pooled(functional.relu(standard(stream))).to("cpu", torch.float64))
        return [torch.cat(of_block).numpy() for of_block in features]

    def _inputs(self, X: Any) -> Tensor:
        X = validate_data(self, X, dtype=np.float64, reset=False)
        return self.input_standard_(as_images(X, self.shape_))

    def _streams(self, inputs: Tensor) -> Iterator[Iterator[Tensor]]:
        """Give outputs of the blocks, one after another, for some rows after others."""
        network = self._placed()
        for rows in inputs.split(ROWS):
            yield network.streams(rows.to(self.device, DTYPES[self.dtype]), self.blocks_)

    @exact_convolutions()
    @torch.no_grad()
    def _scores(self, network: ConvResNet, inputs: Tensor) -> Tensor:
        """Compute the scores (n, n_classes) of inputs, in float64 on the CPU."""
        parts = (rows.to(self.device, DTYPES[self.dtype]) for rows in inputs.split(ROWS))
        return torch.cat([network(rows, self.blocks_).to("cpu", torch.float64) for rows in parts])

    def _placed(self) -> ConvResNet:
        """Return the net on the device, where that is not the CPU a copy."""
        device = torch_device("device", self.device)
        return self.network_ if device == "cpu" else copy.deepcopy(self.network_).to(device)


def _error(scores: Tensor, labels: Tensor) -> tuple[float, float]:
    """Compute what tuning minimises: the share of wrong classes, and then the cross-entropy."""
    wrong = float((scores.argmax(1) != labels).double().mean())
    loss = float(functional.cross_entropy(scores, labels))
    return (wrong, loss) if math.isfinite(loss) else (math.inf, math.inf)


def _several(name: str, value: Any) -> list[Any]:
    """List one number or several; ValueError where there is none."""
    values: list[Any] = np.atleast_1d(np.asarray(value, dtype=object)).tolist()
    if not values:
        raise ValueError(refusal(name, value, "numbers, one or several"))
    return values
