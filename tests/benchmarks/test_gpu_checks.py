"""``benchmarks/speed/gpu_checks.py``, without a GPU: what it says, and that it asks for what there is."""

import importlib.util
import os
import sys
from pathlib import Path

import pytest
import torch

from hierbench.learners import make_learner

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "speed" / "gpu_checks.py"


@pytest.fixture(scope="module")
def checks():
    spec = importlib.util.spec_from_file_location("gpu_checks", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_check_that_fails_does_not_hide_the_others(checks, monkeypatch, capsys):
    def bad(device):
        yield checks.Line("first", "right", "right")
        raise RuntimeError("no room")

    def good(device):
        yield checks.Line("next", 0.5, 1.0)
        yield checks.Line("slow", float("nan"), 1.0)

    monkeypatch.setattr(checks, "CHECKS", {"bad": bad, "good": good})
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "a card")
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: None)
    monkeypatch.setattr(checks.machine, "of_worker", lambda: {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"})
    monkeypatch.setenv("XLA_PYTHON_CLIENT_PREALLOCATE", "true")
    monkeypatch.setattr(sys, "argv", ["gpu_checks.py"])
    assert checks.main() == 1
    assert os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"
    _, _, _, first, failed, following, slow = capsys.readouterr().out.splitlines()
    assert "first" in first and "bad" in failed and "RuntimeError: no room" in failed
    assert "MISSED" not in first + following and "MISSED" in slow


def test_a_line_that_fails_is_missed(checks):
    def line():
        raise RuntimeError("no room")

    missed = checks.tried("sum", line)
    assert not missed.met and "RuntimeError: no room" in str(missed)
    assert checks.tried("sum", lambda: checks.Line("sum", 0.5, 1.0)).met


def test_all_learners_that_are_checked_take_a_device(checks):
    for name in (*checks.NETS, *checks.KERNELS):
        assert "device" in make_learner(name).get_params(), name
    assert checks.LEARNERS["layerwise"].card > 0
