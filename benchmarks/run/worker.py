"""What a worker process does with a unit."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping

from hierbench.benchmarks.isolation import footprint
from hierbench.benchmarks.isolation.host import LONGEST_LOG, Process, There
from hierbench.benchmarks.provenance import fingerprint, loaded, machine
from hierbench.benchmarks.suites.plan import key_of, roots_of
from hierbench.benchmarks.units.experiment_unit import ExperimentUnit
from hierbench.benchmarks.units.fitting import LateError, LearnerGoneError
from hierbench.benchmarks.units.plain import DescribedError, one_line_of
from hierbench.benchmarks.units.unit import CertificateUnit, CurveUnit, Result, Unit, UnitStatus
from hierbench.learners.engines import compiling
from hierbench.targets.registry import FAMILIES


def compute(unit: Unit, limit: float) -> Result:
    """Compute one unit, and hold the code that did it to the unit's key.

    Parameters
    ----------
    limit : float
        Seconds for a unit whose learner has a process of its own; the others are stopped from outside.

    Returns
    -------
    Result
        Plain data, whatever happens: nothing is raised, and no foreign object is in it.
    """
    try:
        if isinstance(unit, CurveUnit) and unit.is_foreign:
            return _compute_apart(unit, limit)
        log: list[str] = []
        before = compiling.seconds()
        with _printing_to(log), _watched(unit):
            result = compute_here(unit)
        held = _depending(unit, _held_to_key(unit, result, {}), {})
        return dataclasses.replace(held, log="".join(log), compiling=compiling.seconds() - before)
    except BaseException as error:
        return unit.without_numbers(UnitStatus.FAILED, one_line_of(error))
    finally:
        machine.give_back(unit.device)


@functools.singledispatch
def compute_here(unit: Unit) -> Result:
    """Compute one unit in this process, by its kind."""
    raise TypeError(f"no way to compute a {type(unit).__name__}")


@compute_here.register
def _(unit: CurveUnit) -> Result:
    # after the environment has been set, and in workers only: torch and jax start slowly
    from hierbench.benchmarks.units.compute_curves import run_curves

    return run_curves(unit)


@compute_here.register
def _(unit: CertificateUnit) -> Result:
    # as above
    from hierbench.benchmarks.units.compute_curves import run_certificate

    return run_certificate(unit)


@compute_here.register
def _(unit: ExperimentUnit) -> Result:
    # as above
    from hierbench.benchmarks.units.compute_experiment import run_experiment

    return run_experiment(unit)


def _compute_apart(unit: CurveUnit, limit: float) -> Result:
    """Compute a unit whose learner fits and predicts in a process of its own; it is scored here."""
    # as above
    from hierbench.benchmarks.units.compute_curves import run_curves

    spec = unit.learner_spec
    sources: dict[str, bytes] = {}
    with Process(limit) as process:
        try:
            learner = There(process, spec["name"], spec["parameters"], sys.path)
            with _watched(unit):
                result = run_curves(unit, learner)
            sources, dependencies = learner.footprint()
            result = dataclasses.replace(result, dependencies=dependencies)
        except LateError as error:
            result = unit.without_numbers(UnitStatus.TIMEOUT, str(error), limit)
        except (LearnerGoneError, DescribedError) as error:
            result = unit.without_numbers(UnitStatus.FAILED, str(error))
    held = _depending(unit, _held_to_key(unit, result, sources), sources)
    return dataclasses.replace(held, log=process.log())


_files = footprint.Files()


def _has_own_target(unit: Unit) -> bool:
    return isinstance(unit, CurveUnit | CertificateUnit) and unit.target_spec["family"] not in FAMILIES


def _watched(unit: Unit) -> contextlib.AbstractContextManager[None]:
    """Watch which files are read if the target is one by import path, which reads them in this process."""
    return _files.watched() if _has_own_target(unit) else contextlib.nullcontext()


def _depending(unit: Unit, result: Result, sources: Mapping[str, bytes]) -> Result:
    """The result with what it depends on besides the key.

    Targets by import path share this process: each depends on what any of them has read or loaded.
    """
    if result.status != UnitStatus.DONE:
        return result
    files, texts = dict(result.dependencies.get("files", {})), dict(sources)
    if _has_own_target(unit):
        files |= _files.digests()
        texts |= loaded.texts()
    if texts:
        files |= footprint.unnamed(texts, fingerprint.followed(*roots_of(unit.axes)))
    return dataclasses.replace(result, dependencies=result.dependencies | ({"files": files} if files else {}))


_recorded = 0


def _held_to_key(unit: Unit, result: Result, sources: Mapping[str, bytes]) -> Result:
    """The result, or its refusal where other code than the key's has made it."""
    global _recorded
    if result.status != UnitStatus.DONE:
        return result  # no number that counts
    with loaded.also(sources):
        if sources or _recorded != len(loaded.texts()):
            fingerprint.forget()  # since then more has been loaded, or another process had other texts
        key, _, _ = key_of(unit.axes)
        _recorded = -1 if sources else len(loaded.texts())
        if key == unit.key:
            return result
        edited = ", ".join(map(str, loaded.edited())) or "what it imports"
    reason = f"the code was edited while the run went on ({edited}): run again"
    return unit.without_numbers(UnitStatus.FAILED, reason, result.seconds)


@contextlib.contextmanager
def _printing_to(log: list[str]) -> Iterator[None]:
    """Keep what is printed, by any library, away from the terminal."""
    try:
        kept = [os.dup(descriptor) for descriptor in (1, 2)]
    except OSError:  # closed: what is printed goes nowhere
        yield
        return
    with tempfile.TemporaryFile() as printed:
        for descriptor in (1, 2):
            os.dup2(printed.fileno(), descriptor)
        try:
            yield
        finally:
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(OSError, ValueError, AttributeError):
                    stream.flush()
            for descriptor, before in zip((1, 2), kept, strict=True):
                os.dup2(before, descriptor)
                os.close(before)
            printed.seek(0)
            log.append(printed.read(LONGEST_LOG).decode("utf-8", "replace"))
