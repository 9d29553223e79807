"""Fits are made once and kept: they come back to the last digit, and none of other code or of damage."""

import json
import subprocess
import sys

import numpy as np
import pytest

from hierbench.benchmarks.statistics import line_fits
from hierbench.benchmarks.statistics.integrated_likelihood import SlopeInterval, slope_interval
from hierbench.benchmarks.statistics.lack_of_fit import lack_of_fit
from hierbench.benchmarks.statistics.line_fits import Intervals, LineFit, Memory, fit, fitted, kept_fits
from hierbench.benchmarks.statistics.shared_scatter import widened

X = np.repeat(np.log([8.0, 12.0, 16.0]), 3)
REPLICATES = np.tile(np.arange(3), 3)
LEVELS = np.repeat(np.arange(3), 3)


def arrays(seed, censored=False):
    lower = 2 * X + 0.3 * np.random.default_rng(seed).normal(size=len(X))
    upper = lower + 0.7
    if censored:
        upper[-1] = np.inf
    return X, lower, upper, REPLICATES, LEVELS


@pytest.fixture
def memory(monkeypatch):
    empty = Memory()
    monkeypatch.setattr(line_fits, "MEMORY", empty)
    return empty


@pytest.fixture
def calls(monkeypatch):
    """Seeds are cheap here: what stands for a fit counts itself and is told apart by its arguments."""
    made = []

    def stub(data):
        made.append(data)
        numbers = np.frombuffer(data.lower)[:5] / 3
        return LineFit(SlopeInterval(*numbers.tolist()), -np.inf, 1 / 3, None if len(made) % 2 else 0.1)

    monkeypatch.setattr(line_fits, "fit", stub)
    return made


@pytest.mark.parametrize("censored", [False, True])
def test_a_fit_is_that_of_the_arrays_that_went_in(censored):
    x, lower, upper, replicates, levels = arrays(0, censored)
    one = fit(Intervals.of(x, lower, upper, replicates, levels, 0.9))
    line = slope_interval(x, lower, upper, 0.9)
    assert one.line == line and one.lack_of_fit == lack_of_fit(x, lower, upper)
    assert (one.low, one.high) == widened(x, lower, upper, replicates, line, 0.9, levels)


def test_every_part_of_what_is_fitted_is_in_the_key():
    given = [*arrays(0), 0.95]
    keys = {Intervals.of(*given).key()}
    for i, part in enumerate(given):
        changed = part + 0.01 if i == 5 else part.copy()
        if i < 5:
            changed[-1] = changed[-1] + 1 if changed.dtype == int else np.nextafter(changed[-1], np.inf)
        keys.add(Intervals.of(*given[:i], changed, *given[i + 1 :]).key())
    swapped = [given[0], given[2], given[1], *given[3:]]
    assert len(keys | {Intervals.of(*swapped).key()}) == 8
    assert Intervals.of(*given).key() in keys


def test_what_is_kept_comes_back_with_all_its_digits(memory, calls, tmp_path):
    asked = [Intervals.of(*arrays(seed), 0.95) for seed in range(4)]
    with kept_fits(tmp_path):
        first = [fitted(one) for one in asked]
        assert [fitted(one) for one in asked] == first and len(calls) == 4
    memory.forget()
    with kept_fits(tmp_path):
        assert [fitted(one) for one in asked] == first and len(calls) == 4
    memory.forget()
    assert fitted(asked[0]) != first[1] and len(calls) == 5, "without the folder it is made again"


def test_a_real_fit_is_the_same_from_the_folder(memory, tmp_path):
    data = Intervals.of(*arrays(1, censored=True), 0.95)
    with kept_fits(tmp_path):
        made = fitted(data)
    memory.forget()
    memory.read(tmp_path / "tables" / "fits.json", json.loads(kept(tmp_path).read_text())["code"])
    assert memory.get(data.key()) == made == fit(data)


def kept(folder):
    return folder / "tables" / "fits.json"


def test_fits_of_other_code_are_dropped(memory, calls, tmp_path, monkeypatch):
    data = Intervals.of(*arrays(0), 0.95)
    with kept_fits(tmp_path):
        fitted(data)
    for changed in (("code", {"numpy": "0"}), ("other", {})):
        memory.forget()
        monkeypatch.setattr(line_fits, "fingerprint", lambda name, changed=changed: changed)
        before = len(calls)
        with kept_fits(tmp_path):
            fitted(data)
        assert len(calls) == before + 1
        assert len(json.loads(kept(tmp_path).read_text())["fits"]) == 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: b"\xff",
        lambda content: b"[1]",
        lambda content: content[:-9],
        lambda content: content.replace(b"fits", b"fats"),
        lambda content: content.replace(b": [", b": [true, "),
        lambda content: content.replace(b"-Infinity", b'"low"'),
    ],
)
def test_a_damaged_file_is_none_and_is_replaced(memory, calls, tmp_path, damage):
    data = Intervals.of(*arrays(0), 0.95)
    with kept_fits(tmp_path):
        fitted(data)
    sound = kept(tmp_path).read_bytes()
    kept(tmp_path).write_bytes(damage(sound))
    assert kept(tmp_path).read_bytes() != sound
    memory.forget()
    with kept_fits(tmp_path):
        fitted(data)
    assert len(calls) == 2 and len(json.loads(kept(tmp_path).read_bytes())["fits"]) == 1


def test_the_longest_unused_goes_first(memory, calls, tmp_path, monkeypatch):
    monkeypatch.setattr(line_fits, "MOST", 3)
    asked = [Intervals.of(*arrays(seed), 0.95) for seed in range(4)]
    with kept_fits(tmp_path):
        for i in (0, 1, 2, 0, 3):
            fitted(asked[i])
    there = json.loads(kept(tmp_path).read_text())["fits"]
    assert set(there) == {asked[i].key() for i in (2, 0, 3)}


def test_a_folder_that_cannot_be_written_keeps_nothing_and_says_nothing(memory, calls, tmp_path):
    (tmp_path / "tables").write_text("a file")
    with kept_fits(tmp_path):
        fitted(Intervals.of(*arrays(0), 0.95))
    assert (tmp_path / "tables").read_text() == "a file"


def test_nothing_new_writes_nothing(memory, calls, tmp_path):
    with kept_fits(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


WRITER = """
import sys
from pathlib import Path
import numpy as np
from hierbench.benchmarks.statistics import line_fits
from hierbench.benchmarks.statistics.line_fits import Intervals, LineFit, SlopeInterval

line_fits.fit = lambda data: LineFit(SlopeInterval(1.0, 0.5, 1.5, 0.0, 0.1), 0.5, 1.5, None)
nothing = np.zeros(3, dtype=int)
for seed in range(20):
    with line_fits.kept_fits(Path(sys.argv[1])):
        x = np.full(3, 100.0 * float(sys.argv[2]) + seed)
        line_fits.fitted(Intervals.of(x, x, x, nothing, nothing, 0.95))
"""


@pytest.mark.slow
def test_writers_at_the_same_time_leave_a_sound_file(tmp_path):
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), str(k)]) for k in range(3)]
    assert [one.wait(120) for one in writers] == [0, 0, 0]
    content = json.loads(kept(tmp_path).read_text())
    nothing = np.zeros(3, dtype=int)
    places = (np.full(3, 100.0 * k + i) for k in range(3) for i in range(20))
    expected = {Intervals.of(x, x, x, nothing, nothing, 0.95).key() for x in places}
    assert 20 <= len(content["fits"]) <= 60 and content["fits"].keys() <= expected
    assert [p.name for p in (tmp_path / "tables").iterdir()] == ["fits.json"]
