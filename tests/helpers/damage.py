"""Stores that are damaged in every way we know, and what is seen of it.

``python tests/helpers/damage.py [COPIES]`` prints the table of docs/robustness.md.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import random
import shutil
import sqlite3
import struct
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import synthetic_rows
from machinery import plan_of, suite_file

from hierbench.benchmarks import cli
from hierbench.benchmarks.run.runner import missing
from hierbench.benchmarks.store.check import damages
from hierbench.benchmarks.store.store import NAME, Adoption, Store
from hierbench.benchmarks.units.experiment_unit import ExperimentResult
from hierbench.benchmarks.units.measurement import Measurement
from hierbench.benchmarks.units.unit import CertificateUnit, CurveUnit, Result, Trace
from hierbench.errors import UserError

EXPERIMENT = """
[[experiment]]
label = "one"
experiment = "exact_trace"
params = { d = 4, width = 1, rho = 0.5, alphas = [0.3, 0.1], rounds = [1] }
over = { seed = [0, 1], variant = ["corrected"] }
seconds = 1
"""


def result_of(unit) -> Result:
    """What a unit might have come to: numbers that depend on its title alone."""
    rng = random.Random(unit.title())
    if isinstance(unit, CertificateUnit):
        return Result("done", certificate=synthetic_rows.certificate(unit.d, {2: 0.6, 4: 0.4}).to_json())
    if not isinstance(unit, CurveUnit):
        records = tuple(Measurement({"round": i}, {"error": rng.random()}) for i in range(3))
        return ExperimentResult("done", measurements=records)
    rows = tuple(
        dataclasses.replace(r, error=e, error_se=e / 50, train_error=e, health={"loss": e}, fit_seconds=0.1)
        for r in unit.without_numbers("ok", "").rows
        for e in [rng.random()]
    )
    trace = Trace(rows[0].key, unit.key, unit.learner, unit.target, unit.d, 0, 0, 0, rows[0].n, 5, 0.5)
    return Result("done", rows=rows, traces=(trace,), seconds=1.0)


def whole_store(folder: Path, d=(4, 6, 8), replicates=8) -> tuple[str, Path]:
    """A suite, and the file of a store of all its units."""
    path = suite_file(folder, {"Mean": "", "FastMean": ""}, d=d, replicates=replicates, extra=EXPERIMENT)
    with Store.writable(folder) as store:
        for unit in plan_of(path).units:
            store.commit(unit, result_of(unit))
        first = store.units()[-1]
        store.adopt([Adoption(first.key, first.key, first.axes, "c0de")], "a test")
    with contextlib.closing(sqlite3.connect(folder / NAME)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path, folder / NAME


def sql(file: Path, text: str, *parameters: object) -> None:
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
        changed = connection.execute(text, parameters)
        assert changed.rowcount, text


def pick(file: Path, text: str, rng: random.Random) -> tuple:
    with contextlib.closing(sqlite3.connect(file)) as connection:
        return rng.choice(connection.execute(text).fetchall())


def bytes_changed(file: Path, change: Callable[[bytearray], object]) -> None:
    content = bytearray(file.read_bytes())
    change(content)
    file.write_bytes(content)


def flipped(content: bytearray, bit: int) -> None:
    content[bit // 8] ^= 1 << bit % 8


def bit_of_the_file(file, rng):
    bytes_changed(file, lambda content: flipped(content, rng.randrange(8 * len(content))))


def bit_of_an_error(file, rng):
    key, error = pick(file, "SELECT key, error FROM rows", rng)
    bits = bytearray(struct.pack("<d", error))
    flipped(bits, rng.randrange(52))
    sql(file, "UPDATE rows SET error = ? WHERE key = ?", struct.unpack("<d", bits)[0], key)


TEXTS = (
    *(("rows", c) for c in ("key", "unit", "learner", "status", "hyperparameters", "code", "versions")),
    *(("units", c) for c in ("key", "axes", "suite", "title", "status", "finished", "checksum")),
    *(("traces", "unit"), ("certificates", "certificate"), ("certificates", "key"), ("experiments", "code")),
    *(("measurements", "vals"), ("adoptions", "reason")),
)


def bit_of_a_text(file, rng):
    table, column = rng.choice(TEXTS)
    rowid, text = pick(file, f"SELECT rowid, {column} FROM {table} WHERE {column} != ''", rng)
    bits = bytearray(text.encode())
    flipped(bits, rng.randrange(8 * len(bits)))
    sql(file, f"UPDATE {table} SET {column} = CAST(? AS TEXT) WHERE rowid = ?", bytes(bits), rowid)


def rows_deleted(file, rng):
    (unit,) = pick(file, "SELECT DISTINCT unit FROM rows", rng)
    count = rng.randrange(1, 4)
    sql(file, "DELETE FROM rows WHERE rowid IN (SELECT rowid FROM rows WHERE unit = ? LIMIT ?)", unit, count)


def belongings_deleted(file, rng):
    table = rng.choice(["certificates", "experiments", "measurements", "traces"])
    sql(file, f"DELETE FROM {table} WHERE rowid = ?", *pick(file, f"SELECT rowid FROM {table}", rng))


def unit_deleted_its_rows_kept(file, rng):
    sql(file, "DELETE FROM units WHERE key = ?", *pick(file, "SELECT DISTINCT unit FROM rows", rng))


def unit_deleted_wholly(file, rng):
    (unit,) = pick(file, "SELECT DISTINCT unit FROM rows", rng)
    for table, column in (("rows", "unit"), ("units", "key")):
        sql(file, f"DELETE FROM {table} WHERE {column} = ?", unit)
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("DELETE FROM traces WHERE unit = ?", [unit])


def file_cut(file, rng):
    size = file.stat().st_size
    bytes_changed(file, lambda content: content.__delitem__(slice(rng.randrange(1, size), None)))


def page_zeroed(file, rng):
    page = rng.randrange(file.stat().st_size // 4096)
    bytes_changed(
        file, lambda content: content.__setitem__(slice(4096 * page, 4096 * page + 4096), bytes(4096))
    )


def page_of_noise(file, rng):
    start = 4096 * rng.randrange(1, file.stat().st_size // 4096)
    bytes_changed(file, lambda content: content.__setitem__(slice(start, start + 512), rng.randbytes(512)))


def rows_swapped(file, rng):
    one, a = pick(file, "SELECT rowid, unit FROM rows", rng)
    with contextlib.closing(sqlite3.connect(file)) as connection:
        others = connection.execute("SELECT rowid, unit FROM rows WHERE unit != ?", [a]).fetchall()
    two, b = rng.choice(others)
    sql(file, "UPDATE rows SET unit = ? WHERE rowid = ?", b, one)
    sql(file, "UPDATE rows SET unit = ? WHERE rowid = ?", a, two)


def wrong_type(file, rng):
    table, column = rng.choice([("rows", "error"), ("rows", "n"), ("rows", "versions"), ("units", "seconds")])
    value = rng.choice([b"\x00\xff", "many"])
    sql(file, f"UPDATE {table} SET {column} = ? WHERE rowid = ?", value,
        *pick(file, f"SELECT rowid FROM {table}", rng))  # fmt: skip


def bad_json(file, rng):
    table, column = rng.choice(
        [("rows", "health"), ("units", "axes"), ("units", "dependencies"), ("certificates", "certificate"),
         ("measurements", "vals")]
    )  # fmt: skip
    sql(file, f"UPDATE {table} SET {column} = ? WHERE rowid = ?", rng.choice(["{", "[]", "{'a': 1}", ""]),
        *pick(file, f"SELECT rowid FROM {table}", rng))  # fmt: skip


def bad_utf8(file, rng):
    table, column = rng.choice(TEXTS)
    sql(file, f"UPDATE {table} SET {column} = CAST(x'fffe41' AS TEXT) WHERE rowid = ?",
        *pick(file, f"SELECT rowid FROM {table}", rng))  # fmt: skip


def table_dropped(file, rng):
    table = rng.choice(
        ["meta", "units", "rows", "traces", "certificates", "experiments", "measurements", "adoptions"]
    )
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute(f"DROP TABLE {table}")


def meta_changed(file, rng):
    name, value = rng.choice(
        [("schema", "4"), ("schema", "7"), ("schema", "x"), ("application", "hierbenci"), ("units", "99")]
    )
    sql(file, "UPDATE meta SET value = ? WHERE name = ?", value, name)


KINDS: dict[str, tuple[Callable[[Path, random.Random], None], int]] = {
    "a bit flipped anywhere in the file": (bit_of_the_file, 24),
    "a bit flipped in a stored error": (bit_of_an_error, 17),
    "a bit flipped in a stored text": (bit_of_a_text, 12),
    "rows deleted, their unit kept": (rows_deleted, 6),
    "certificates, measurements or traces deleted": (belongings_deleted, 4),
    "a unit deleted, its rows kept": (unit_deleted_its_rows_kept, 4),
    "a unit deleted with all that belongs to it": (unit_deleted_wholly, 3),
    "the file cut short": (file_cut, 5),
    "a page of zeros": (page_zeroed, 6),
    "half a kilobyte of noise": (page_of_noise, 6),
    "rows of two units exchanged": (rows_swapped, 4),
    "a value of a wrong type": (wrong_type, 5),
    "JSON that is none": (bad_json, 5),
    "text that is no UTF-8": (bad_utf8, 5),
    "a table dropped": (table_dropped, 5),
    "the head of the store changed": (meta_changed, 4),
}
"""Each with its share of a campaign."""


def content(file: Path) -> object:
    """All that a store holds, read without indexes; None where it cannot be read."""
    try:
        with contextlib.closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as connection:
            connection.text_factory = bytes
            names = sorted(r[0].decode() for r in connection.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table'"))  # fmt: skip
            return [
                (name, sorted(map(repr, connection.execute(f"SELECT * FROM {name} NOT INDEXED"))))
                for name in names
            ]
    except (sqlite3.DatabaseError, UnicodeDecodeError):
        return None


@dataclasses.dataclass
class Seen:
    """What was seen of one damage.

    changed : whether it changed anything that the store holds
    named : lines of ``damages``
    said : whether every command named it, or refused with one line
    wrong_rows : rows that were read and are not those that were stored
    tracebacks : of commands
    mended : whether computing what is missing gives back every row; None where a run refuses
    """

    changed: bool
    named: list[str]
    said: bool
    wrong_rows: int
    tracebacks: list[str]
    mended: bool | None

    def is_held(self) -> bool:
        """Whether the promise is kept."""
        quiet = not self.changed or (bool(self.named) and self.said)
        return quiet and not self.wrong_rows and not self.tracebacks and self.mended is not False


def call(*arguments: object) -> tuple[int, str, str]:
    """Run the command line here: exit status, what it says, and its traceback if there is one."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            cli.main([str(a) for a in arguments])
        except SystemExit as end:
            return int(end.code or 0), out.getvalue() + err.getvalue(), ""
        except BaseException:
            return -1, "", traceback.format_exc()
    return 0, out.getvalue() + err.getvalue(), ""


def see(suite: str, file: Path, original: Path, commands: tuple[str, ...] = ("status", "compare")) -> Seen:
    """Look at a damaged copy in every way, and run what it lacks."""
    with Store.readable(original.parent) as store:
        stored = {r.key: r for r in store.rows()}
    changed = content(file) != content(original)
    named = damages(file)
    said, tracebacks = True, []
    for command in commands:
        code, text, trace = call(command, suite, "--results", file.parent)
        tracebacks += [trace] if trace else []
        said &= code == 2 or "damaged" in text
    wrong = 0
    mended: bool | None = None
    with contextlib.redirect_stderr(io.StringIO()):
        with contextlib.suppress(UserError), Store.readable(file.parent) as store:
            wrong = sum(stored.get(r.key) != r for r in store.rows())
        with contextlib.suppress(UserError), Store.writable(file.parent) as store:
            plan = plan_of(suite)
            for unit in missing(plan, store.done()):
                store.commit(unit, result_of(unit))
            rows = {r.key: r for r in store.rows()}
            mended = rows == stored and not missing(plan, store.done())
    return Seen(changed, named, said, wrong, tracebacks, mended)


def campaign(copies: int, folder: Path, seed: int = 0) -> list[tuple[str, Seen]]:
    """Damage copies of one store, each kind in its share, and look at each."""
    suite, original = whole_store(folder)
    shares = [kind for kind, (_, share) in KINDS.items() for _ in range(share)]
    seen = []
    for i in range(copies):
        kind = shares[i * len(shares) // copies] if copies < len(shares) else shares[i % len(shares)]
        copy = folder / f"copy-{i}"
        copy.mkdir()
        shutil.copy(original, copy / NAME)
        KINDS[kind][0](copy / NAME, random.Random(f"{seed} {i}"))
        seen.append((kind, see(suite, copy / NAME, original)))
        if seen[-1][1].is_held():
            shutil.rmtree(copy)
    return seen


def table(seen: list[tuple[str, Seen]]) -> str:
    """The counts, as Markdown."""
    lines = [
        "| damage | copies | changed what is stored | named | wrong rows shown | tracebacks | mended by run |"
    ]
    lines.append("|---" * 7 + "|")
    for kind in [*KINDS, ""]:
        some = [s for k, s in seen if k == kind or not kind]
        if some:
            changed = [s for s in some if s.changed]
            named = sum(bool(s.named) and s.said for s in changed)
            mended = Counter(s.mended for s in some)
            cells = (kind or "all", len(some), len(changed), named, sum(s.wrong_rows for s in some),
                     sum(len(s.tracebacks) for s in some),
                     f"{mended[True]} ({mended[None]} refused)")  # fmt: skip
            lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        seen = campaign(int(sys.argv[1]) if len(sys.argv) > 1 else 115, Path(scratch))
    print(table(seen))
    for kind, one in seen:
        if not one.is_held():
            print(kind, one)
