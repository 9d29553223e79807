"""README.md: short enough to be read, with everything in it; test_docs.py has its links and commands."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import numpy as np
from sklearn.base import clone
from texts import blocks, commands

from hierbench.learners.registry import LEARNERS
from hierbench.targets.registry import FAMILIES

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = blocks(README, "python")
TABLES = ("Learners", "Targets")


def _in_table(section: str) -> set[str]:
    rows = "\n".join(line for line in section.splitlines() if line.startswith("|"))
    return set(re.findall(r"`([^`]+)`", rows))


def _make_targets() -> list[str]:
    return re.findall(r"(?:^    |`(?:\w+=\S+ )?)make +([a-z]\w*)", README, flags=re.M)


def test_it_is_at_most_150_lines_of_at_most_110_characters():
    lines = README.splitlines()
    assert len(lines) <= 150
    assert [line for line in lines if len(line) > 110] == []


def test_there_is_one_figure():
    assert len(re.findall(r"!\[[^]]+\]\(", README)) == 1


def test_commands_are_found():
    names = {arguments[0] for arguments in commands(README)}
    assert {"list", "run", "claims", "describe"} <= names


def test_make_targets_exist():
    rules = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.M)
    assert {"bench", "test"} <= set(_make_targets()) <= set(rules)


def test_the_learner_of_your_own_is_about_25_lines_and_runs():
    (source,) = BLOCKS
    assert len(source.splitlines()) <= 25
    names: dict[str, object] = {"__name__": "mine"}
    exec(compile(source, "mine.py", "exec"), names)
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((20, 3)), rng.standard_normal(20)
    learner = clone(names["NearestRows"](k=2)).fit(X, y)
    expected = [y[np.argsort(((X - x) ** 2).sum(1))[:2]].mean() for x in X]
    np.testing.assert_allclose(learner.predict(X), expected)


def test_the_command_names_the_class_of_the_block():
    (source,) = BLOCKS
    (name,) = re.findall(r"^class (\w+)\(", source, flags=re.M)
    assert ["check-learner", f"mine:{name}"] in commands(README)


def test_imports_in_the_text_work():
    imports = re.findall(r"`from (hierbench[\w.]*) import (\w+)`", README)
    assert len(imports) == 3
    for module, name in imports:
        assert hasattr(importlib.import_module(module), name)


def test_the_tables_hold_every_registered_learner_and_target():
    learners, targets = (README.partition(f"## {title}")[2].partition("\n## ")[0] for title in TABLES)
    assert _in_table(learners) - {"sklearn.linear_model:Ridge"} == set(LEARNERS)
    assert _in_table(targets) == set(FAMILIES)
