"""Batched SGD: many independent nets trained as one model, each on its own data.

Every net has its own training set, seed, learning rate and weight decay; nothing is shared
but the steps, the batch size, the shape, and the memory of a training set that several have. A net's result
does not depend on which nets are trained beside it, up to rounding.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from hierbench.errors import refusal
from hierbench.learners.engines.layout import Layout
from hierbench.learners.engines.minibatches import (
    CHUNK,
    LONGEST,
    FreshSamples,
    ShuffledEpochs,
    Source,
    orders,
)
from hierbench.learners.engines.network import DenseNetwork
from hierbench.learners.engines.outputs import jax_device
from hierbench.learners.engines.sgd_program import BETA1, BETA2, EPSILON, Net, Pace, Recipe, State, program

_ACCELERATOR_FLOATS = 1 << 28
"""Numbers that the nets of a group may keep on an accelerator."""
_AT_ONCE = {"cpu": (4, 1), "accelerator": (256, 64, 16, 4, 1)}
"""Nets of a group: few sizes, because each is compiled."""
_SMALL = 16
"""Places of a group on an accelerator that cost next to nothing."""
_ROWS = {"cpu": (1 << 15, 1 << 18), "accelerator": (1 << 15, 1 << 18, 1 << 21)}
"""Rows that the data of a group are filled up to: few again. Beyond the last, multiples of it."""


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
    momentum: float = 0.9
    loss: str = "square"

    def rate(self, step: Any) -> Any:
        """Factor on the learning rate at ``step`` (0-based), a number or an array of them."""
        share = np.asarray(step) / self.steps
        up = 0.04 + 0.48 * (1.0 - np.cos(np.pi * share / self.warmup))
        down = 0.5 * (1.0 + np.cos(np.pi * (share - self.warmup) / (1.0 - self.warmup)))
        return np.where(share < self.warmup, up, down)

    def pace(self, first: int, dtype: str) -> Pace:
        """Return the numbers of the steps of one chunk, the first of which is ``first``."""
        steps = np.arange(first, first + CHUNK)
        rate = self.rate(steps)
        root = np.sqrt(1.0 - BETA2 ** (steps + 1.0))
        adam = rate * root / (1.0 - BETA1 ** (steps + 1.0))
        weight = np.maximum(0.01, 1.0 / (steps + 1.0))
        numbers = (rate, adam, EPSILON * root, weight, np.float64(self.clip), np.float64(self.momentum))
        return Pace(*(n.astype(dtype) for n in numbers))


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

    every: int
    """Steps between two looks."""

    def begin(self, flat: np.ndarray) -> np.ndarray:
        """Return the parameters (n_nets, n_parameters) to begin with."""

    def weights(self) -> np.ndarray:
        """Return the weights of the network's penalty, (n_nets, L), until the next look."""

    def look(self, step: int, loss: np.ndarray) -> list[tuple[int, int, np.ndarray]]:
        """After ``step`` steps and with the running losses: (net, part, value) of what is replaced."""

    def notes(self) -> dict[str, np.ndarray]:
        """Numbers for the fit report at the end, (n_nets,) each."""


def trace_steps(steps: int) -> list[int]:
    """Return the steps at which a trace is taken: 0, 1, 2, 4, ... then every 64th share, and the last."""
    powers = [2**i for i in range(int(math.log2(max(1, steps))) + 1)]
    even = [round(i * steps / 64) for i in range(1, 65)]
    return sorted({0, *powers, *even, steps})


def group_sizes(n_nets: int, network: DenseNetwork, batch_size: int, device: str) -> list[int]:
    """Say how many nets are computed at once, group by group.

    On an accelerator, where many take little longer than few, the last group may be larger than what is left,
    at most twice as large where it is not small.
    """
    sizes: list[int] = []
    possible = _AT_ONCE[_kind(device)]
    if device != "cpu":
        floats = batch_size * network.floats_per_sample() + 4 * network.n_parameters
        possible = tuple(size for size in possible if size * floats <= _ACCELERATOR_FLOATS) or (1,)
    while (left := n_nets - sum(sizes)) > 0:
        filled = min((size for size in possible if size >= left), default=possible[0])
        if device != "cpu" and (filled <= _SMALL or filled < 2 * left):
            sizes.append(filled)
        else:
            sizes.append(next(size for size in possible if size <= left))
    return sizes


def _kind(device: str) -> str:
    return "cpu" if device == "cpu" else "accelerator"


def train(
    network: DenseNetwork,
    initial: np.ndarray,
    jobs: Sequence[Job],
    schedule: Schedule,
    *,
    trainable: Sequence[bool] | None = None,
    dtype: str = "float32",
    device: str = "cpu",
    hook: TrainHook | None = None,
    control: Callable[[int], Control] | None = None,
) -> Trained:
    """Minimise every net's mean loss on its own data.

    Parameters
    ----------
    initial : (n_jobs, n_parameters)
    trainable : for each part of the network, optional
        False freezes it; None is what the network says.
    hook : called with all nets' parameters.
    control : makes the control of so many nets.

    Raises
    ------
    ValueError
        More rows in all minibatches than positions have numbers.
    """
    if schedule.steps * schedule.batch_size >= LONGEST:
        raise ValueError(
            refusal("steps * batch_size", schedule.steps * schedule.batch_size, "integers below 2^32")
        )

    def made() -> Iterator[_Group]:
        start = 0
        for size in group_sizes(len(jobs), network, schedule.batch_size, device):
            some = slice(start, start + size)
            look = control(len(jobs[some])) if control else None
            yield _Group(network, initial[some], jobs[some], schedule, trainable, dtype, device, look, size)
            start += size

    # without a hook a group is done before the next is made: its data need the memory only meanwhile
    groups: Iterable[_Group] = list(made()) if hook else made()
    if hook:
        for step in trace_steps(schedule.steps):
            hook(step, np.concatenate([group.train_to(step).flat for group in groups]))
    return Trained.join([group.train_to(schedule.steps) for group in groups])


class _Group:
    """Nets that are trained as one, on the device."""

    def __init__(
        self,
        network: DenseNetwork,
        initial: np.ndarray,
        jobs: Sequence[Job],
        schedule: Schedule,
        trainable: Sequence[bool] | None,
        dtype: str,
        device: str,
        control: Control | None,
        size: int,
    ) -> None:
        self.network, self.jobs, self.schedule, self.control = network, jobs, schedule, control
        self.dtype, self.device = dtype, device
        self.idle = size - len(jobs)
        self.layout = Layout(network, network.trained() if trainable is None else trainable)
        self.recipe = Recipe(
            self.layout.filled, self.layout.trainable, schedule.optimizer, schedule.loss,
            guided=control is not None,
        )  # fmt: skip
        self.step = 0
        flat, fixed = self.layout.apart(initial if control is None else control.begin(initial))
        rates = np.array([[job.learning_rate] for job in jobs])
        decays = rates * [[job.weight_decay] for job in jobs] * self.layout.decays()
        with self._on_device() as put:
            flat, zeros = self._filled(flat), np.zeros(size)
            self.state = State(put(flat), put(0.0 * flat), put(0.0 * flat), put(zeros), put(zeros))
            self.net = Net(
                [put(self._filled(part)) for part in fixed],
                *(put(self._filled(numbers)) for numbers in (rates[:, 0], decays, self._weights())),
            )
            self._load(put)

    @contextlib.contextmanager
    def _on_device(self) -> Iterator[Callable[[Any], Any]]:
        """Set up jax for this group; gives what puts an array on the device in the group's dtype."""
        # jax starts slowly
        import jax

        device = jax_device(self.device)
        with (
            jax.enable_x64(self.dtype == "float64"),
            jax.default_device(device),
            jax.default_matmul_precision("highest"),
        ):
            yield lambda array: jax.device_put(np.asarray(array, dtype=self.dtype), device)

    def _weights(self) -> np.ndarray:
        n_levels = self.network.depth
        return np.zeros((len(self.jobs), n_levels)) if self.control is None else self.control.weights()

    def _filled(self, per_net: np.ndarray) -> np.ndarray:
        """Fill an array with an axis of nets in front up to the size of the group, with the first net's."""
        return np.concatenate([per_net, np.repeat(per_net[:1], self.idle, axis=0)]) if self.idle else per_net

    def _load(self, put: Callable[[Any], Any]) -> None:
        """Put the training sets on the device, each once and behind one another; draw the orders' keys."""
        self.fresh = [job.source for job in self.jobs if isinstance(job.source, FreshSamples)]
        if self.fresh:
            rows = np.arange(len(self.jobs) * CHUNK * self.schedule.batch_size, dtype=np.int32)
            self.in_order = self._filled(rows.reshape(len(self.jobs), CHUNK, -1))
            return
        sources = [job.source for job in self.jobs if isinstance(job.source, ShuffledEpochs)]
        starts, total = {}, 0
        for source in sources:
            if source not in starts:
                starts[source] = total
                total += len(source.X)
        lengths = _ROWS[_kind(self.device)]
        length = next((rows for rows in lengths if rows >= total), -(-total // lengths[-1]) * lengths[-1])
        X = np.zeros((length, self.layout.filled.d), dtype=self.dtype)
        y = np.zeros(length, dtype=self.dtype)
        for source, start in starts.items():
            end = start + len(source.X)
            X[start:end, : self.network.d], y[start:end] = source.X, source.y
        self.data = put(X), put(y)
        keys = np.stack([job.rng.integers(1 << 32, size=2, dtype=np.uint32) for job in self.jobs])
        sizes = np.array([len(source.X) for source in sources], dtype=np.uint32)
        places = np.array([starts[source] for source in sources], dtype=np.int32)
        self.orders = tuple(self._filled(numbers) for numbers in (keys, sizes, places))

    def _chunk(self, put: Callable[[Any], Any]) -> tuple[Any, Any, Any, Pace]:
        """X, y, the rows of the minibatches and the pace of the chunk that begins at this step."""
        batch, pace = self.schedule.batch_size, self.schedule.pace(self.step, self.dtype)
        if self.fresh:
            drawn = [
                source.take(CHUNK * batch, job.rng) for source, job in zip(self.fresh, self.jobs, strict=True)
            ]
            X, y = (np.concatenate(part) for part in zip(*drawn, strict=True))
            return put(self.layout.inputs(X)), put(y), self.in_order, pace
        like = np.empty(CHUNK * batch, dtype=np.int8)
        rows = orders()(*self.orders, np.uint32(self.step * batch), like)
        return *self.data, rows.reshape(-1, CHUNK, batch), pace

    def train_to(self, last: int) -> Trained:
        """Train until ``last`` steps are done."""
        every = self.control.every if self.control else self.schedule.steps
        with self._on_device() as put:
            while self.step < last:
                begin = self.step % CHUNK
                if begin == 0:
                    self.chunk = self._chunk(put)
                count = min(last - self.step, CHUNK - begin, every - self.step % every)
                # a loop of known length does not wait for the host
                advance = program(self.recipe, count == CHUNK and self.device != "cpu")
                self.state = advance(self.state, self.net, *self.chunk, begin, begin + count)
                self.step += count
                if self.control and self.step % every == 0:
                    self._look(self.control, put)
            return self._trained()

    def _look(self, control: Control, put: Callable[[Any], Any]) -> None:
        loss = np.asarray(self.state.loss, dtype=np.float64)[: len(self.jobs)]
        changes = control.look(self.step, loss)
        self.net = self.net._replace(weights=put(self._filled(control.weights())))
        for net, part, value in changes:
            filled, start = self.layout.part(part, value[None]), self.layout.position(part)
            flat = self.state.flat.at[net, start : start + filled.size].set(put(filled.ravel()))
            self.state = self.state._replace(flat=flat)

    def _trained(self) -> Trained:
        there = self.state.flat, *self.net.fixed, self.state.loss, self.state.clipped
        flat, *fixed, loss, clipped = (np.asarray(a, dtype=np.float64)[: len(self.jobs)] for a in there)
        return Trained(
            flat=self.layout.together(flat, fixed),
            loss=loss if self.step else np.full(len(loss), math.nan),
            clipped=clipped / max(1, self.schedule.steps),
            notes=self.control.notes() if self.control else {},
        )
