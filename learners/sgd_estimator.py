"""What the SGD learners share: scaling, inner tuning, the fast path, prediction."""

from __future__ import annotations

import abc
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from learners.base import Curve, FitReport, FittedCurve, TraceCallback
from learners.network import DenseNetwork
from learners.sgd_engine import (
    FreshSamples,
    Job,
    Sampler,
    Schedule,
    ShuffledEpochs,
    Trained,
    TrainHook,
    train,
)

_PREDICT_ROWS = 8192
TORCH_DTYPES = {"float32": torch.float32, "float64": torch.float64}
_INITIALISATION, _MINIBATCHES, _SPLIT, _TUNING, _RESTARTS = range(5)
LOSSES = ("square", "logistic")


NetworkHook = Callable[[int, DenseNetwork, np.ndarray], None]
"""``hook(step, network, flat)`` along training; the network may still be growing."""


def after_steps(hook: NetworkHook | None, network: DenseNetwork, offset: int) -> TrainHook | None:
    """The engine's hook for a phase that begins after ``offset`` steps."""
    if hook is None:
        return None
    given = hook
    return lambda step, flat: given(offset + step, network, flat)


class Scaling:
    """Affine map of one training set to zero mean and unit variance, coordinate by coordinate.

    A constant coordinate keeps its scale. The nets can represent any affine map of their
    inputs, so this changes where training starts and not what can be learned.
    """

    def __init__(self, X: np.ndarray, y: np.ndarray) -> None:
        self.x_mean, self.x_scale = X.mean(axis=0), X.std(axis=0)
        self.y_mean, self.y_scale = float(y.mean()), float(y.std())
        self.x_scale = np.where(self.x_scale > 1e-12 * (1 + np.abs(self.x_mean)), self.x_scale, 1.0)
        if not self.y_scale > 1e-12 * (1 + abs(self.y_mean)):
            self.y_scale = 1.0

    def inputs(self, X: np.ndarray) -> np.ndarray:
        return (X - self.x_mean) / self.x_scale

    def labels(self, y: np.ndarray) -> np.ndarray:
        return (y - self.y_mean) / self.y_scale

    def both(self, X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.inputs(X), self.labels(y)


class ClassScaling(Scaling):
    """The same for two classes, which become -1 and 1.

    Predictions come back with their sign as the side of the middle between the two labels;
    where the training set has one class only, they are that class.
    """

    def __init__(self, X: np.ndarray, y: np.ndarray) -> None:
        super().__init__(X, y)
        values = np.unique(y)
        if len(values) > 2:
            raise ValueError(f"loss is 'logistic': two classes are needed, y has {len(values)} values")
        self.y_mean = float(values[0] + values[-1]) / 2.0
        self.y_scale = float(values[-1] - values[0]) / 2.0

    def labels(self, y: np.ndarray) -> np.ndarray:
        return np.where(y > self.y_mean, 1.0, -1.0)


def steps_law(n: int) -> int:
    """Steps for n samples where none are given: 3000 up to 4096 samples, doubled at every fourfold.

    About the square root of n, in powers of two so that neighbouring sizes train together.
    Without noise a fixed number of steps ends in an error floor of the optimisation.
    """
    return 3000 * 2 ** max(0, math.ceil(math.log2(max(1, n) / 4096) / 2.0))


class SGDRegressorBase(RegressorMixin, BaseEstimator, metaclass=abc.ABCMeta):
    """Base of the SGD learners; a subclass says what its network is and how it is trained.

    Inner tuning: where ``learning_rate`` or ``weight_decay`` is a sequence, every combination
    is trained for ``tuning_share`` of the steps on 80 % of the training set, the one with the
    least squared error on the other 20 % is chosen, and its net is trained anew on all of it.
    ``fit_report_.steps`` and ``.flops`` count all of this.

    With ``restarts`` > 1 the final training starts from that many initialisations, and the net
    with the least training loss at its end is kept: among nets trained alike that tells a poor
    initialisation, where the held-out error of a shorter run does not.

    ``loss="logistic"`` makes a classifier of it for labels of two values: predictions are the
    score, put so that the class is the label value nearest to it.
    """

    steps: int | None
    batch_size: int
    learning_rate: float | Sequence[float] | None
    weight_decay: float | Sequence[float]
    optimizer: str
    tuning_share: float
    random_state: Any
    dtype: str
    device: str
    restarts: int = 1
    loss: str = "square"

    @abc.abstractmethod
    def _network(self, d: int) -> DenseNetwork:
        """The network for inputs of dimension d; raises ValueError on bad parameters."""

    def _train(
        self,
        network: DenseNetwork,
        jobs: Sequence[Job],
        initial: np.ndarray,
        schedule: Schedule,
        hook: NetworkHook | None,
    ) -> Trained:
        """Train all nets from their initial parameters; here all levels together."""
        return train(
            network, initial, jobs, schedule,
            dtype=TORCH_DTYPES[self.dtype], device=self.device,
            hook=after_steps(hook, network, 0),
        )  # fmt: skip

    def _total_steps(self, steps: int) -> int:
        """Optimiser steps of one training when the schedule has ``steps``."""
        return steps

    # fit ------------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any) -> Self:
        """Fit to X (n, d) and y (n,), n >= 2.

        Raises
        ------
        ValueError
            NaN or infinite data, fewer than two rows, parameters out of range.
        """
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True, ensure_min_samples=2)
        seed = self._seed()
        return self._become(self.fit_curves([Curve(X, y, (len(X),), seed)])[0].estimators[0])

    def _become(self, fitted: Any) -> Self:
        """Take over everything that ``fitted`` has learned."""
        self.__dict__.update({k: v for k, v in vars(fitted).items() if k.endswith("_")})
        return self

    def _seed(self) -> int:
        if isinstance(self.random_state, (int, np.integer)):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def fit_curves(self, curves: Sequence[Curve], callback: TraceCallback | None = None) -> list[FittedCurve]:
        """Every size of every curve, trained as one batched model (see learners.base)."""
        self._check_parameters()
        network = self._network(curves[0].X.shape[1])
        cells = [(i, n) for i, curve in enumerate(curves) for n in curve.sizes]
        data = [(curves[i].X[:n], np.asarray(curves[i].y[:n], dtype=np.float64)) for i, n in cells]
        seeds = [(curves[i].random_state, n) for i, n in cells]
        scalings = [self._scaling(X, y) for X, y in data]
        lengths = [self._steps(n) for _, n in cells]
        fitted: list[Any] = [None] * len(cells)
        # What is shown along training waits where it is not yet known which nets are kept.
        live = len(set(lengths)) == 1 and self.restarts == 1
        frames: list[tuple[int, Callable[[], None]]] = []

        def as_curves() -> list[FittedCurve]:
            return [
                FittedCurve([f for f, (of, _) in zip(fitted, cells, strict=True) if of == i])
                for i in range(len(curves))
            ]

        for steps in sorted(set(lengths)):
            members = [k for k, length in enumerate(lengths) if length == steps]
            chosen, tuning_steps = self._tune(
                network, [data[k] for k in members], [seeds[k] for k in members], steps
            )
            spent = self.restarts * self._total_steps(steps) + tuning_steps
            kept = np.arange(len(members))

            def show(
                net: DenseNetwork,
                trained: Trained,
                final: bool,
                group: Sequence[tuple[int, tuple[float, float]]] = tuple(zip(members, chosen, strict=True)),
                kept: np.ndarray = kept,
                spent: int = spent,
            ) -> None:
                nets = trained.take(kept)
                for m, (k, own) in enumerate(group):
                    fitted[k] = self._fitted(net, nets, m, scalings[k], own, spent, final)

            def trace(step: int, net: DenseNetwork, flat: np.ndarray, show: Any = show) -> None:
                if callback is None or not live:
                    frames.append((step, lambda: show(net, _untold(flat), False)))
                    return
                show(net, _untold(flat), False)
                callback(step, as_curves())

            jobs, initial = [], []
            for restart in range(self.restarts):
                for k, (rate, decay) in zip(members, chosen, strict=True):
                    source = ShuffledEpochs(*scalings[k].both(*data[k]), self.dtype)
                    jobs.append(Job(source, _rng(seeds[k], _MINIBATCHES, restart), rate, decay))
                    initial.append(network.initial(_rng(seeds[k], _INITIALISATION, restart)))
            trained = self._train(
                network, jobs, np.stack(initial), self._schedule(steps), trace if callback else None
            )
            kept[:] = _least_loss(trained.loss, len(members))
            show(network, trained, True)
        result = as_curves()
        if callback is not None and frames:
            frames.sort(key=lambda frame: frame[0])
            for step, together in itertools.groupby(frames, key=lambda frame: frame[0]):
                for _, reveal in together:
                    reveal()
                callback(step, as_curves())
        return result

    def fit_sampler(self, sampler: Sampler, d: int) -> Self:
        """One pass over fresh samples: every minibatch is drawn anew from ``sampler(n, rng)``.

        The scale is taken from one minibatch. There are ``steps`` of them, 3000 where that is
        None. Sequences of hyper-parameters are refused: there is no training set to hold
        anything out from.
        """
        self._check_parameters()
        grid = self._grid()
        if len(grid) > 1:
            raise ValueError("fit_sampler needs one learning_rate and one weight_decay, not a sequence")
        network = self._network(d)
        seed = (self._seed(), 0)
        steps = self._steps(0)
        rngs = [_rng(seed, _MINIBATCHES, restart) for restart in range(self.restarts)]
        scaling = self._scaling(*sampler(max(self.batch_size, 1024), rngs[0]))
        jobs = [Job(FreshSamples(sampler, scaling.both), rng, *grid[0]) for rng in rngs]
        initial = [network.initial(_rng(seed, _INITIALISATION, r)) for r in range(self.restarts)]
        trained = self._train(network, jobs, np.stack(initial), self._schedule(steps), None)
        trained = trained.take(_least_loss(trained.loss, 1))
        spent = self.restarts * self._total_steps(steps)
        return self._become(self._fitted(network, trained, 0, scaling, grid[0], spent, True))

    def _schedule(self, steps: int) -> Schedule:
        return Schedule(steps=steps, batch_size=self.batch_size, optimizer=self.optimizer, loss=self.loss)

    def _steps(self, n: int) -> int:
        """Steps of the final training on n samples."""
        return steps_law(n) if self.steps is None else self.steps

    def _scaling(self, X: np.ndarray, y: np.ndarray) -> Scaling:
        return (ClassScaling if self.loss == "logistic" else Scaling)(X, y)

    def _learning_rate(self) -> Any:
        """What the grid takes: a subclass may resolve a default that depends on its parameters."""
        return self.learning_rate

    def _grid(self) -> list[tuple[float, float]]:
        rates, decays = np.atleast_1d(self._learning_rate()), np.atleast_1d(self.weight_decay)
        return [(float(r), float(w)) for r, w in itertools.product(rates, decays)]

    def _tune(
        self,
        network: DenseNetwork,
        data: list[tuple[np.ndarray, np.ndarray]],
        seeds: list[tuple[int, int]],
        steps: int,
    ) -> tuple[list[tuple[float, float]], int]:
        """The chosen (learning rate, weight decay) of every cell, and the steps it took."""
        grid = self._grid()
        if len(grid) == 1:
            return grid * len(data), 0
        splits, jobs, initial = [], [], []
        for (X, y), seed in zip(data, seeds, strict=True):
            order = _rng(seed, _SPLIT).permutation(len(X))
            held = order[: max(1, len(X) // 5)]
            kept = order[len(held) :]
            scaling = self._scaling(X[kept], y[kept])
            splits.append(scaling.both(X[held], y[held]))
            start = network.initial(_rng(seed, _INITIALISATION))
            for rate, decay in grid:
                source = ShuffledEpochs(*scaling.both(X[kept], y[kept]), self.dtype)
                jobs.append(Job(source, _rng(seed, _TUNING), rate, decay))
                initial.append(start)
        steps = max(1, round(self.tuning_share * steps))
        trained = self._train(network, jobs, np.stack(initial), self._schedule(steps), None)
        chosen = []
        for k, (X, y) in enumerate(splits):
            outputs = [outputs_of(network, trained.flat[k * len(grid) + i], X) for i in range(len(grid))]
            errors = [self._held_out_error(out, y) for out in outputs]
            chosen.append(grid[errors.index(min(errors))])
        return chosen, len(grid) * self._total_steps(steps)

    def _held_out_error(self, outputs: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
        """What tuning minimises: squared error, or wrong classes and then, of as many, the loss."""
        if self.loss == "square":
            return _finite_mean(np.square(outputs - labels)), 0.0
        wrong = np.where(np.isfinite(outputs), outputs * labels <= 0, np.inf)
        return _finite_mean(wrong), _finite_mean(np.logaddexp(0.0, -outputs * labels))

    def _fitted(
        self,
        network: DenseNetwork,
        trained: Trained,
        k: int,
        scaling: Scaling,
        chosen: tuple[float, float],
        steps: int,
        final: bool,
    ) -> Any:
        fitted = clone(self)
        fitted.n_features_in_ = network.d
        fitted.network_ = network
        fitted.parameters_ = trained.flat[k]
        fitted.scaling_ = scaling
        finite = bool(np.isfinite(trained.flat[k]).all() and np.isfinite(trained.loss[k]))
        fitted.fit_report_ = FitReport(
            steps=steps,
            # a backward pass costs twice a forward one
            flops=3.0 * network.flops_per_sample() * self.batch_size * steps,
            hyperparameters={"learning_rate": chosen[0], "weight_decay": chosen[1]},
            status="ok" if finite else "diverged",
            reason="" if finite else "the training loss became infinite or NaN",
            health={
                "final_batch_loss": float(trained.loss[k]),
                "clipped_share": float(trained.clipped[k]),
                **{name: float(values[k]) for name, values in trained.notes.items()},
            }
            if final
            else {},
        )
        return fitted

    def _check_parameters(self) -> None:
        for name in ("steps", "batch_size", "restarts"):
            value = getattr(self, name)
            if name == "steps" and value is None:
                continue
            if not (isinstance(value, (int, np.integer)) and value >= 1):
                raise ValueError(f"{name} is {value!r}: an integer >= 1 is needed")
        for name, given in (("learning_rate", self._learning_rate()), ("weight_decay", self.weight_decay)):
            values = np.atleast_1d(np.asarray(given, dtype=np.float64))
            bound = values > 0 if name == "learning_rate" else values >= 0
            if not (values.size and np.isfinite(values).all() and bound.all()):
                least = "> 0" if name == "learning_rate" else ">= 0"
                raise ValueError(f"{name} is {given!r}: a number {least}, or a sequence of them, is needed")
        if self.loss not in LOSSES:
            raise ValueError(f"loss is {self.loss!r}: 'square' or 'logistic' is needed")
        if self.optimizer not in ("adam", "sgd"):
            raise ValueError(f"optimizer is {self.optimizer!r}: 'adam' or 'sgd' is needed")
        if self.dtype not in ("float32", "float64"):
            raise ValueError(f"dtype is {self.dtype!r}: 'float32' or 'float64' is needed")
        if not 0.0 < self.tuning_share <= 1.0:
            raise ValueError(f"tuning_share is {self.tuning_share!r}: a number in (0, 1] is needed")

    # predict --------------------------------------------------------------------------------

    def predict(self, X: Any) -> np.ndarray:
        """Predictions for X (n, d), shape (n,), computed in float64."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        scaled = outputs_of(self.network_, self.parameters_, self.scaling_.inputs(X))
        return self.scaling_.y_mean + self.scaling_.y_scale * scaled

    def level_features(self, X: Any) -> list[np.ndarray]:
        """Features h_1, ..., h_L, each of shape (n, width)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        views = self.network_.views(torch.from_numpy(self.parameters_[None]))
        _, features, _ = self.network_.forward(views, torch.from_numpy(self.scaling_.inputs(X))[None])
        return [h[0].numpy() for h in features[1:]]


def _rng(seed: tuple[int, int], purpose: int, restart: int = 0) -> np.random.Generator:
    """A generator for one cell (random_state, n), purpose and restart, independent of all others."""
    key = [*seed, purpose] if restart == 0 else [*seed, _RESTARTS, purpose, restart]
    return np.random.default_rng(np.random.SeedSequence(key))


def outputs_of(network: DenseNetwork, parameters: np.ndarray, X: np.ndarray) -> np.ndarray:
    """Outputs of one net on scaled inputs, in float64 and bounded memory."""
    X = X.astype(np.float64, copy=False)
    views = network.views(torch.from_numpy(parameters[None]))
    parts = [
        network.forward(views, torch.from_numpy(X[i : i + _PREDICT_ROWS])[None])[0][0, :, 0].numpy()
        for i in range(0, len(X), _PREDICT_ROWS)
    ]
    return np.concatenate(parts)


def _finite_mean(values: np.ndarray) -> float:
    """Mean, infinite where the net diverged, so that it is never chosen."""
    value = float(np.mean(values))
    return value if np.isfinite(value) else np.inf


def _least_loss(loss: np.ndarray, n_cells: int) -> np.ndarray:
    """Of nets (restart, cell) the row with the least loss for every cell."""
    finite = np.where(np.isfinite(loss), loss, np.inf).reshape(-1, n_cells)
    return finite.argmin(axis=0) * n_cells + np.arange(n_cells)


def _untold(flat: np.ndarray) -> Trained:
    """Parameters along training, of which nothing else is known."""
    blank = np.zeros(len(flat))
    return Trained(flat, blank, blank)
