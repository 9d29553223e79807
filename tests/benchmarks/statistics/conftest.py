"""Intervals for independent replicates alone, which take a tenth of the time."""

import pytest

from hierbench.benchmarks.statistics import line_fits


@pytest.fixture
def independent(monkeypatch):
    """Leave out of a fit what scatter in common adds to the interval, and the test of the line."""
    monkeypatch.setattr(line_fits, "MEMORY", line_fits.Memory())
    monkeypatch.setattr(line_fits, "widened", lambda *data: (data[4].low, data[4].high))
    monkeypatch.setattr(line_fits, "lack_of_fit", lambda *_: None)
