"""What the SGD learners share: scaling, inner tuning, the fast path, prediction."""

from __future__ import annotations

import abc
import itertools
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
_INITIALISATION, _MINIBATCHES, _SPLIT, _TUNING = range(4)


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


class SGDRegressorBase(RegressorMixin, BaseEstimator, metaclass=abc.ABCMeta):
    """Base of the SGD learners; a subclass says what its network is and how it is trained.

    Inner tuning: where ``learning_rate`` or ``weight_decay`` is a sequence, every combination
    is trained for ``tuning_share`` of the steps on 80 % of the training set, the one with the
    least squared error on the other 20 % is chosen, and its net is trained anew on all of it.
    ``fit_report_.steps`` and ``.flops`` count all of this.
    """

    steps: int
    batch_size: int
    learning_rate: float | Sequence[float] | None
    weight_decay: float | Sequence[float]
    optimizer: str
    tuning_share: float
    random_state: Any
    dtype: str
    device: str

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
        scalings = [Scaling(X, y) for X, y in data]
        chosen, tuning_steps = self._tune(network, data, seeds)

        jobs = [
            Job(ShuffledEpochs(*scaling.both(X, y), self.dtype), _rng(seed, _MINIBATCHES), rate, decay)
            for (X, y), scaling, seed, (rate, decay) in zip(data, scalings, seeds, chosen, strict=True)
        ]
        initial = np.stack([network.initial(_rng(seed, _INITIALISATION)) for seed in seeds])
        steps = self._total_steps(self.steps) + tuning_steps

        def curves_of(trained: Trained, net: DenseNetwork, final: bool) -> list[FittedCurve]:
            fitted: list[list[Any]] = [[] for _ in curves]
            for k, (i, _) in enumerate(cells):
                fitted[i].append(self._fitted(net, trained, k, scalings[k], chosen[k], steps, final))
            return [FittedCurve(f) for f in fitted]

        def trace(step: int, net: DenseNetwork, flat: np.ndarray) -> None:
            blank = np.zeros(len(flat))
            assert callback is not None
            callback(step, curves_of(Trained(flat, blank, blank), net, final=False))

        hook = trace if callback is not None else None
        trained = self._train(network, jobs, initial, self._schedule(self.steps), hook)
        return curves_of(trained, network, final=True)

    def fit_sampler(self, sampler: Sampler, d: int) -> Self:
        """One pass over fresh samples: every minibatch is drawn anew from ``sampler(n, rng)``.

        The scale is taken from one minibatch. Sequences of hyper-parameters are refused:
        there is no training set to hold anything out from.
        """
        self._check_parameters()
        grid = self._grid()
        if len(grid) > 1:
            raise ValueError("fit_sampler needs one learning_rate and one weight_decay, not a sequence")
        network = self._network(d)
        seed = (self._seed(), 0)
        rng = _rng(seed, _MINIBATCHES)
        scaling = Scaling(*sampler(max(self.batch_size, 1024), rng))
        jobs = [Job(FreshSamples(sampler, scaling.both), rng, *grid[0])]
        initial = network.initial(_rng(seed, _INITIALISATION))[None]
        trained = self._train(network, jobs, initial, self._schedule(self.steps), None)
        steps = self._total_steps(self.steps)
        return self._become(self._fitted(network, trained, 0, scaling, grid[0], steps, True))

    def _schedule(self, steps: int) -> Schedule:
        return Schedule(steps=steps, batch_size=self.batch_size, optimizer=self.optimizer)

    def _learning_rate(self) -> Any:
        """What the grid takes: a subclass may resolve a default that depends on its parameters."""
        return self.learning_rate

    def _grid(self) -> list[tuple[float, float]]:
        rates, decays = np.atleast_1d(self._learning_rate()), np.atleast_1d(self.weight_decay)
        return [(float(r), float(w)) for r, w in itertools.product(rates, decays)]

    def _tune(
        self, network: DenseNetwork, data: list[tuple[np.ndarray, np.ndarray]], seeds: list[tuple[int, int]]
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
            scaling = Scaling(X[kept], y[kept])
            splits.append(scaling.both(X[held], y[held]))
            start = network.initial(_rng(seed, _INITIALISATION))
            for rate, decay in grid:
                source = ShuffledEpochs(*scaling.both(X[kept], y[kept]), self.dtype)
                jobs.append(Job(source, _rng(seed, _TUNING), rate, decay))
                initial.append(start)
        steps = max(1, round(self.tuning_share * self.steps))
        trained = self._train(network, jobs, np.stack(initial), self._schedule(steps), None)
        chosen = []
        for k, (X, y) in enumerate(splits):
            errors = [
                _mean_square(_outputs(network, trained.flat[k * len(grid) + i], X) - y)
                for i in range(len(grid))
            ]
            chosen.append(grid[int(np.argmin(errors))])
        return chosen, len(grid) * self._total_steps(steps)

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
        for name in ("steps", "batch_size"):
            value = getattr(self, name)
            if not (isinstance(value, (int, np.integer)) and value >= 1):
                raise ValueError(f"{name} is {value!r}: an integer >= 1 is needed")
        for name, given in (("learning_rate", self._learning_rate()), ("weight_decay", self.weight_decay)):
            values = np.atleast_1d(np.asarray(given, dtype=np.float64))
            bound = values > 0 if name == "learning_rate" else values >= 0
            if not (values.size and np.isfinite(values).all() and bound.all()):
                least = "> 0" if name == "learning_rate" else ">= 0"
                raise ValueError(f"{name} is {given!r}: a number {least}, or a sequence of them, is needed")
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
        scaled = _outputs(self.network_, self.parameters_, self.scaling_.inputs(X))
        return self.scaling_.y_mean + self.scaling_.y_scale * scaled

    def level_features(self, X: Any) -> list[np.ndarray]:
        """Features h_1, ..., h_L, each of shape (n, width)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        views = self.network_.views(torch.from_numpy(self.parameters_[None]))
        _, features, _ = self.network_.forward(views, torch.from_numpy(self.scaling_.inputs(X))[None])
        return [h[0].numpy() for h in features[1:]]


def _rng(seed: tuple[int, int], purpose: int) -> np.random.Generator:
    """A generator for one cell (random_state, n) and purpose, independent of all others."""
    return np.random.default_rng(np.random.SeedSequence([*seed, purpose]))


def _outputs(network: DenseNetwork, parameters: np.ndarray, X: np.ndarray) -> np.ndarray:
    """Outputs of one net on scaled inputs, in float64 and bounded memory."""
    views = network.views(torch.from_numpy(parameters[None]))
    parts = [
        network.forward(views, torch.from_numpy(X[i : i + _PREDICT_ROWS])[None])[0][0, :, 0].numpy()
        for i in range(0, len(X), _PREDICT_ROWS)
    ]
    return np.concatenate(parts)


def _mean_square(error: np.ndarray) -> float:
    """Mean square, infinite where the net diverged, so that it is never chosen."""
    value = float(np.mean(np.square(error)))
    return value if np.isfinite(value) else np.inf
