"""Bring neural-tangents 0.6.5 back to life on current jax, without tensorflow.

neural-tangents (Novak et al., arXiv 1912.02803) is archived. Since jax 0.6 it fails to import: names that
it takes from ``jax.core``, ``jax.util`` and ``jax.interpreters.ad`` have moved, and its ``experimental``
subpackage wants tensorflow. ``load`` restores the moved names for the duration of the import only, and
puts an empty module in the place of ``neural_tangents.experimental``. Nothing stays behind in ``jax``:
the few names that neural-tangents looks up later, at run time, are given to its own modules.

Infinite-width kernels (``stax``), ``predict`` and the Jacobian-contraction empirical NTK work; they are
held to closed forms and to finite-width Monte Carlo in ``tests/learners/net_kernels/test_ntk.py``. The
empirical NTK by structured derivatives reaches into private parts of jax, and is not supported.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.metadata
import sys
import types
import warnings
from collections.abc import Iterator
from typing import Any

SUPPORTED_NEURAL_TANGENTS = "0.6.5"
SUPPORTED_JAX = ((0, 6), (0, 11))
"""From the first, included, to the second, excluded; tested on 0.10.1."""
WRONG_NUMBERS_JAX = frozenset({"0.7.0", "0.7.1", "0.10.2"})
"""Releases that compute wrong sums on CPU: see ``tests/learners/net_kernels/test_jax_canary.py``."""

_MISSING = object()


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def check_versions(jax_version: str | None = None, nt_version: str | None = None) -> None:
    """Raise ImportError, in one line, unless the two versions are known to work together.

    By default the installed versions are checked, without importing either.
    """
    jax_version = jax_version or _version("jax")
    nt_version = nt_version or _version("neural-tangents")
    low, high = SUPPORTED_JAX
    try:
        release = tuple(int(part) for part in jax_version.split(".")[:2])
    except ValueError:
        release = (-1, -1)
    if (
        nt_version != SUPPORTED_NEURAL_TANGENTS
        or not low <= release < high
        or jax_version in WRONG_NUMBERS_JAX
    ):
        excluded = ", ".join(sorted(WRONG_NUMBERS_JAX))
        raise ImportError(
            f"found neural-tangents {nt_version} and jax {jax_version}; the NTK learner needs "
            f"neural-tangents {SUPPORTED_NEURAL_TANGENTS} "
            f"(pip install --no-deps neural-tangents=={SUPPORTED_NEURAL_TANGENTS}) "
            f"and jax >= {low[0]}.{low[1]}, < {high[0]}.{high[1]}, except {excluded} (tested: jax 0.10.1)"
        )


def load() -> types.ModuleType:
    """Import and return ``neural_tangents``.

    Raises
    ------
    ImportError
        If the installed versions of jax and neural-tangents are not supported.
    """
    loaded = sys.modules.get("neural_tangents")
    if loaded is not None:
        return loaded
    check_versions()
    # absl and h5py, which only the experimental part asks for, are not needed with the stand-in.
    sys.modules["neural_tangents.experimental"] = types.ModuleType("neural_tangents.experimental")
    try:
        with _moved_names(), warnings.catch_warnings():
            # An archived package: invalid escapes in docstrings, deprecated uses of jax.
            warnings.filterwarnings("ignore", category=SyntaxWarning)
            warnings.filterwarnings("ignore", category=DeprecationWarning)
            module = importlib.import_module("neural_tangents")
    except BaseException:
        for name in [n for n in sys.modules if n.split(".")[0] == "neural_tangents"]:
            del sys.modules[name]
        raise
    _give_runtime_names()
    return module


def _moved() -> dict[str, dict[str, Any]]:
    """Names that neural-tangents looks for, by the module where it looks for them."""
    # jax starts slowly, and is imported when a kernel is asked for
    import jax
    import jax.core
    import jax.extend.core
    import jax.extend.linear_util
    import jax.interpreters.ad

    def safe_map(f, *args):
        return list(map(f, *map(list, args)))

    def safe_zip(*args):
        return list(zip(*map(list, args), strict=True))

    extend = jax.extend.core
    core = {name: getattr(extend, name) for name in ("Jaxpr", "JaxprEqn", "Literal", "Primitive", "Var")}
    core["Value"] = Any
    core["get_aval"] = jax.typeof
    core["lattice_join"] = lambda x, y: x
    core["DShapedArray"] = type("DShapedArray", (), {})  # no array has a dynamic shape any more
    # Only a key in a table of rules, for a primitive that jax no longer emits under this name.
    ad = {"zeros_like_p": extend.Primitive("zeros_like")}
    return {
        "jax.core": core,
        "jax.interpreters.ad": ad,
        "jax.util": {"safe_map": safe_map, "safe_zip": safe_zip},
    }


@contextlib.contextmanager
def _moved_names() -> Iterator[None]:
    """Put the moved names where neural-tangents looks for them, and take them away afterwards."""
    undo: list[tuple[types.ModuleType, str]] = []
    stand_in = None
    try:
        for module_name, names in _moved().items():
            try:
                module = importlib.import_module(module_name)
            except ModuleNotFoundError:
                module = stand_in = types.ModuleType(module_name)
                sys.modules[module_name] = module
            for name, value in names.items():
                # A look in __dict__: asking for a moved name may warn through the module's __getattr__.
                if module.__dict__.get(name, _MISSING) is _MISSING:
                    setattr(module, name, value)
                    undo.append((module, name))
        yield
    finally:
        for module, name in undo:
            delattr(module, name)
        if stand_in is not None:
            sys.modules.pop(stand_in.__name__, None)


def _give_runtime_names() -> None:
    """Names that neural-tangents reads from ``core`` when it runs: a namespace of its own, jax untouched."""
    # jax starts slowly
    import jax.core

    names = dict(_moved()["jax.core"])
    for name in ("ShapedArray", "eval_context"):
        names[name] = getattr(jax.core, name)
    for module_name in ("neural_tangents._src.empirical", "neural_tangents._src.utils.utils"):
        sys.modules[module_name].core = types.SimpleNamespace(**names)  # type: ignore[attr-defined]
