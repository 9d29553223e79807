"""``hierbench merge``: the results of several folders, and results in files, in one."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from hierbench.benchmarks.results import reference
from hierbench.benchmarks.results.reference import Reference
from hierbench.benchmarks.results.restored import restore
from hierbench.benchmarks.show.output import say
from hierbench.benchmarks.store import lock
from hierbench.benchmarks.store.encoding import ill_formed
from hierbench.benchmarks.store.merging import merge
from hierbench.benchmarks.store.store import NAME, Store
from hierbench.benchmarks.suites.suite import Suite
from hierbench.benchmarks.suites.suite_file import known_suites, load_suite
from hierbench.errors import UserError, refusal
from hierbench.targets.held import plain_certificate

SHIPPED = f"{reference.NAME}:"
"""What stands before a suite whose results ship."""


def merge_into(results: Path, others: Sequence[Path], wait: bool, suite: str | None = None) -> None:
    """Take over what others hold, one after the other, and print what came of their units.

    Parameters
    ----------
    results : Path
        Folder of the store that is written; made if it is not there.
    others : sequence of Path
        Folders of results, or the stores in them; ``reference:SUITE`` for the results of a suite that ship;
        files .json.gz of ``hierbench export``. Nothing is written there.
    wait : bool
        Wait for another writer.
    suite : str, optional
        Name or path of the suite of the files; by default the name that they have for it.

    Raises
    ------
    UserError
        There is no such store or file, it is the written one, or two disagree; those before that are merged.
    """
    # all of them are looked for before one is merged
    sources = [_of_file(path, suite) or _of_folder(path, results) for path in others]
    with lock.writer(results, wait, say=say), Store.writable(results) as store:
        for source in sources:
            print(source(store), flush=True)


_Source = Callable[[Store], str]
"""Merges one source into a store, and says what came of it."""


def _of_folder(path: Path, results: Path) -> _Source:
    folder = path.parent if path.name == NAME else path
    if folder.resolve() == results.resolve():
        raise UserError(f"{folder} is merged into itself: give other folders, or another --results")
    Store.readable(folder).close()

    def merged(store: Store) -> str:
        with Store.readable(folder) as other:
            return f"{folder}: {_line(merge(store, other))}"

    return merged


def _of_file(path: Path, suite: str | None) -> _Source | None:
    """Of results in a file; None where the path is that of a folder."""
    if path.is_dir():
        return None
    if str(path).startswith(SHIPPED):
        packed = reference.read(str(path).removeprefix(SHIPPED))
    elif path.name.endswith(reference.SUFFIX):
        try:
            packed = reference.unpacked(path.read_bytes())
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error}") from error
        except UserError as error:
            raise UserError(f"{path}: {error}") from error
        _check(packed, path)
    else:
        return None
    known = _suite(suite, packed.header["suite"], path)
    return lambda store: f"{path}: {_restored(packed, known, store, str(path))}"


def _suite(named: str | None, packed: str, path: Path) -> Suite:
    if not named and packed not in known_suites():
        of = f"{path} is of suite {packed!r}, which does not come with hierbench"
        raise UserError(f"{of}: give its file, --suite FILE.toml")
    return load_suite(named or packed)


def _check(packed: Reference, path: Path) -> None:
    """Refuse rows that no run makes, whoever wrote the file; those that ship are held to it by a test."""
    allowed = "what hierbench export writes"
    for number, row in enumerate(packed.rows):
        if wrong := ill_formed(row):
            raise UserError(refusal(f"{path}: row {number}: {wrong}", getattr(row, wrong), allowed))
    for (target, d, _), certificate in packed.certificates.items():
        try:
            plain_certificate(certificate)
        except ValueError as error:
            raise UserError(f"{path}: certificate of {target}, d = {d}: {error}") from error


def _restored(packed: Reference, suite: Suite, store: Store, name: str) -> str:
    """Make a store of the file first: merging it refuses and keeps what merging a folder does."""
    with tempfile.TemporaryDirectory() as folder:
        with Store.writable(Path(folder)) as other:
            left = restore(packed, suite, other)
        with Store.readable(Path(folder)) as other:
            said = [_line(merge(store, other, name))]
    if left:
        why = "of other code, library versions or parameters than here, or of units that were not finished"
        said.append(f"{left} of {len(packed.rows)} rows are left out: {why}")
    if packed.measurements:
        said.append(f"experiments are left out: {', '.join(packed.measurements)}")
    return "; ".join(said)


def _line(outcomes: Counter[str]) -> str:
    return ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items())) or "no units"
