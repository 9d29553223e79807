"""Seconds that this process has spent compiling with jax."""

from __future__ import annotations

_EVENT = "/jax/core/compile/backend_compile_duration"
"""From a program of XLA to machine code, or from the cache: what the persistent cache spares."""
_seconds = 0.0
_listens = False


def count() -> None:
    """Count from now on; call it before the first compilation. A second call changes nothing."""
    global _listens
    if _listens:
        return
    # jax starts slowly
    import jax

    jax.monitoring.register_event_duration_secs_listener(_add)
    _listens = True


def _add(event: str, duration_secs: float, **_: str | int) -> None:
    global _seconds
    if event == _EVENT:
        _seconds += duration_secs


def seconds() -> float:
    """Return the seconds so far."""
    return _seconds
