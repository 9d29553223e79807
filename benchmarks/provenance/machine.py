"""The machine: what it is, how much memory was used, and how to keep to one thread."""

from __future__ import annotations

import contextlib
import functools
import os
import platform
import sys
from pathlib import Path

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false --xla_gpu_deterministic_ops=true",
    "NPROC": "1",
}
"""Environment of a worker: set before it imports anything, because BLAS reads it then.

NPROC is the size of the pool in which XLA computes. With one thread for each core two workers on two cores
wait for one another: a net then takes 1.5 times as long. On a GPU XLA gives the same bits each time.
"""


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def of_worker() -> dict[str, str]:
    """Environment of a worker: one thread, and of a GPU what it needs; flags of yours for XLA come last."""
    ours, flags = ONE_THREAD["XLA_FLAGS"], os.environ.get("XLA_FLAGS", "")
    # processes of a worker, and the next run of one of dask's, have them already
    if not flags.startswith(ours):
        flags = f"{ours} {flags}".strip()
    share = os.environ.get("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # else each would take most of a GPU
    return {**ONE_THREAD, "XLA_FLAGS": flags, "XLA_PYTHON_CLIENT_PREALLOCATE": share}


def compilation_cache(folder: Path | None) -> dict[str, str]:
    """Environment in which jax keeps what it compiles in ``folder``, unless it is told already where."""
    if folder is None or os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        return {}
    return {
        "JAX_COMPILATION_CACHE_DIR": str(folder.resolve()),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.1",
    }


@functools.cache
def identity(device: str = "cpu") -> dict[str, str]:
    """CPU, system, BLAS and GPU, if it is one: the column that may tell two numbers of one key apart."""
    # numpy starts slowly, and hierbench list does without it
    import numpy as np

    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return {
        "cpu": _cpu(),
        "architecture": platform.machine(),
        "system": platform.system(),
        "blas": f"{blas.get('name', '?')} {blas.get('version', '?')}",
        **({} if device == "cpu" else {"gpu": _gpu(device)}),
    }


def _gpu(device: str) -> str:
    # for units on one only: by the library that the learner has loaded
    if "jax" in sys.modules:
        # as above
        import jax

        with contextlib.suppress(RuntimeError, ValueError, IndexError):
            platform, _, index = device.partition(":")
            return jax.devices(platform)[int(index or 0)].device_kind
    import torch

    with contextlib.suppress(AssertionError, RuntimeError, ValueError):
        return torch.cuda.get_device_name(device)
    return device  # one that a learner makes up


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def one_thread() -> None:
    """Restrict the libraries that are loaded by now; those that come later read the environment."""
    # for workers only
    import threadpoolctl

    threadpoolctl.threadpool_limits(1)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


def give_back(device: str) -> None:
    """Give a GPU's memory back that torch keeps for later, so that other processes find it free."""
    if device != "cpu" and "torch" in sys.modules:
        with contextlib.suppress(RuntimeError):  # after an error of the GPU
            sys.modules["torch"].cuda.empty_cache()


def reset_peak_memory() -> None:
    """Start a new peak, where the system can (Linux); else the peak is the worker's so far."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pass


def peak_memory() -> int | None:
    """Peak resident memory of this process in bytes, since ``reset_peak_memory`` where possible."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        # there is none on every system
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
