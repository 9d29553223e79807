"""``hierbench doctor``: small checks of the installation, each a line that says what to do."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import hierbench
from hierbench.benchmarks.provenance import machine
from hierbench.benchmarks.store.check import damages
from hierbench.benchmarks.store.store import NAME
from hierbench.benchmarks.units.plain import one_line_of
from hierbench.learners.engines.canary import wrong_sums
from hierbench.learners.net_kernels.neural_tangents_compat import check_versions

FREE_DISK = 2**30
"""Bytes: the store of the suite default takes about a tenth of it, and its figures as much."""
FREE_DESCRIPTORS = 64
"""Each worker takes about six."""

FOLDERS = tuple(f"hierbench.{name}" for name in ("benchmarks", "learners", "plots", "targets"))

Check = Callable[[Path], str]
"""Takes the results folder; returns what is fine. Raises a BadError that says what to do."""


class BadError(Exception):
    """What is wrong, and what to do about it."""


def diagnose(results: Path) -> int:
    """Print a line for every check.

    Returns
    -------
    int
        Exit status: 0 if all is well, else 1.
    """
    bad = 0
    for check in CHECKS:
        try:
            print(f"ok:  {check(results)}")
        except BadError as error:
            bad += 1
            print(f"bad: {error}")
        except Exception as error:  # what breaks a check is something to see to as well
            bad += 1
            print(f"bad: {check.__name__.replace('_', ' ')}: {one_line_of(error)}")
    return 1 if bad else 0


def python_version(results: Path) -> str:
    """The interpreter is one that the package declares."""
    version = ".".join(map(str, sys.version_info[:3]))
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        raise BadError(f"Python {version}: 3.11 to 3.13 is needed; make an environment with one of them")
    return f"Python {version} ({sys.executable})"


def import_place(results: Path) -> str:
    """All of our packages come from one installation."""
    home = Path(hierbench.__file__).resolve().parent
    roots = {home.parents[1]} if home.name == "package" else {home}
    for name in FOLDERS:
        file = importlib.import_module(name).__file__
        roots.add(Path(str(file)).resolve().parents[1])
    if len(roots) > 1:
        places = ", ".join(sorted(map(str, roots)))
        raise BadError(f"hierbench comes from several places ({places}): uninstall it, and install it once")
    return f"hierbench {importlib.metadata.version('hierbench')} from {roots.pop()}"


def library_versions(results: Path) -> str:
    """What the package requires is there, in a version that it allows."""
    # needed by several of the libraries that are checked: without them this check fails, and says so
    from packaging.requirements import Requirement

    wrong, held = [], []
    for text in importlib.metadata.requires("hierbench") or ():
        requirement = Requirement(text)
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            wrong.append(f"{requirement.name} is missing")
            continue
        if requirement.specifier.contains(version, prereleases=True):
            held.append(f"{requirement.name} {version}")
        else:
            wrong.append(f"{requirement.name} {version} is none of {requirement.specifier}")
    if wrong:
        raise BadError(f"{'; '.join(wrong)}: install with -c constraints.txt")
    return f"{len(held)} libraries: {', '.join(held)}"


def neural_tangents(results: Path) -> str:
    """The versions of jax and neural-tangents work together, and compute right numbers."""
    try:
        check_versions()
    except ImportError as error:
        raise BadError(str(error)) from error
    return "neural-tangents and jax work together"


def jax_canary(results: Path) -> str:
    """Compiled sums of jax are those of numpy: some releases are wrong on CPU at some sizes."""
    # start slowly, and no other command of this file needs them
    import jax
    import jax.numpy as jnp
    import numpy as np

    def squares(matrix: jax.Array, row: jax.Array) -> jax.Array:
        return jnp.sum((matrix @ row) ** 2)

    over_rows = jax.jit(jax.vmap(squares, in_axes=(None, 0)))
    rng = np.random.default_rng(0)
    for exponent in range(6, 15, 2):
        matrix, rows = rng.standard_normal((2**exponent + 1, 3)), rng.standard_normal((4, 3))
        with jax.enable_x64(True):
            compiled = np.asarray(over_rows(matrix, rows))
        if not np.allclose(compiled, np.square(matrix @ rows.T).sum(0), rtol=1e-10):
            raise BadError(
                f"jax {jax.__version__} computes wrong sums here, at {len(matrix)} rows: install that "
                "of constraints.txt"
            )
    wrong = wrong_sums()
    if wrong:
        raise BadError(
            f"jax {jax.__version__} computes wrong sums here ({wrong}): install that of constraints.txt"
        )
    return f"jax {jax.__version__} computes right sums on {jax.default_backend()}"


def results_folder(results: Path) -> str:
    """The results folder, or what it will be made in, can be written."""
    place = _existing(results)
    try:
        with tempfile.NamedTemporaryFile(dir=place, prefix=".hierbench-"):
            pass
    except OSError as error:
        raise BadError(f"{place} cannot be written ({error.strerror}): give --results a folder") from error
    return f"results folder {results} can be written"


def free_disk(results: Path) -> str:
    """There is room for a store and for temporary files."""
    lacking = []
    for what, place in (("results", _existing(results)), ("temporary files", Path(tempfile.gettempdir()))):
        free = shutil.disk_usage(place).free
        if free < FREE_DISK:
            lacking.append(f"{free / 2**20:.0f} MiB free for {what} in {place}")
    if lacking:
        raise BadError(f"{'; '.join(lacking)}: free some space, or give --results (TMPDIR) another folder")
    return "a GiB is free for results and for temporary files"


def threads(results: Path) -> str:
    """Nothing in the environment makes workers tread on one another."""
    more = [
        f"{name}={os.environ[name]}"
        for name in machine.ONE_THREAD
        if name.endswith("THREADS") and os.environ.get(name, "1") != "1"
    ]
    note = f"; {', '.join(more)} is for this process, workers take one thread each" if more else ""
    return f"{machine.cores()} cores, a worker on each{note}"


def open_files(results: Path) -> str:
    """Workers find descriptors for their pipes."""
    try:
        # there is none on Windows
        import resource
    except ImportError:
        return "the number of open files is not limited here"
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < FREE_DESCRIPTORS:
        raise BadError(f"only {soft} files can be open at a time: ulimit -n 1024")
    return f"{'any number of' if soft == resource.RLIM_INFINITY else soft} files can be open at a time"


def store(results: Path) -> str:
    """What the store holds is what was written into it."""
    file = results / NAME if results.is_dir() else results
    if not file.is_file():
        return f"no store in {results} yet"
    damaged = damages(file)
    if damaged:
        raise BadError(f"{file}: {'; '.join(damaged)}: hierbench run computes damaged units again")
    return f"{file} is sound"


CHECKS: tuple[Check, ...] = (
    python_version,
    import_place,
    library_versions,
    neural_tangents,
    jax_canary,
    results_folder,
    free_disk,
    threads,
    open_files,
    store,
)


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that there is."""
    return next((p for p in (folder, *folder.absolute().parents) if p.is_dir()), Path("/"))
