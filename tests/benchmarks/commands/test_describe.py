"""``hierbench describe`` at absurd sizes: refused, or its cost is said soon."""

import re
import time

import pytest

from hierbench.benchmarks.commands import describe
from hierbench.errors import UserError
from hierbench.targets.base import Size
from hierbench.targets.polynomials.parity import Parity
from hierbench.targets.registry import FAMILIES


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("setting", ["d=100000", "d=1" + "0" * 400, "d=0", "seed=3", "noise=1e400"])
def test_every_family_refuses(family, setting):
    with pytest.raises(UserError):
        describe.print_certificate(family, None if setting.startswith("d=") else 8, [setting], 0)


@pytest.mark.parametrize(
    ("family", "d"), [("squares", 900), ("projected", 16_384), ("hierarchical-polynomial", 2000)]
)
def test_a_certificate_past_its_memory_is_refused_before_anything_is_drawn(family, d, monkeypatch):
    monkeypatch.setattr("numpy.linalg.qr", None)
    with pytest.raises(UserError, match=f"MiB of the certificate of {family} at d = {d} = .* up to 1024"):
        describe.print_certificate(family, d, [], 0)


def test_one_of_a_class_of_ones_own_is_refused_in_the_same_words(monkeypatch):
    monkeypatch.setattr(Parity, "size", Size(1.0, 2.0**30, 1.0))
    monkeypatch.setattr(describe, "FAMILIES", {})
    with pytest.raises(UserError, match=r"^MiB of the certificate of parity at d = 8 = 8192"):
        describe.print_certificate("parity", 8, [], 0)


def test_a_long_certificate_says_what_it_may_take(monkeypatch, capsys):
    whole = Parity.certificate

    def slow(self):
        time.sleep(0.2)
        return whole(self)

    monkeypatch.setattr(describe, "SAID_AFTER", 0.05)
    monkeypatch.setattr(Parity, "certificate", slow)
    monkeypatch.setattr(Parity, "size", Size(1.0, 2.0**20, 7e12))
    describe.print_certificate("parity", 8, [], 0)
    said = "the certificate of parity at d = 8 takes up to about 700 s and 8 MiB; an interrupt ends it"
    assert said in capsys.readouterr().err


def test_a_short_one_does_not(capsys):
    describe.print_certificate("parity", 8, [], 0)
    assert capsys.readouterr().err == ""


def test_what_nobody_knows_of_data_is_said_to_be_unknown(capsys):
    describe.print_certificate("digits", 64, [], 0)
    lines = dict(re.split(r"  +", line, maxsplit=1) for line in capsys.readouterr().out.splitlines()[:11])
    unknown = {name for name, text in lines.items() if text == "unknown"}
    assert unknown == {"degree", "parameters", "Bayes error", "share of variance by degree"}
    assert lines["classes"] == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9" and lines["inputs"] == "data"
