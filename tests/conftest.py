"""What holds for every test."""

import gc
import os
import signal
import sys
import threading
from pathlib import Path

import pytest

if threading.current_thread() is threading.main_thread():
    # A shell that starts pytest in the background leaves these ignored, and subprocesses inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)

# what jax compiles is kept for the other processes of a run, and for the next one
os.environ.setdefault(
    "JAX_COMPILATION_CACHE_DIR", str(Path(__file__).parents[1] / ".pytest_cache" / "compiled")
)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")


@pytest.fixture
def independent(monkeypatch):
    """Leave out of a fit what scatter in common adds to the interval, and the test of the line.

    That is nine tenths of the time. Fits that were made without this are not taken, nor the other way round.
    """
    # what most tests do without
    from hierbench.benchmarks.show import slopes
    from hierbench.benchmarks.statistics import line_fits

    memory = line_fits.Memory()
    for module in (line_fits, slopes):
        monkeypatch.setattr(module, "MEMORY", memory)
    monkeypatch.setattr(line_fits, "widened", lambda *data: (data[4].low, data[4].high))
    monkeypatch.setattr(line_fits, "lack_of_fit", lambda *_: None)


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Keep byte code of what is imported and rewritten, and seek no garbage in it: 28 s a process become 12.

    Of what tests write none is kept: changed within a second, it would be taken for what it was.
    """
    usual, sys.dont_write_bytecode = sys.dont_write_bytecode, False
    gc.disable()
    try:
        return (yield)
    finally:
        sys.dont_write_bytecode = usual
        gc.collect()
        gc.freeze()
        gc.enable()


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist, which reads the groups
def pytest_collection_modifyitems(items):
    """Let tests that share a fixture of their module share a worker; those of known length come first."""
    for item in items:
        shared = item._fixtureinfo.name2fixturedefs.keys() - {"units_are_computed_here"}
        definitions = [item._fixtureinfo.name2fixturedefs[name][-1] for name in shared]
        if any(d.scope in ("class", "module", "package") for d in definitions):
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))
        if _seconds(item) > 30:
            item.add_marker(pytest.mark.timeout(10 * _seconds(item)))
    items.sort(key=_seconds, reverse=True)


def _seconds(item):
    marker = item.get_closest_marker("slow")
    return marker.args[0] if marker and marker.args else 0
