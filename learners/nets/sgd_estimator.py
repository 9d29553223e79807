"""What the SGD learners share: scaling, inner tuning, the fast path, prediction."""

from __future__ import annotations

import abc
import itertools
import math
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.utils.validation import check_is_fitted, validate_data

from hierbench.checks import integer, is_real, one_of, real, reals
from hierbench.errors import refusal
from hierbench.learners.base import Curve, FitReport, FittedCurve, TraceCallback, steps_law
from hierbench.learners.catalogue.bounds import check_bounds
from hierbench.learners.engines.minibatches import FreshSamples, Sampler
from hierbench.learners.engines.network import DenseNetwork
from hierbench.learners.engines.outputs import outputs_on
from hierbench.learners.engines.sgd_engine import Job, Schedule, Trained, TrainHook, train
from hierbench.learners.generators import Purpose, generator
from hierbench.learners.nets.cells import Cell, Choice
from hierbench.learners.nets.scaling import ClassScaling, Scaling
from hierbench.learners.nets.sgd_block import Block, NetworkHook
from hierbench.learners.nets.tuning import choose
from hierbench.learners.parameters import KeepsParameters, integer_or_none, not_negative, positive, share
from hierbench.learners.seeds import seed_of
from hierbench.learners.training_set import training_set

DTYPES = ("float32", "float64")
LOSSES = ("square", "logistic")
OPTIMIZERS = ("adam", "sgd")


def after_steps(hook: NetworkHook | None, network: DenseNetwork, offset: int) -> TrainHook | None:
    """Make the engine's hook for a phase that begins after ``offset`` steps."""
    return None if hook is None else lambda step, flat: hook(offset + step, network, flat)


class SGDRegressorBase(KeepsParameters, RegressorMixin, BaseEstimator, abc.ABC):
    """Base of the SGD learners; a subclass says what its network is and how it is trained.

    Inner tuning: where ``learning_rate`` or ``weight_decay`` is a sequence, every combination
    is trained for ``tuning_share`` of the steps on 80 % of the training set, the one with the
    least squared error on the other 20 % is chosen, and its net is trained anew on all of it.
    ``fit_report_.steps`` and ``.flops`` count all of this.

    With ``steps=None`` the steps begin with a law of n and are doubled, the best of each decay running
    anew, until L - 1 doublings (L levels) have not taken a fifth off the held-out error, until that error is
    below ``tol``, or up to ``max_lengthening`` times the law. The error is then that of the samples and not
    of a schedule that ended too early; the first doubling that did not pay is kept, since a fifth of the
    samples was missing when it was tried.

    With ``restarts`` > 1 the final training starts from that many initialisations, and the net
    with the least training loss at its end is kept: among nets trained alike that tells a poor
    initialisation, where the held-out error of a shorter run does not.

    ``loss="logistic"`` makes a classifier of it for labels of two values: predictions are the
    score, put so that the class is the label value nearest to it.

    Parameters
    ----------
    steps : int or None
        Minibatch steps of the final training. None begins with a law of n, 2000 up to 4096 samples
        and doubled at every fourfold of them, and doubles them while that pays: see above.
    batch_size : int
        Rows a minibatch.
    learning_rate, weight_decay : float or sequence of float
        Peak rate of the one-cycle schedule and decoupled decay; a sequence is tuned inside
        ``fit`` on a held-out fifth.
    optimizer : {"adam", "sgd"}
    tuning_share : float in (0, 1]
        Length of a tuning run as a share of ``steps``.
    max_lengthening : float, default 16
        How many times the steps of the law training may take where ``steps`` is None; 1 is the law.
    tol : float, default 1e-6
        Held-out error, as a share of the variance of the labels (or the share of wrong classes),
        below which training is not lengthened. Errors well above it are then no matter of steps.
    step_factor : float, default 1
        How many times what was settled the final training takes where ``steps`` is None. The best
        candidates are compared once more at so many times the length.
    restarts : int
        Initialisations of the final training, of which the least training loss is kept.
    loss : {"square", "logistic"}
        The logistic loss is for labels of two values: predictions are then a score, and the
        class is the label value nearest to it.
    random_state : int, RandomState or None
    dtype : {"float32", "float64"}
        Arithmetic of the training; predictions are computed in float64.
    device : str
        Where it is trained: "cpu", "cuda", or "cuda:1", as jax has them.

    Attributes
    ----------
    network_ : DenseNetwork
    parameters_ : (n_parameters,) float64
    scaling_ : Scaling
        Of inputs and labels.
    fit_report_ : FitReport
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
    step_factor: float
    max_lengthening: float
    tol: float
    restarts: int = 1
    loss: str = "square"

    @abc.abstractmethod
    def _network(self, d: int) -> DenseNetwork:
        """Make the network for inputs of dimension d; ValueError on bad parameters."""

    def _networks(self, d: int) -> Sequence[DenseNetwork]:
        """Make the networks that are tried, of which ``_network`` is one."""
        return [self._network(d)]

    def _said(self, network: DenseNetwork) -> dict[str, float]:
        """What the report says of a network that was chosen among several."""
        return {}

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
            dtype=self.dtype, device=self.device,
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
        self._check_parameters()
        X, y = training_set(self, X, y)
        seed = self._seed()
        return self._become(self.fit_curves([Curve(X, y, (len(X),), seed)])[0].estimators[0])

    def _become(self, fitted: Any) -> Self:
        """Take over everything that ``fitted`` has learned."""
        self.__dict__.update({k: v for k, v in vars(fitted).items() if k.endswith("_")})
        return self

    def _seed(self) -> int:
        return seed_of(self.random_state)

    def fit_curves(self, curves: Sequence[Curve], callback: TraceCallback | None = None) -> list[FittedCurve]:
        """Train every size of every curve, as one batched model (see hierbench.learners.base)."""
        self._check_parameters()
        return Block(self, self._networks(curves[0].X.shape[1]), curves, callback).train()

    def fit_sampler(self, sampler: Sampler, d: int) -> Self:
        """One pass over fresh samples: every minibatch is drawn anew from ``sampler(n, rng)``.

        The scale is taken from one minibatch. There are ``steps`` of them, 2000 where that is
        None. Sequences of hyper-parameters are refused: there is no training set to hold
        anything out from.
        """
        self._check_parameters()
        grid = self._grid()
        if len(grid) > 1:
            raise ValueError(
                refusal("learning_rate and weight_decay", grid, "a single pair", "fit_sampler cannot tune")
            )
        networks = self._networks(d)
        if len(networks) > 1:
            widths = [network.sizes()[1] for network in networks]
            name = next(iter(self._said(networks[0])))
            raise ValueError(refusal(name, widths, "a single one", "fit_sampler cannot tune"))
        network = networks[0]
        seed = (self._seed(), 0)
        steps = self._steps(0) if self.steps is not None else math.ceil(self.step_factor * self._steps(0))
        rngs = [generator(seed, Purpose.MINIBATCHES, restart) for restart in range(self.restarts)]
        scaling = self._scaling(*sampler(max(self.batch_size, 1024), rngs[0]))
        jobs = [Job(FreshSamples(sampler, scaling.both), rng, *grid[0]) for rng in rngs]
        initial = [network.initial(generator(seed, Purpose.INITIALISATION, r)) for r in range(self.restarts)]
        trained = self._train(network, jobs, np.stack(initial), self._schedule(steps), None)
        trained = trained.take(trained.least_loss(1))
        return self._become(
            self._fitted(network, trained, 0, scaling, Choice(network, *grid[0], steps, 0, 0.0, 0, 1), True)
        )

    def _schedule(self, steps: int) -> Schedule:
        return Schedule(steps=steps, batch_size=self.batch_size, optimizer=self.optimizer, loss=self.loss)

    def _steps(self, n: int) -> int:
        """Return the steps of the final training on n samples."""
        return steps_law(n) if self.steps is None else self.steps

    def _scaling(self, X: np.ndarray, y: np.ndarray) -> Scaling:
        return (ClassScaling if self.loss == "logistic" else Scaling)(X, y)

    def _learning_rate(self) -> Any:
        """Return the rates of the grid; a subclass may resolve a default that depends on its parameters."""
        return self.learning_rate

    def _grid(self) -> list[tuple[float, float]]:
        rates, decays = np.atleast_1d(self._learning_rate()), np.atleast_1d(self.weight_decay)
        return [(float(r), float(w)) for r, w in itertools.product(rates, decays)]

    def _tune(self, networks: Sequence[DenseNetwork], cells: Sequence[Cell], steps: int) -> list[Choice]:
        """Settle network, rate, decay and steps of every cell."""
        return choose(self, networks, cells, steps)

    def _held_out_error(self, outputs: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
        """Compute what tuning minimises: squared error, or wrong classes and then, of as many, the loss."""
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
        choice: Choice,
        final: bool,
    ) -> Any:
        fitted = clone(self)
        fitted.n_features_in_ = network.d
        fitted.network_ = network
        fitted.parameters_ = trained.flat[k]
        fitted.scaling_ = scaling
        finite = bool(np.isfinite(trained.flat[k]).all() and np.isfinite(trained.loss[k]))
        chosen = {"learning_rate": choice.learning_rate, "weight_decay": choice.weight_decay}
        chosen |= self._said(choice.network)
        if self.steps is None:
            chosen["steps"] = choice.steps
        final_steps = self.restarts * self._total_steps(choice.steps)
        fitted.fit_report_ = FitReport(
            steps=final_steps + choice.spent,
            # a backward pass costs twice a forward one
            flops=3.0 * self.batch_size * (final_steps * choice.network.flops_per_sample() + choice.work),
            hyperparameters=chosen,
            status="ok" if finite else "diverged",
            reason="" if finite else "the training loss became infinite or NaN",
            health={
                "final_batch_loss": float(trained.loss[k]),
                "clipped_share": float(trained.clipped[k]),
                "edges_of_grid": float(choice.edges),
                "candidates": float(choice.candidates),
                **{name: float(values[k]) for name, values in trained.notes.items()},
            }
            if final
            else {},
        )
        return fitted

    def _check_parameters(self) -> None:
        check_bounds(self.get_params(deep=False))
        integer_or_none("steps", self.steps, 1)
        integer("batch_size", self.batch_size, 1)
        integer("restarts", self.restarts, 1)
        _check_numbers("learning_rate", self._learning_rate(), zero=False)
        _check_numbers("weight_decay", self.weight_decay, zero=True)
        one_of("loss", self.loss, LOSSES)
        one_of("optimizer", self.optimizer, OPTIMIZERS)
        one_of("dtype", self.dtype, DTYPES)
        share("tuning_share", self.tuning_share)
        positive("step_factor", self.step_factor)
        longest = self.max_lengthening
        real("max_lengthening", longest, "finite numbers >= 1", is_real(longest) and longest >= 1)
        not_negative("tol", self.tol)

    # predict --------------------------------------------------------------------------------

    def predict(self, X: Any) -> np.ndarray:
        """Predictions for X (n, d), shape (n,), computed in float64."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        scaled = outputs_on(self.device, self.network_, self.parameters_, self.scaling_.inputs(X))
        return self.scaling_.y_mean + self.scaling_.y_scale * scaled

    def level_features(self, X: Any) -> list[np.ndarray]:
        """Features h_1, ..., h_L, each of shape (n, width)."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        passed = self.network_.forward(self.network_.parts(self.parameters_), self.scaling_.inputs(X))
        return passed.features[1:]


def _finite_mean(values: np.ndarray) -> float:
    """Mean, infinite where the net diverged, so that it is never chosen."""
    value = float(np.mean(values))
    return value if np.isfinite(value) else np.inf


def _check_numbers(name: str, value: Any, *, zero: bool) -> None:
    """Refuse what is neither a number above 0 (or, where ``zero``, from 0) nor a sequence of them."""
    allowed = f"numbers {'>= 0' if zero else '> 0'}, one or several"
    reals(name, value, allowed, lambda one: one > 0 or (zero and one == 0))
