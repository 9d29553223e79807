"""Batched SGD: many independent nets trained as one model, each on its own data.

Every net has its own training set, seed, learning rate and weight decay; nothing is shared
but the steps, the batch size and the shape. A net's result does not depend on which nets
are trained beside it, up to rounding.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from hierbench.learners.engines.network import DenseNetwork

CHUNK = 64
"""Steps whose minibatches are drawn together."""

_CACHE_FLOATS = 1 << 19
"""Activations kept in flight on a CPU: nets are trained in groups that stay in its cache."""

Sampler = Callable[[int, np.random.Generator], tuple[np.ndarray, np.ndarray]]
"""``sampler(n, rng) -> X, y``: fresh samples, for one pass over the data."""


class Source(Protocol):
    """Where one net's minibatches come from."""

    def take(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return the next n rows, X (n, d) and y (n,)."""


class Residuals:
    """The rows of another source, with a fixed function of x taken from y."""

    def __init__(self, source: Source, known: Callable[[np.ndarray], np.ndarray]) -> None:
        self._source, self._known = source, known

    def take(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Take the next n rows: X (n, d) and y (n,)."""
        X, y = self._source.take(n, rng)
        return X, y - self._known(X).astype(y.dtype)


class ShuffledEpochs:
    """Rows of a fixed training set, in one random order an epoch, epochs laid end to end.

    Kept in the dtype of the training, so that a minibatch is gathered without a conversion.
    """

    def __init__(self, X: np.ndarray, y: np.ndarray, dtype: str = "float64") -> None:
        self.X, self.y = X.astype(dtype), y.astype(dtype)
        self._order = np.empty(0, dtype=np.int64)

    def take(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Take the next n rows: X (n, d) and y (n,)."""
        orders = [self._order]
        have = len(self._order)
        while have < n:
            orders.append(rng.permutation(len(self.X)))
            have += len(self.X)
        order = np.concatenate(orders)
        self._order = order[n:]
        return self.X[order[:n]], self.y[order[:n]]


class FreshSamples:
    """Rows that are never seen twice, drawn from a sampler and put on the net's scale."""

    def __init__(self, sampler: Sampler, scale: Callable[..., tuple[np.ndarray, np.ndarray]]) -> None:
        self._sampler, self._scale = sampler, scale

    def take(self, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Take the next n rows: X (n, d) and y (n,)."""
        return self._scale(*self._sampler(n, rng))


@dataclasses.dataclass
class Job:
    """One net to be trained: its data, its generator and its own hyper-parameters."""

    source: Source
    rng: np.random.Generator
    learning_rate: float
    weight_decay: float = 0.0


@dataclasses.dataclass(frozen=True)
class Schedule:
    """How long and how: the part that all nets of a batch share.

    One cycle of the learning rate: cosine up over the first ``warmup`` share of the steps,
    cosine down to zero over the rest (Smith & Topin, arXiv 1708.07120).

    Parameters
    ----------
    steps, batch_size : int
    optimizer : ``"adam"`` (Kingma & Ba, arXiv 1412.6980) or ``"sgd"`` (with ``momentum``)
    clip : float
        Largest norm of one net's gradient; a longer one is scaled down.
    loss : ``"square"``, or ``"logistic"``: log(1 + exp(-y f)) for labels y = -1 and 1
    """

    steps: int
    batch_size: int
    optimizer: str = "adam"
    warmup: float = 0.3
    clip: float = 1.0
    beta1: float = 0.9
    beta2: float = 0.99
    momentum: float = 0.9
    loss: str = "square"

    def rate(self, step: int) -> float:
        """Factor on the learning rate at ``step`` (0-based)."""
        share = step / self.steps
        if share < self.warmup:
            return 0.04 + 0.48 * (1.0 - math.cos(math.pi * share / self.warmup))
        return 0.5 * (1.0 + math.cos(math.pi * (share - self.warmup) / (1.0 - self.warmup)))


@dataclasses.dataclass
class Trained:
    """Parameters (n_nets, n_parameters) and what the training said of each net."""

    flat: np.ndarray
    loss: np.ndarray  # running mean of the minibatch loss at the end
    clipped: np.ndarray  # share of steps whose gradient was clipped
    notes: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)  # of the control, (n_nets,) each

    @classmethod
    def along(cls, flat: np.ndarray) -> Trained:
        """Wrap parameters along training, of which nothing else is known."""
        return cls(flat, np.zeros(len(flat)), np.zeros(len(flat)))

    @classmethod
    def join(cls, parts: Sequence[Trained]) -> Trained:
        """Put groups of nets behind one another."""
        flat, loss, clipped = (
            np.concatenate([getattr(p, name) for p in parts]) for name in ("flat", "loss", "clipped")
        )
        notes = {name: np.concatenate([p.notes[name] for p in parts]) for name in parts[0].notes}
        return cls(flat, loss, clipped, notes)

    def take(self, rows: np.ndarray) -> Trained:
        """Take some of the nets."""
        notes = {name: values[rows] for name, values in self.notes.items()}
        return Trained(self.flat[rows], self.loss[rows], self.clipped[rows], notes)

    def least_loss(self, n_cells: int) -> np.ndarray:
        """Find, of nets (restart, cell), the row with the least loss for every cell."""
        finite = np.where(np.isfinite(self.loss), self.loss, np.inf).reshape(-1, n_cells)
        return finite.argmin(axis=0) * n_cells + np.arange(n_cells)


TrainHook = Callable[[int, np.ndarray], None]
"""``hook(step, flat)`` along training."""


class Control(Protocol):
    """What a learner changes while a group of nets is trained."""

    def __call__(self, step: int, loss: Tensor) -> Tensor | float:
        """After every backward pass; ``loss`` (n_nets,) is the running loss of every net.

        May add to the gradients and write to the parameters that it was made with; returns the
        factor on the weight decay, broadcast over (n_nets, n_parameters).
        """

    def notes(self) -> dict[str, np.ndarray]:
        """Numbers for the fit report at the end, (n_nets,) each."""


MakeControl = Callable[[Tensor, Tensor], Control]
"""``make(flat, gradient)``: both (n_nets, n_parameters) and updated in place by the engine."""


def trace_steps(steps: int) -> list[int]:
    """Return the steps at which a trace is taken: 0, 1, 2, 4, ... then every 64th share, and the last."""
    powers = [2**i for i in range(int(math.log2(max(1, steps))) + 1)]
    even = [round(i * steps / 64) for i in range(1, 65)]
    return sorted({0, *powers, *even, steps})


def nets_at_once(network: DenseNetwork, batch_size: int, device: str) -> int:
    """How many nets fill the cache; on an accelerator, all that fit a large budget."""
    floats = batch_size * network.floats_per_sample() + 4 * network.n_parameters
    budget = _CACHE_FLOATS if device == "cpu" else 1 << 30
    return max(1, budget // floats)


def train(
    network: DenseNetwork,
    initial: np.ndarray,
    jobs: Sequence[Job],
    schedule: Schedule,
    *,
    trainable: np.ndarray | None = None,
    lowest: int = 1,
    dtype: torch.dtype = torch.float32,
    device: str = "cpu",
    hook: TrainHook | None = None,
    control: MakeControl | None = None,
) -> Trained:
    """Minimise every net's mean loss on its own data.

    Parameters
    ----------
    initial : (n_jobs, n_parameters)
    trainable : (n_parameters,) of bool, optional
        False freezes a parameter. Levels below ``lowest`` must be frozen.
    hook : called with all nets' parameters; all nets are then trained as one group.
    control : makes the control of each group of nets, which may first change the parameters.
    """
    group = len(jobs) if hook else nets_at_once(network, schedule.batch_size, device)
    parts = [
        _train_group(
            network, initial[i : i + group], jobs[i : i + group], schedule,
            trainable, lowest, dtype, device, hook, control,
        )
        for i in range(0, len(jobs), group)
    ]  # fmt: skip
    return Trained.join(parts)


def _train_group(
    network: DenseNetwork,
    initial: np.ndarray,
    jobs: Sequence[Job],
    schedule: Schedule,
    trainable: np.ndarray | None,
    lowest: int,
    dtype: torch.dtype,
    device: str,
    hook: TrainHook | None,
    make_control: MakeControl | None,
) -> Trained:
    n_nets, batch = len(jobs), schedule.batch_size
    flat = torch.as_tensor(initial, dtype=dtype, device=device).clone()
    gradient = torch.zeros_like(flat)
    views, gradients = network.views(flat), network.views(gradient)
    mask = None if trainable is None else torch.as_tensor(trainable, dtype=dtype, device=device)

    def column(values: list[float]) -> Tensor:
        return torch.tensor(values, dtype=dtype, device=device).unsqueeze(1)

    rates = column([j.learning_rate for j in jobs])
    decay = column([j.learning_rate * j.weight_decay for j in jobs])
    any_decay = any(j.weight_decay for j in jobs)
    update = (
        _adam(flat, gradient, schedule) if schedule.optimizer == "adam" else _momentum(gradient, schedule)
    )
    control = make_control(flat, gradient) if make_control else None
    loss = torch.full((n_nets,), math.nan, dtype=dtype, device=device)
    clipped = torch.zeros(n_nets, 1, dtype=dtype, device=device)
    traced = set(trace_steps(schedule.steps)) if hook else set()

    for start in range(0, schedule.steps, CHUNK):
        length = min(CHUNK, schedule.steps - start)
        # drawn in whole chunks, so that a shorter run sees the same first minibatches
        drawn = [job.source.take(CHUNK * batch, job.rng) for job in jobs]
        X = _stack([x.reshape(CHUNK, batch, -1) for x, _ in drawn], dtype, device)
        y = _stack([t.reshape(CHUNK, batch, 1) for _, t in drawn], dtype, device)
        for i in range(length):
            step = start + i
            if hook and step in traced:
                hook(step, flat.cpu().double().numpy().copy())  # training goes on in the original
            out, features, slopes = network.forward(views, X[i])
            mean_loss, derivative = loss_and_derivative(out, y[i], schedule.loss)
            loss = mean_loss if step == 0 else loss.lerp_(mean_loss, max(0.01, 1 / (step + 1)))
            network.backward(views, gradients, derivative, features, slopes, lowest)
            share = control(step, loss) if control else 1.0
            if mask is not None:
                gradient.mul_(mask)
            norm = gradient.norm(dim=1, keepdim=True)
            clipped.add_(norm > schedule.clip)
            gradient.mul_((schedule.clip / norm.clamp_min_(1e-30)).clamp_max_(1.0))
            rate = schedule.rate(step)
            if any_decay:
                shrink = decay * rate if mask is None else decay * rate * mask
                flat.mul_(1.0 - shrink * share)
            flat.addcmul_(update(step), rates, value=-rate)
    if hook:
        hook(schedule.steps, flat.cpu().double().numpy())
    return Trained(
        flat=flat.cpu().double().numpy(),
        loss=loss.cpu().double().numpy(),
        clipped=clipped[:, 0].cpu().double().numpy() / max(1, schedule.steps),
        notes=control.notes() if control else {},
    )


def loss_and_derivative(out: Tensor, y: Tensor, loss: str) -> tuple[Tensor, Tensor]:
    """Mean loss of every net (n_nets,) and its derivative in ``out`` (n_nets, batch, 1), overwritten."""
    batch = out.shape[1]
    if loss == "logistic":
        margin = out.mul_(y)
        mean = functional.softplus(-margin).mean((1, 2))
        return mean, torch.sigmoid(margin.neg_()).mul_(y).mul_(-1.0 / batch)
    error = out.sub_(y)
    return error.square().mean((1, 2)), error.mul_(2.0 / batch)


def _stack(parts: list[np.ndarray], dtype: torch.dtype, device: str) -> Tensor:
    """(CHUNK, n_nets, batch, .) in the dtype of the training."""
    stacked = torch.stack([torch.as_tensor(p, dtype=dtype) for p in parts], dim=1)
    return stacked.to(device)


def _adam(flat: Tensor, gradient: Tensor, schedule: Schedule) -> Callable[[int], Tensor]:
    first, second = torch.zeros_like(flat), torch.zeros_like(flat)
    scratch = torch.empty_like(flat)

    def update(step: int) -> Tensor:
        first.lerp_(gradient, 1.0 - schedule.beta1)
        second.mul_(schedule.beta2).addcmul_(gradient, gradient, value=1.0 - schedule.beta2)
        correction1 = 1.0 - schedule.beta1 ** (step + 1)
        correction2 = math.sqrt(1.0 - schedule.beta2 ** (step + 1))
        torch.sqrt(second, out=scratch)
        scratch.add_(1e-8 * correction2)
        return torch.div(first, scratch, out=scratch).mul_(correction2 / correction1)

    return update


def _momentum(gradient: Tensor, schedule: Schedule) -> Callable[[int], Tensor]:
    velocity = torch.zeros_like(gradient)

    def update(step: int) -> Tensor:
        return velocity.mul_(schedule.momentum).add_(gradient)

    return update
