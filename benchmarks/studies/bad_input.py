"""Mutated suite files and random parameters: none may end in a traceback, a hang or without memory.

A trial is named by its seed and number, so that one that fails can be had again. Suite files are those
that ship, with one to three mutations, loaded and planned. Parameters are drawn, good and bad, for every
target family and every registered learner, and go through the checks of a suite; what passes is made,
and of small targets ten points are drawn. A worker process does the trials one after the other, with
1 GiB beyond what it has imported; it counts as a hang to take more than 5 seconds of processor time.

``python -m hierbench.benchmarks.studies.bad_input`` prints the table of docs/robustness.md; exit status 1
where a trial failed.
"""

from __future__ import annotations

import argparse
import collections
import math
import multiprocessing
import random
import re
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from hierbench.benchmarks.suites.plan import make_plan
from hierbench.benchmarks.suites.suite_file import check_learner, check_target, known_suites, load_suite
from hierbench.errors import UserError
from hierbench.learners.registry import LEARNERS, make_learner
from hierbench.targets.registry import FAMILIES, make_target, parameters

SECONDS, PATIENCE = 5.0, 60.0
"""Processor time that a trial may take; wall time after which its process is given up."""
MEMORY = 2**30
LARGEST_DEGREE = 8
"""Of targets that are drawn: the algebra of degree 16 in 8 variables takes 20 seconds, and is no hang."""
GOOD, REFUSED = "accepted", "refused"
LONGEST_MESSAGE = 2000

NUMBERS = (
    "0", "-1", "1", "2", "3", "1.5", "-0.0", "1e-320", "1e308", "1e400", "-1e400", "inf", "-inf", "nan",
    "1000000000", "9223372036854775807", "9223372036854775808", "-9223372036854775809",
    "1" + "0" * 400, "1" + "0" * 5000, "0x" + "f" * 5000, "4_0_0", "10000", "100000", "16384", "16385",
)  # fmt: skip
TEXTS = (
    '""', '"x"', '"' + "x" * 300 + '"', '"' + "x" * 100_000 + '"', r'"\u0000"', r'"\u001b[2J"', r'"a\nb"',
    '"[/x]"', '"[red]"', '"../.."', r'"\ud800"', r'"\U0010FFFF"', '"none"', '"sqrt"', '"%s{}"', '"\u202e"',
    '"gaussian:condition=1e400"', '"gaussian:condition=nan"', "'''\nx\n'''",
    '"mixture:separation=' + "9" * 5000 + '"',
)  # fmt: skip
OTHERS = (
    "true", "false", "2020-01-01", "12:00:00", "[]", "{}", "[1, [2]]", "{a = 1}", '["a", 1]',
    "[" * 20 + "]" * 20, "[" * 500 + "]" * 500, "[" * 20_000 + "]" * 20_000, "{a=" * 500 + "1" + "}" * 500,
    "[" + "1," * 50_000 + "]", "[" + ",".join(map(str, range(900))) + "]", "a" + ".a" * 3000 + " = 1",
)  # fmt: skip
NUMBER = re.compile(r"(?<=[=\[,{ ])-?\d+(?:\.\d+)?(?=[\],}\s])")
VALUE = re.compile(r'(?<== )("[^"\n]*"|\[[^\]\n]*\]|\{[^}\n]*\}|[\w.]+)')
KEY = re.compile(r"(?<![\w\"])[a-z_]+(?= = )")


def _one_of(text: str, pattern: re.Pattern[str], pool: Sequence[str], rng: random.Random) -> str:
    places = list(pattern.finditer(text))
    if not places:
        return text
    place = rng.choice(places)
    return text[: place.start()] + rng.choice(pool) + text[place.end() :]


def _scaled(text: str, rng: random.Random) -> str:
    place = rng.choice(list(NUMBER.finditer(text)) or [None])
    if place is None:
        return text
    number, factor = float(place.group()), rng.choice([0.5, 2, 3, 10, 1000, 1e6])
    scaled = number * factor
    new = str(int(scaled)) if "." not in place.group() and math.isfinite(scaled) else repr(scaled)
    return text[: place.start()] + new + text[place.end() :]


def _line(text: str, rng: random.Random, change: Callable[[list[str], int], None]) -> str:
    lines = text.split("\n")
    change(lines, rng.randrange(len(lines)))
    return "\n".join(lines)


def _misspelt(text: str, rng: random.Random) -> str:
    places = list(KEY.finditer(text))
    place = rng.choice(places)
    k = rng.randrange(place.start(), place.end())
    return text[:k] + rng.choice(["", "_", '"', "\u00e9", " ", "."]) + text[k + 1 :]


def _nested(text: str, rng: random.Random) -> str:
    depth = rng.choice([3, 100, 3000])
    table = rng.choice(["target.params", "run", "learner.params", "a"])
    return text + f"\n[{table}{'.a' * depth}]\nx = {rng.choice(NUMBERS)}\n"


TEXT_MUTATIONS: Mapping[str, Callable[[str, random.Random], str]] = {
    "number replaced": lambda t, rng: _one_of(t, NUMBER, NUMBERS, rng),
    "number scaled": _scaled,
    "type swapped": lambda t, rng: _one_of(t, VALUE, (*NUMBERS, *TEXTS, *OTHERS), rng),
    "text replaced": lambda t, rng: _one_of(t, re.compile(r'"[^"\n]*"'), TEXTS, rng),
    "line deleted": lambda t, rng: _line(t, rng, lambda lines, i: lines.__delitem__(i)),
    "line doubled": lambda t, rng: _line(t, rng, lambda lines, i: lines.insert(i, lines[i])),
    "lines exchanged": lambda t, rng: _line(
        t, rng, lambda lines, i: lines.insert(rng.randrange(len(lines)), lines.pop(i))
    ),
    "key misspelt": _misspelt,
    "tables nested": _nested,
}


def _bytes_changed(content: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(content))
    new = rng.choice([b"\0", b"\xff", b"\xef\xbb\xbf", b"\r", b"[", b"]", b'"', b"\n", rng.randbytes(3)])
    kind = rng.randrange(4)
    if kind == 0:
        return content[:place] + new + content[place + 1 :]
    if kind == 1:
        return content[:place] + new + content[place:]
    return content[:place] if kind == 2 else new + content


KINDS = (*TEXT_MUTATIONS, "bytes changed")


def mutated(content: bytes, rng: random.Random) -> tuple[str, bytes]:
    """A suite file with one to three mutations, and the kind of the first.

    Returns
    -------
    kind : str
        One of ``KINDS``.
    content : bytes
    """
    first = rng.choice(KINDS)
    text = content.decode()
    for kind in [first, *rng.choices(KINDS, k=rng.choice([0, 0, 0, 1, 2]))]:
        if kind in TEXT_MUTATIONS:
            text = TEXT_MUTATIONS[kind](text, rng)
    content = text.encode("utf-8", "surrogatepass")
    return first, _bytes_changed(content, rng) if first == "bytes changed" else content


def suite_trial(rng: random.Random, names: Sequence[str], folder: Path) -> tuple[str, str]:
    """Load and plan one mutated suite file.

    Returns
    -------
    kind, outcome : str
        The mutation, and ``GOOD`` or ``REFUSED``.

    Raises
    ------
    AssertionError
        The refusal is not one short line that names the file.
    Exception
        Whatever else than a refusal it ended in.
    """
    kind, content = mutated(known_suites()[rng.choice(names)].read_bytes(), rng)
    path = folder / "mutated.toml"
    path.write_bytes(content)
    try:
        make_plan(load_suite(str(path)))
    except UserError as error:
        message = str(error)
        named = message.startswith((str(path), "suite "))
        assert named and "\n" not in message and len(message) < LONGEST_MESSAGE, f"poor message {message!r}"
        return kind, REFUSED
    return kind, GOOD


ODD: Sequence[Any] = (
    0, -1, 1, 2, 3, 7, 10**9, 2**63 - 1, 2**63, -(2**70), 10**400, 10**5000, 0.5, -0.0, 1e-320, 1e308,
    float("inf"), float("nan"), True, None, "", "x", "sqrt", "none", "\0", "\ud800", "a\nb", "x" * 10**5,
    [], {}, [[1]], [1, 2], (1,), [0.5, 0.2], {"a": [1]}, b"x", 1j, np.float64("nan"), np.int64(3),
    np.arange(3), list(range(2000)), object(),
)  # fmt: skip
"""What a parameter may be given by mistake."""
PLAUSIBLE: Mapping[type, Sequence[Any]] = {
    bool: (True, False),
    int: (1, 2, 3, 4, 8),
    float: (0.0, 0.1, 0.5, 0.9, 1.0, 2.0, 10.0),
    str: ("relu", "quadratic", "power", "square", "logistic", "adam", "sgd", "float64"),
    tuple: ((0.5, 0.2), (1, 2), (0.01, 0.03), ((1,), (1, 2)), ((0, 1),)),
    type(None): (None, 1, 2, 0.5, (1, 2)),
}
DIMENSIONS = (1, 2, 3, 4, 5, 6, 7, 8)
ODD_DIMENSIONS = (9, 12, 16, 64, 1000, 16_384, 100_000, 10**9, 10**400, 0, -1, 4.0, "8", None)
TEXTS_OF: Mapping[str, Sequence[str]] = {
    "inputs": ("gaussian", "gaussian:condition=10", "mixture", "cube", "sphere", "hypercube"),
    "wiring": ("densenet", "resnet"),
    "control": ("none", "flat", "shuffled", "rerandomised"),
    "task": ("scores", "classification"),
}


def _drawn(defaults: Mapping[str, Any], rng: random.Random) -> dict[str, Any]:
    """Values for some of the parameters: most plausible by the type of the default, a few odd."""
    chosen = rng.sample(sorted(defaults), min(len(defaults), rng.choice([0, 1, 1, 2, 2, 3, 5])))
    return {
        name: rng.choice(ODD)
        if rng.random() < 0.15
        else rng.choice(TEXTS_OF.get(name, PLAUSIBLE[type(defaults[name])]))
        for name in chosen
    }


def target_trial(rng: random.Random) -> tuple[str, str]:
    """Check a family with drawn parameters; where it passes at small d, draw ten points of it."""
    family = rng.choice(sorted(FAMILIES))
    d: Any = rng.choice(DIMENSIONS if rng.random() < 0.8 else ODD_DIMENSIONS)
    drawn = _drawn({name: default for name, (default, _) in parameters(family).items()}, rng)
    try:
        check_target(family, d, drawn)
        target = make_target(family, d, 1, **drawn)
        if d > max(DIMENSIONS) or target.degree > LARGEST_DEGREE:
            return family, f"{GOOD}, not drawn"
        X, y = target.sample(10, np.random.default_rng(0))
    except ValueError as error:
        return family, _refused(error)
    assert X.shape == (10, d) and np.isfinite(X).all() and np.isfinite(y).all(), f"{family}: {drawn}"
    return family, GOOD


def learner_trial(rng: random.Random) -> tuple[str, str]:
    """Check a registered learner with drawn parameters; where it passes, make it."""
    name = rng.choice(sorted(LEARNERS))
    drawn = _drawn(make_learner(name).get_params(deep=False), rng)
    try:
        check_learner(name, drawn)
    except ValueError as error:
        return name, _refused(error)
    made = make_learner(name, **drawn).get_params(deep=False)
    assert all(made[key] is value for key, value in drawn.items()), f"{name} changes its parameters"
    return name, GOOD


def _refused(error: ValueError) -> str:
    message = str(error)
    assert "\n" not in message and len(message) < LONGEST_MESSAGE, f"poor message {message!r}"
    return REFUSED


Job = tuple[str, int, int]
"""What is tried (suites, targets or learners), the seed, the number of the trial."""


def trial(job: Job, names: Sequence[str], folder: Path) -> tuple[str, str]:
    """One trial: its kind and outcome; what is no good outcome is named by the error."""
    what, seed, number = job
    rng = random.Random(f"{seed} {what} {number}")
    began = time.process_time()
    try:
        if what == "suites":
            kind, outcome = suite_trial(rng, names, folder)
        else:
            kind, outcome = target_trial(rng) if what == "targets" else learner_trial(rng)
    except MemoryError:
        return "", "over 1 GiB"
    except Exception as error:
        return "", f"traceback: {type(error).__name__}: {str(error)[:200]}"
    took = time.process_time() - began
    return kind, outcome if took <= SECONDS else f"hang: {took:.1f} s"


def _work(connection: Connection, names: Sequence[str], what: str) -> None:
    for name in names:
        make_plan(load_suite(name))
    if what == "learners":
        for name in LEARNERS:
            make_learner(name)
    held = psutil.Process().memory_info().vms
    resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY, held + MEMORY))
    with tempfile.TemporaryDirectory() as folder:
        connection.send("ready")
        while (job := connection.recv()) is not None:
            connection.send(trial(job, names, Path(folder)))


def campaign(what: str, numbers: Sequence[int], seed: int) -> Iterator[tuple[int, str, str]]:
    """Do the trials of these numbers in a process of limited memory, which is replaced where it ends.

    Yields
    ------
    number, kind, outcome
    """
    context = multiprocessing.get_context("spawn")
    names = sorted(known_suites()) if what == "suites" else []
    left = collections.deque(numbers)
    while left:
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, names, what), daemon=True)
        process.start()
        theirs.close()
        try:
            ours.recv()
            while left:
                ours.send((what, seed, left[0]))
                if not ours.poll(PATIENCE):
                    yield left.popleft(), "", f"hang: over {PATIENCE:.0f} s"
                    break
                kind, outcome = ours.recv()
                yield left.popleft(), kind, outcome
        except EOFError:
            yield left.popleft(), "", "process gone"
        finally:
            process.kill()
            process.join()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the campaign and print what came of it; 1 where a trial failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--draws", type=int, default=2000, help="for targets; as many for learners")
    parser.add_argument("--first", type=int, default=0, help="number of the first trial")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    bad = 0
    for what, n in (("suites", options.files), ("targets", options.draws), ("learners", options.draws)):
        counts: collections.Counter[tuple[str, str]] = collections.Counter()
        for number, kind, outcome in campaign(what, range(options.first, options.first + n), options.seed):
            if not outcome.startswith((GOOD, REFUSED)):
                bad += 1
                print(f"{what} {number}: {outcome}", flush=True)
                kind, outcome = "", outcome.partition(":")[0]
            counts[kind, outcome] += 1
        print(f"{what}: {n} trials, seed {options.seed}")
        for outcome in sorted({o for _, o in counts}):
            by_kind = {k: c for (k, o), c in sorted(counts.items()) if o == outcome}
            listed = ", ".join(f"{k} {c}" for k, c in by_kind.items())
            print(f"  {outcome} {sum(by_kind.values())}: {listed}", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
