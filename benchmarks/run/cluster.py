"""Workers of a dask cluster, which hold no state: results come back to the one process that stores them."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import CancelledError
from typing import Any

import distributed

from hierbench.benchmarks.run import cluster_worker
from hierbench.benchmarks.run.room import GIB
from hierbench.benchmarks.suites.plan import Plan
from hierbench.benchmarks.units.experiment_unit import ExperimentUnit
from hierbench.benchmarks.units.plain import one_line_of
from hierbench.benchmarks.units.unit import CertificateUnit, CurveUnit, Result, Unit, UnitStatus
from hierbench.errors import UserError

PATIENCE = 30.0
"""Seconds for the scheduler to answer, and for a worker to be there: the first, or another for a lost one."""
GRACE = 10.0
"""Seconds beyond a unit's limit: one whose learner has a process of its own ends by itself before."""
_DEATHS = 4
"""Workers that a unit may lose, as dask has it for those of a task that is named to none."""
_DIED = "every worker that computed it died"
_GONE = (
    "the scheduler has gone: what is finished is kept, and the same command computes the rest when it is back"
)


@contextlib.contextmanager
def opened(address: str, plan: Plan) -> Iterator[ClusterPool]:
    """Connect to a scheduler, and hold its workers to the code and the versions that the plan's keys cover.

    Parameters
    ----------
    address : str
        ``tcp://host:8786``, as ``dask scheduler`` says it.
    plan : Plan
        What is to be computed.

    Raises
    ------
    UserError
        Nobody answers there, there is no worker, or one has other code, other library versions or more than
        one thread.
    """
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what matters is said as ours
    try:
        client = distributed.Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise UserError(
            f"no dask scheduler answers at {address} ({one_line_of(error)}): dask scheduler starts one, "
            "and says its address"
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError as error:
            raise UserError(
                f"the scheduler at {address} has no worker: dask worker {address} --nthreads 1"
            ) from error
        _hold(client, plan)
        yield ClusterPool(client)


def _hold(client: distributed.Client, plan: Plan) -> None:
    """Refuse workers that would compute other numbers than this process."""
    for worker, info in client.scheduler_info()["workers"].items():
        if info["nthreads"] != 1:
            raise UserError(
                f"worker {worker} has {info['nthreads']} threads, allowed is 1: dask worker --nthreads 1, "
                "several on a machine with --nworkers"
            )
    try:
        client.register_plugin(cluster_worker.Start([*sys.path, os.getcwd()]))
        units = _one_of_each(plan)
        answers = client.run(cluster_worker.keys_here, [unit.axes for unit in units])
    except Exception as error:  # of any worker, raised here
        raise UserError(f"a worker cannot load hierbench: {one_line_of(error)}") from error
    for worker, keys in answers.items():
        for unit, answer in zip(units, keys, strict=True):
            if difference := _difference(unit, answer):
                raise UserError(
                    f"worker {worker} differs from this process in {unit.title()}: {difference}; install the "
                    "same there, and start it again"
                )


def _difference(unit: Any, answer: tuple[str, str, dict[str, str]] | str) -> str:
    if isinstance(answer, str):
        return answer
    key, code, versions = answer
    if key == unit.key:
        return ""
    names = sorted(versions.keys() | unit.versions.keys())
    others = [f"{n} {versions.get(n)} instead of {unit.versions.get(n)}" for n in names
              if versions.get(n) != unit.versions.get(n)]  # fmt: skip
    return ", ".join(others) or ("other code" if code != unit.code else "another form of keys")


def _one_of_each(plan: Plan) -> list[Any]:
    """A unit for each learner, target and experiment: all units of one have the same code."""
    each: dict[tuple[str, str], Unit] = {}
    for unit in plan.units:
        if isinstance(unit, ExperimentUnit):
            each.setdefault(("", unit.axes["experiment"]), unit)
        elif isinstance(unit, CurveUnit | CertificateUnit):
            learner = unit.learner_spec["name"] if isinstance(unit, CurveUnit) else ""
            each.setdefault((learner, unit.target), unit)
    return list(each.values())


class ClusterPool:
    """The workers of a cluster, as many as there are at a time."""

    def __init__(self, client: distributed.Client) -> None:
        self._client = client
        self._seen, self._limits = -1.0, dict[str, float]()
        self._were = dict[str, tuple[float, float]]()
        self._flights: dict[str, ClusterFlight] = {}
        self._topic = f"hierbench-{uuid.uuid4().hex}"
        client.subscribe_topic(self._topic, self._begins)
        self.room = _Room(self)

    def _begins(self, event: tuple[float, Any]) -> None:
        """Hear from a worker that it starts a unit: a second time where the first worker was lost."""
        said = event[1]
        if flight := self._flights.get(said["unit"]):
            flight.started, flight.worker = time.monotonic(), said["worker"]

    def limits(self) -> dict[str, float]:
        """Return the bytes that each worker may use, by its address; looked at once a second."""
        if time.monotonic() - self._seen > 1.0:
            try:
                workers = self._client.scheduler_info()["workers"]
            except (OSError, CancelledError) as error:
                raise UserError(_GONE) from error
            self._limits = {a: float(info["memory_limit"] or "inf") for a, info in workers.items()}
            self._seen = time.monotonic()
            self._were |= {a: (self._seen, most) for a, most in self._limits.items()}
        return self._limits

    def lately(self) -> list[float]:
        """Return the bytes of the workers that are there, or were a moment ago and may be back."""
        self.limits()
        return [most for seen, most in self._were.values() if self._seen - seen < PATIENCE]

    def size(self) -> int:
        """Return how many workers there are; one where none is for the moment."""
        return max(1, len(self.limits()))

    def fly(self, unit: Unit, limit: float, land: Callable[[ClusterFlight], None]) -> ClusterFlight:
        """Submit a unit, and call ``land`` with it when it has a result."""

        def landed(flight: ClusterFlight) -> None:
            self._flights.pop(unit.key, None)  # with it goes its result, which the scheduler keeps till then
            land(flight)

        flight = ClusterFlight(unit, limit, self._client, self.limits, self._topic, landed)
        self._flights[unit.key] = flight
        flight.submit()
        return flight


class ClusterFlight:
    """A unit on its way, whose clock starts when a worker says that it does.

    Parameters
    ----------
    limit : float
        Seconds that it may take.
    limits : callable
        Returns the bytes that each worker may use, by its address.
    topic : str
        Under which the worker says that it starts.
    land : callable
        Called with this when it has a result.
    """

    def __init__(
        self,
        unit: Unit,
        limit: float,
        client: distributed.Client,
        limits: Callable[[], Mapping[str, float]],
        topic: str,
        land: Callable[[ClusterFlight], None],
    ) -> None:
        self.unit, self.limit = unit, limit
        self.future: distributed.Future | None = None
        self.started: float | None = None
        self.worker = ""
        self._client, self._limits, self._topic, self._land = client, limits, topic, land
        self._named: set[str] | None = None  # the workers that may compute it; None: all
        self._alone: float | None = None  # since when they are gone
        self._deaths = 0
        self._late = self._landed = False
        self._outcome: Result | BaseException | None = None
        self._turn = threading.Lock()  # of dask's threads and of the one that stores

    def submit(self) -> None:
        """Hand it to the scheduler, for those workers whose memory is enough."""
        limits = self._limits()
        roomy = {address for address, most in limits.items() if _fits(self.unit, most)}
        # where all have room none is named: one that comes later may take it, and looks at its own memory
        self._named = roomy if len(roomy) < len(limits) else None
        if self._named is not None and not roomy:
            return  # those that had room have gone just now: others are waited for
        self._alone = None
        self.future = self._client.submit(
            cluster_worker.compute, self.unit, self.limit, self._topic, pure=False,
            workers=None if self._named is None else sorted(self._named),
        )  # fmt: skip
        self.future.add_done_callback(self._arrive)

    def check(self) -> None:
        """Restart the worker if the time is over; submit the unit again if all that it is named to are gone.

        Raises
        ------
        UserError
            There is no scheduler any more.
        """
        if self._client.status in ("closing", "closed"):
            raise UserError(_GONE)
        future = self.future  # dask's thread takes it away where it has to be submitted again
        if self._late or (future is not None and future.done()):
            return  # it only has not landed yet
        present = self._limits()
        if self._named is not None and not self._named & present.keys():
            self._move(present)
        elif self.started is None or time.monotonic() - self.started <= self.limit + GRACE:
            pass
        elif self.worker not in present:
            self.started = None  # that worker was lost: the clock starts again with the next one
        elif future is not None:
            self._late = True
            future.cancel()
            with contextlib.suppress(Exception):  # without a nanny it ends by itself, or not
                self._client.restart_workers([self.worker], raise_for_error=False)

    def _move(self, present: Mapping[str, float]) -> None:
        """Leave workers that are gone for others with room; end where it has lost several, or none comes."""
        now = time.monotonic()
        self._alone = now if self._alone is None else self._alone
        if self.started is not None:
            self._deaths, self.started = self._deaths + 1, None
        instead: Result | None = None
        if self._deaths >= _DEATHS:
            instead = self.unit.without_numbers(UnitStatus.FAILED, _DIED)
        elif not any(_fits(self.unit, most) for most in present.values()):
            if now - self._alone < PATIENCE:
                return  # such a one may come back
            instead = _too_large(self.unit, present)
        with self._turn:
            if self._landed:
                return
            before, self.future = self.future, None
            self._landed = instead is not None
        if instead is None:
            self.submit()
        else:
            self._outcome = instead
            self._land(self)
        if before is not None:
            before.cancel()

    def _arrive(self, future: distributed.Future) -> None:
        """Fetch the result from its worker: not in the thread that stores, which has other things to do."""
        outcome: Result | BaseException
        try:
            outcome = future.result()  # waits for ever where the worker is lost that has it: see check
        except BaseException as error:
            outcome = error
        with self._turn:
            if future is not self.future or self._landed:
                return  # the unit has been submitted again, and this is what came of it before
            if isinstance(outcome, cluster_worker.TooSmallError):
                self.future, self._named = None, set()  # for check to submit it to those with room
                return
            self._landed, self._outcome = True, outcome
        self._land(self)

    def result(self) -> Result:
        """What came of it.

        Raises
        ------
        UserError
            There is no scheduler any more.
        """
        outcome = self._outcome
        if isinstance(outcome, Result):
            return outcome
        if self._late:
            reason = f"not finished within {self.limit:g} s"
            return self.unit.without_numbers(UnitStatus.TIMEOUT, reason, self.limit)
        if isinstance(outcome, distributed.KilledWorker):
            return self.unit.without_numbers(UnitStatus.FAILED, _DIED)
        if isinstance(outcome, CancelledError | OSError):
            raise UserError(_GONE) from outcome
        assert isinstance(outcome, BaseException)
        return self.unit.without_numbers(UnitStatus.FAILED, one_line_of(outcome))


class _Room:
    """Memory that each worker has to itself."""

    def __init__(self, pool: ClusterPool) -> None:
        self._pool = pool

    def next(self, waiting: Iterable[Unit], flying: Collection[Unit]) -> Unit | None:
        """Return the first unit for which a worker is large enough, or one that was lost a moment ago."""
        waiting = list(waiting)
        for limits in (self._pool.limits().values(), self._pool.lately()):
            most = max(limits, default=float("inf"))
            if unit := next((unit for unit in waiting if _fits(unit, most)), None):
                return unit
        return None

    def skipped(self, unit: Unit) -> Result:
        """Return the result of a unit that is too large for all of them."""
        return _too_large(unit, self._pool.limits())


def _fits(unit: Unit, limit: float) -> bool:
    return unit.memory <= cluster_worker.SHARE * limit


def _too_large(unit: Unit, limits: Mapping[str, float]) -> Result:
    most = cluster_worker.SHARE * max(limits.values(), default=0.0)
    reason = f"needs {unit.memory / GIB:.3g} GiB of memory, the largest worker has {most / GIB:.3g} for it"
    return unit.without_numbers(UnitStatus.SKIPPED, reason)
