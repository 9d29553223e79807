"""Statuses, metrics and kinds are enumerations whose members are stored, hashed and printed as their text."""

import json
import sqlite3

import pytest

from hierbench.benchmarks.provenance.fingerprint import digest
from hierbench.benchmarks.units.rows import Metric, RowStatus
from hierbench.benchmarks.units.unit import UnitStatus
from hierbench.benchmarks.units.vocabulary import UnitKind


@pytest.mark.parametrize("member", [*RowStatus, *Metric, *UnitStatus, *UnitKind], ids=repr)
def test_a_member_is_its_text_wherever_it_is_kept(member):
    text = member.value
    assert type(text) is str and member == text and f"{member}" == text
    assert json.dumps({"kind": member}) == json.dumps({"kind": text})
    assert digest({"kind": member}) == digest({"kind": text})
    connection = sqlite3.connect(":memory:")
    assert connection.execute("SELECT ?, typeof(?)", (member, member)).fetchone() == (text, "text")
    connection.close()
