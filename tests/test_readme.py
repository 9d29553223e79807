"""README.md: short enough to be read, and everything in it works."""

from __future__ import annotations

import importlib
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
import typer
from sklearn.base import clone

from hierbench.benchmarks.cli import app
from hierbench.learners.registry import LEARNERS
from hierbench.targets.registry import FAMILIES

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```$", README, flags=re.M | re.S)
TABLES = ("Learners", "Targets")
LINKS = [link for link in re.findall(r"\]\(([^)\s]+)\)", README) if "://" not in link]


def _commands() -> list[list[str]]:
    """Arguments of every call of hierbench, in blocks of commands and in running text."""
    calls = re.findall(r"^    (?:\.venv/bin/)?hierbench +([^#\n]+)", README, flags=re.M)
    calls += re.findall(r"`hierbench +([^`]+)`", README)
    return [shlex.split(call) for call in calls]


def _in_table(section: str) -> set[str]:
    rows = "\n".join(line for line in section.splitlines() if line.startswith("|"))
    return set(re.findall(r"`([^`]+)`", rows))


def _make_targets() -> list[str]:
    return re.findall(r"(?:^    |`(?:\w+=\S+ )?)make +([a-z]\w*)", README, flags=re.M)


def test_it_is_at_most_150_lines_of_at_most_110_characters():
    lines = README.splitlines()
    assert len(lines) <= 150
    assert [line for line in lines if len(line) > 110] == []


@pytest.mark.parametrize("link", LINKS)
def test_local_links_and_the_figure_exist(link):
    assert (ROOT / link.partition("#")[0]).is_file()


def test_there_is_one_figure():
    assert len(re.findall(r"!\[[^]]+\]\(", README)) == 1


@pytest.mark.parametrize("arguments", _commands(), ids=" ".join)
def test_every_command_parses(arguments):
    """Names of commands, options and types of values: parsed, and not run."""
    group = typer.main.get_command(app)
    context = group.make_context("hierbench", [], resilient_parsing=True)
    if arguments[0].startswith("-"):
        assert arguments == ["--help"]
        return
    name, command, rest = group.resolve_command(context, arguments)
    command.make_context(name, rest, parent=context)


def test_commands_are_found():
    names = {arguments[0] for arguments in _commands()}
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
    assert ["run", "smoke", "--learner", "krr_polynomial", "--learner", f"mine:{name}"] in _commands()


def test_imports_in_the_text_work():
    imports = re.findall(r"`from (hierbench[\w.]*) import (\w+)`", README)
    assert len(imports) == 3
    for module, name in imports:
        assert hasattr(importlib.import_module(module), name)


def test_the_tables_hold_every_registered_learner_and_target():
    learners, targets = (README.partition(f"## {title}")[2].partition("\n## ")[0] for title in TABLES)
    assert _in_table(learners) - {"sklearn.linear_model:Ridge"} == set(LEARNERS)
    assert _in_table(targets) == set(FAMILIES)
