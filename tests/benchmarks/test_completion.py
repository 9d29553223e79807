"""What a shell offers after the tab key."""

from __future__ import annotations

import subprocess
import sys

import pytest
from machinery import ROOT, environment
from typer.testing import CliRunner

from hierbench.benchmarks import cli
from hierbench.benchmarks.suites.suite_file import known_suites
from hierbench.learners.registry import LEARNERS
from hierbench.targets.registry import FAMILIES

INSTRUCTION = "_HIERBENCH_COMPLETE"


def offered(line: str) -> list[str]:
    """What bash would offer for the last word of a line."""
    words = {"COMP_WORDS": f"hierbench {line}", "COMP_CWORD": str(len(f"hierbench {line}".split(" ")) - 1)}
    called = CliRunner().invoke(
        cli.app, [], prog_name="hierbench", env={INSTRUCTION: "complete_bash", **words}
    )
    assert called.exit_code == 0, called.output
    return called.output.split()


@pytest.mark.parametrize("command", ["run", "figures", "table", "status", "budgets", "regress", "report"])
def test_suites(command):
    if command not in {c.name or c.callback.__name__ for c in cli.app.registered_commands}:
        pytest.skip(f"there is no command {command}")
    assert offered(f"{command} ") == list(known_suites())
    assert offered(f"{command} pap") == ["paper-cpu", "paper"]


def test_targets():
    assert offered("describe ") == list(FAMILIES)
    assert offered("describe worked-") == ["worked-example-1", "worked-example-2"]


def test_learners_by_name_and_by_their_labels_in_the_suite():
    assert set(offered("run smoke --learner ")) == {"ridge", *LEARNERS}
    assert offered("table smoke --learner ri") == ["ridge"]
    assert offered("run smoke --fresh k") == ["krr_rbf", "krr_polynomial"]


def test_labels_of_the_suite():
    assert offered("run smoke --target sq") == ["squares-L2"]
    assert offered("run correction --experiment width") == ["width", "width-and-rows"]


def test_everything_that_list_takes():
    known = {"learners", "targets", "suites", *LEARNERS, *FAMILIES, *known_suites()}
    assert set(offered("list ")) == known
    assert offered("list dense") == ["densenet"]


@pytest.mark.parametrize("suite", ["no_such_suite", "no/such/file.toml", "unsound.toml", "odd.toml", "."])
def test_a_suite_that_cannot_be_read_offers_nothing(suite, tmp_path, monkeypatch):
    (tmp_path / "unsound.toml").write_text("target = [")
    (tmp_path / "odd.toml").write_text("target = 3\n[learner]\nx = 1\n")
    monkeypatch.chdir(tmp_path)
    assert offered(f"run {suite} --target ") == []
    assert set(offered(f"run {suite} --learner ")) == set(LEARNERS)


def test_nothing_heavy_is_imported():
    code = """if 1:
        import contextlib, io, os, sys
        from hierbench.benchmarks import cli
        for line in ("run ", "run smoke --learner ", "run smoke --target ", "list ", "describe "):
            os.environ |= {"COMP_WORDS": f"hierbench {line}", "COMP_CWORD": str(len(line.split(" ")))}
            with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.suppress(SystemExit):
                cli.main([])
            assert out.getvalue().split(), line
            heavy = {"torch", "jax", "sklearn", "scipy", "matplotlib", "pandas", "rich"} & set(sys.modules)
            assert not heavy, (line, heavy)
    """
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment() | {INSTRUCTION: "complete_bash"},
        capture_output=True, text=True,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr


@pytest.fixture
def named_shell(monkeypatch, tmp_path):
    """The shell is named, and not looked for among the processes above; what it reads is in a folder."""
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    monkeypatch.setenv("HOME", str(tmp_path))
    return lambda *arguments: CliRunner().invoke(cli.app, arguments, prog_name="hierbench")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_a_shell(shell, named_shell):
    called = named_shell("--show-completion", shell)
    assert called.exit_code == 0 and f"complete_{shell}" in called.output and INSTRUCTION in called.output


def test_it_is_installed_where_the_shell_reads_it(named_shell, tmp_path):
    called = named_shell("--install-completion", "bash")
    assert called.exit_code == 0, called.output
    (script,) = (path for path in tmp_path.rglob("*") if path.is_file() and path.name != ".bashrc")
    assert INSTRUCTION in script.read_text() and str(script) in (tmp_path / ".bashrc").read_text()
