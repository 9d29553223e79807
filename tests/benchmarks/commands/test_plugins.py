"""``new-learner``, ``check-learner``, ``new-target`` and ``check-target``."""

import subprocess
import sys

import pytest
from machinery import environment, hierbench

from hierbench.benchmarks.commands.new_plugin import write_learner, write_target
from hierbench.errors import UserError


@pytest.mark.parametrize(("write", "kind"), [(write_learner, "learner"), (write_target, "target")])
def test_what_is_written_keeps_its_contract(write, kind, tmp_path, capsys):
    write("PairsOfHTTP", tmp_path)
    assert f"hierbench check-{kind} pairs_of_http:PairsOfHTTP" in capsys.readouterr().out
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_pairs_of_http.py"],
        cwd=tmp_path, env=environment() | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout
    with pytest.raises(UserError, match=r"pairs_of_http\.py is there"):
        write("PairsOfHTTP", tmp_path)


@pytest.mark.parametrize("name", ["3x", "class", "a-b", "", "Ä"])
def test_names_that_no_class_has(name, tmp_path):
    with pytest.raises(UserError, match="names of a Python class"):
        write_learner(name, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_class_whose_file_no_module_can_be_is_in_another(tmp_path):
    write_learner("Lambda", tmp_path)
    assert (tmp_path / "Lambda_learner.py").exists()
    assert "from Lambda_learner import Lambda" in (tmp_path / "test_Lambda_learner.py").read_text()


def test_nothing_installed_is_hidden(tmp_path):
    with pytest.raises(UserError, match="a module fractions is installed"):
        write_learner("Fractions", tmp_path)


@pytest.mark.slow
def test_a_card_of_a_learner(tmp_path):
    write_learner("Products", tmp_path)
    done = hierbench("check-learner", "products:Products", "--no-figures", cwd=tmp_path)
    assert "contract: 6 checks hold, 0 fail" in done.stdout and "> Products" in done.stdout
    assert "densenet" in done.stdout and "lands: projected-L2: eps = 0.3, d = 10" in done.stdout
    assert "needs: " in done.stdout


@pytest.mark.slow
def test_a_card_of_a_target(tmp_path):
    write_target("Products", tmp_path)
    done = hierbench("check-target", "products:Products", cwd=tmp_path)
    assert "contract: 13 checks hold, 0 fail" in done.stdout
    assert "share of variance at degree 2" in done.stdout and "Products: degree 2" in done.stdout


@pytest.mark.slow
def test_a_learner_that_breaks_the_contract_is_judged_and_fails(tmp_path):
    done = hierbench("check-learner", "stub_learners:Noisy", "--no-figures", cwd=tmp_path)
    assert done.returncode == 1 and "fails: two fits with one random state" in done.stdout


@pytest.mark.parametrize("command", ["check-learner", "check-target"])
def test_what_is_no_learner_or_target_is_one_line(command, status):
    code, out, said = status(command, "nowhere:X")
    assert code == 2 and len(said.splitlines()) == 1 and "nowhere" in said and out == ""
