"""Fitted learners in a file, without pickle: arrays in an npz archive, everything else as JSON.

Loading runs no code from the file: it looks up classes of this package by name and fills in
their attributes, nothing more. A name is no place: a learner saved before its file moved loads after.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from hierbench.files import replace_file
from hierbench.learners import registry

FORMAT = 2
"""Format 1 had ``module:Class`` where 2 has the name of the class alone; both are read."""

_PACKAGE = "hierbench.learners."

PARTS: Mapping[str, str] = {
    path.rpartition(":")[2]: path
    for path in (
        "hierbench.learners.nets.algorithm1_network:Algorithm1Network",
        "hierbench.learners.base:FitReport",
        "hierbench.learners.net_kernels.compositional:CompositionalKernel",
        "hierbench.learners.kernels.dot_product:DotProductKernel",
        "hierbench.learners.net_kernels.infinite_width:DenseKernel",
        "hierbench.learners.net_kernels.infinite_width:DenseNetKernel",
        "hierbench.learners.kernels.classical:LaplaceKernel",
        "hierbench.learners.kernels.classical:PolynomialKernel",
        "hierbench.learners.kernels.classical:RBFKernel",
        "hierbench.learners.sequential.lifted_kernel:LiftedKernel",
        "hierbench.learners.kernels.matern:MaternKernel",
        "hierbench.learners.engines.network:DenseNetwork",
        "hierbench.learners.net_kernels.ntk:NeuralTangentKernel",
        "hierbench.learners.net_kernels.ntk_finite:TangentKernel",
        "hierbench.learners.nets.residual_network:ResidualNetwork",
        "hierbench.learners.sequential.second_moments:SpectralLevel",
        "hierbench.learners.sequential.sequential_fits:FoldFit",
        "hierbench.learners.sequential.sequential_fits:WeightedKernel",
        "hierbench.learners.sequential.sequential_kernels:Level",
        "hierbench.learners.nets.scaling:ClassScaling",
        "hierbench.learners.nets.scaling:Scaling",
    )
}
"""What fitted learners are made of besides arrays, by class name: where it is in this version."""


def save(estimator: Any, path: str | os.PathLike[str]) -> None:
    """Write a fitted learner of this package to ``path``.

    The file is complete or as it was: it is written beside and renamed.

    Raises
    ------
    TypeError
        The learner holds something that has no plain form (an estimator of another package,
        a function), with the name of the attribute.
    ValueError
        It is not a learner of this package, or not fitted.
    """
    if type(estimator).__name__ not in _learners() or not _is_ours(estimator):
        raise ValueError(f"{_class_path(estimator)} is no learner of this package: only those are saved here")
    parameters = estimator.get_params(deep=False)
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        raise ValueError(f"{type(estimator).__name__} is not fitted: call fit before save") from None
    state = {k: v for k, v in vars(estimator).items() if k not in parameters}
    arrays: dict[str, np.ndarray] = {}
    header = {
        "format": FORMAT,
        "class": type(estimator).__name__,
        "parameters": _plain(parameters, arrays, "parameters"),
        "state": _plain(state, arrays, type(estimator).__name__),
    }
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("header.json", json.dumps(header))
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.save(buffer, array, allow_pickle=False)
            archive.writestr(f"{name}.npy", buffer.getvalue())
    replace_file(Path(path), written.getvalue())


def load(path: str | os.PathLike[str]) -> Any:
    """Read the learner that ``save`` wrote; it predicts the same, bit for bit.

    Raises
    ------
    ValueError
        The file is not one of ours, or of a newer format.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            header = json.loads(archive.read("header.json"))
            names = [n for n in archive.namelist() if n.endswith(".npy")]
            arrays = {
                n.removesuffix(".npy"): np.load(io.BytesIO(archive.read(n)), allow_pickle=False)
                for n in names
            }
        version = header["format"]
        if version in (1, FORMAT):
            estimator = _class(header["class"])(**_restored(header["parameters"], arrays))
            estimator.__dict__.update(_restored(header["state"], arrays))
            return estimator
    except (zipfile.BadZipFile, LookupError, TypeError, AttributeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path} is no saved learner: save one with hierbench.learners.save") from error
    raise ValueError(f"{path} has format {version}, this version reads 1 and {FORMAT}: save it anew")


def _class_path(value: Any) -> str:
    return f"{type(value).__module__}:{type(value).__qualname__}"


def _is_ours(value: Any) -> bool:
    return type(value).__module__.startswith(_PACKAGE)


def _learners() -> dict[str, str]:
    """Path of every registered learner by the name of its class."""
    return {d.path.rpartition(":")[2]: d.path for d in registry.LEARNERS.values()}


def _class(name: str) -> type[Any]:
    """Find the class of that name; of a path, which format 1 has, its name alone counts."""
    path = {**PARTS, **_learners()}.get(name.rpartition(":")[2])
    if path is None:
        raise ValueError(f"{name}: there is no such class in this version")
    module, _, attribute = path.partition(":")
    loaded: type[Any] = getattr(importlib.import_module(module), attribute)
    return loaded


def _plain(value: Any, arrays: dict[str, np.ndarray], where: str) -> Any:
    """JSON for ``value``, tagged where JSON has no such type; arrays go to ``arrays``."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, torch.Tensor):
        return {"tensor": _plain(value.detach().cpu().numpy(), arrays, where)}
    if isinstance(value, np.ndarray):
        if value.dtype.hasobject:
            raise TypeError(f"{where} is an array of objects: it has no plain form")
        name = f"a{len(arrays)}"
        arrays[name] = value
        return {"array": name}
    if isinstance(value, np.generic):
        return {"scalar": _plain(np.asarray(value), arrays, where)}
    if isinstance(value, (int, float)):
        return {"float": value.hex()} if isinstance(value, float) else value
    if isinstance(value, list):
        return [_plain(v, arrays, f"{where}[{i}]") for i, v in enumerate(value)]
    if isinstance(value, tuple) and type(value) is tuple:
        return {"tuple": [_plain(v, arrays, f"{where}[{i}]") for i, v in enumerate(value)]}
    if isinstance(value, dict):
        pairs = [[_plain(k, arrays, where), _plain(v, arrays, f"{where}.{k}")] for k, v in value.items()]
        return {"dict": pairs}
    name = type(value).__name__
    if _is_ours(value) and (name in PARTS or name in _learners()):
        return {"object": name, "state": _plain(vars(value), arrays, where)}
    raise TypeError(f"{where} is a {_class_path(value)}: it has no plain form")


def _restored(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    if isinstance(value, list):
        return [_restored(v, arrays) for v in value]
    if not isinstance(value, dict):
        return value
    if "object" in value:
        kind = _class(value["object"])
        made: Any = object.__new__(kind)
        made.__dict__.update(_restored(value["state"], arrays))
        return made
    [(tag, inner)] = value.items()
    if tag == "array":
        return arrays[inner]
    if tag == "tensor":
        return torch.from_numpy(_restored(inner, arrays))
    if tag == "scalar":
        return _restored(inner, arrays)[()]
    if tag == "float":
        return float.fromhex(inner)
    if tag == "tuple":
        return tuple(_restored(v, arrays) for v in inner)
    return {_restored(k, arrays): _restored(v, arrays) for k, v in inner}
