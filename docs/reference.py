"""What the reference pages include, written from the code itself: commands, learners and targets."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import typer

from hierbench.benchmarks.cli import app
from hierbench.benchmarks.results.frame import COLUMNS
from hierbench.learners.convolutional.resnet import ConvResNetClassifier
from hierbench.learners.convolutional.tangent import ConvResNetNTKClassifier
from hierbench.learners.nets.sgd_estimator import SGDRegressorBase
from hierbench.learners.registry import LEARNERS
from hierbench.targets.modifiers.modifiers import MODIFIERS
from hierbench.targets.registry import FAMILIES


def write(folder: Path) -> None:
    """Write the texts; those that would not change stay, so that Sphinx reads nothing anew."""
    folder.mkdir(exist_ok=True)
    for name, text in (
        ("commands", commands()),
        ("learners", learners()),
        ("targets", targets()),
        ("columns", columns()),
    ):
        path = folder / f"{name}.md"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def columns() -> str:
    """The columns of frames and of exported files."""
    return _table(("column", "what it holds"), ((f"`{name}`", text) for name, text in COLUMNS.items()))


def commands() -> str:
    """Usage, arguments and options of every command, as ``--help`` has them."""
    group: Any = typer.main.get_command(app)
    parent = group.make_context("hierbench", [], resilient_parsing=True)
    parts = [
        "## Options of hierbench itself\n",
        _table(("option", "meaning"), map(_record, _shown(group, parent))),
    ]
    for name, command in group.commands.items():
        context = command.make_context(name, [], parent=parent, resilient_parsing=True)
        parts += [
            f"## hierbench {name}\n",
            f"{command.help.strip()}\n",
            f"```text\n{command.get_usage(context)}\n```\n",
            _table(("argument or option", "meaning"), map(_record, _shown(command, context))),
        ]
    return "\n".join(parts)


def _shown(command: Any, context: Any) -> list[tuple[str, str]]:
    records = (parameter.get_help_record(context) for parameter in command.get_params(context))
    return [record for record in records if record]


def _record(record: tuple[str, str]) -> tuple[str, str]:
    return f"`{record[0]}`", _plain(record[1])


def learners() -> str:
    """Every class of the registered learners, with the names that it has there."""
    names = defaultdict(list)
    for name, descriptor in LEARNERS.items():
        names[descriptor.path.partition(":")[2]].append(name)
    rows = [(f"`{name}`", d.learns, _plain(d.summary)) for name, d in LEARNERS.items()]
    parts = [_table(("name", "learns", "what it is"), rows)]
    for class_name, of_class in names.items():
        parts += [f"## {', '.join(of_class)}\n", _documented("autoclass", f"hierbench.learners.{class_name}")]
    for title, kind in (
        ("What nets trained by SGD share", SGDRegressorBase),
        ("A classifier, by import path", ConvResNetClassifier),
        ("Its tangent kernel, by import path", ConvResNetNTKClassifier),
    ):
        parts += [f"## {title}\n", _documented("autoclass", f"{kind.__module__}.{kind.__name__}")]
    return "\n".join(parts)


def targets() -> str:
    """Every family with its formula, its parameters and its class."""
    rows = [(f"`{name}`", f.degree, _plain(f.summary)) for name, f in FAMILIES.items()]
    parts = [_table(("name", "degree", "what it is"), rows)]
    for name, family in FAMILIES.items():
        class_name = family.path.partition(":")[2]
        parts += [
            f"## {name}\n",
            _documented("autoclass", f"hierbench.targets.{class_name}", "   :no-index-entry:\n"),
            _parameters(family.parameters),
        ]
    parts += ["## Parameters that every target takes\n", _parameters(MODIFIERS)]
    return "\n".join(parts)


def _parameters(parameters: Mapping[str, tuple[Any, str]]) -> str:
    rows = [(f"`{name}`", f"`{value!r}`", _plain(line)) for name, (value, line) in parameters.items()]
    return _table(("parameter", "default", "meaning"), rows)


def _documented(directive: str, name: str, options: str = "") -> str:
    return f"```{{eval-rst}}\n.. {directive}:: {name}\n{options}```\n"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def plain_docstring(lines: Iterable[str]) -> list[str]:
    """Lines of a docstring in which neither |x| nor coef_ is markup, blocks of formulas left alone."""
    escaped: list[str] = []
    block: int | None = None  # indentation of the line that began a block
    for line in lines:
        indent = len(line) - len(line.lstrip())
        if block is not None and line.strip() and indent <= block:
            block = None
        escaped.append(line if block is not None else _outside_literals(line))
        if block is None and ("::" in line):
            block = indent
    return escaped


def _outside_literals(line: str) -> str:
    pieces = line.split("``")
    pieces[::2] = [re.sub(r"\||(?<=\w)_(?!\w)", r"\\\g<0>", piece) for piece in pieces[::2]]
    return "``".join(pieces)


def _plain(text: str) -> str:
    """A text in which no character means anything to Markdown."""
    return "".join("\\" + c if c in "\\`*_[]<>$" else c for c in " ".join(text.split()))
