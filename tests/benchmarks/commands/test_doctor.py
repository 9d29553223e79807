"""The doctor finds nothing wrong here, and names what is wrong elsewhere."""

import importlib.metadata
import shutil

import pytest

from hierbench.benchmarks.commands import doctor


def test_here_all_is_well(tmp_path, capsys):
    assert doctor.diagnose(tmp_path) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(doctor.CHECKS) and all(line.startswith("ok:  ") for line in lines)


def says(check, folder):
    with pytest.raises(doctor.BadError) as error:
        check(folder)
    return str(error.value)


def test_versions(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor.sys, "version_info", (3, 14, 0))
    assert "3.11 to 3.13 is needed" in says(doctor.python_version, tmp_path)
    version = importlib.metadata.version

    def other(name):
        if name == "pebble":
            raise importlib.metadata.PackageNotFoundError(name)
        return "0.10.2" if name == "jax" else version(name)

    monkeypatch.setattr(importlib.metadata, "version", other)
    said = says(doctor.library_versions, tmp_path)
    assert "pebble is missing" in said and "jax 0.10.2 is none of" in said
    assert "jax 0.10.2" in says(doctor.neural_tangents, tmp_path)


def test_a_canary_that_sings_wrong(tmp_path, monkeypatch):
    import jax

    monkeypatch.setattr(jax, "jit", lambda f: lambda *a: f(*a) * 1.001)
    assert "computes wrong sums here" in says(doctor.jax_canary, tmp_path)


def test_a_canary_in_the_engine(tmp_path, monkeypatch):
    import jax.numpy as jnp

    from hierbench.learners.engines import canary

    mean = jnp.mean
    monkeypatch.setattr(jnp, "mean", lambda a: mean(a[:-1]))
    canary.compiled.cache_clear()
    said = says(doctor.jax_canary, tmp_path)
    canary.compiled.cache_clear()
    assert "computes wrong sums here (square: 4 nets, d = 8, width 24, depth 2, off by" in said


def test_two_places(tmp_path, monkeypatch):
    class Elsewhere:
        __file__ = str(tmp_path / "other" / "learners" / "__init__.py")

    real = doctor.importlib.import_module
    monkeypatch.setattr(
        doctor.importlib, "import_module", lambda n: Elsewhere if n.endswith("learners") else real(n)
    )
    said = says(doctor.import_place, tmp_path)
    assert "comes from several places (" in said and str(tmp_path / "other") in said


def test_folders_disks_and_limits(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    assert doctor.results_folder(tmp_path / "new" / "deeper").endswith("can be written")
    monkeypatch.setattr(doctor.tempfile, "NamedTemporaryFile", full)
    assert "cannot be written (No space left" in says(doctor.results_folder, tmp_path)
    usage = shutil.disk_usage(tmp_path)._replace(free=2**20)
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda place: usage)
    assert "1 MiB free for results" in says(doctor.free_disk, tmp_path)
    import resource

    monkeypatch.setattr(resource, "getrlimit", lambda kind: (20, 20))
    assert "only 20 files" in says(doctor.open_files, tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    assert "OMP_NUM_THREADS=8" in doctor.threads(tmp_path)


def full(**_):
    raise OSError(28, "No space left on device")


def test_a_check_that_breaks_is_bad(tmp_path, monkeypatch, capsys):
    def broken_check(results):
        raise KeyError("x")

    monkeypatch.setattr(doctor, "CHECKS", (broken_check,))
    assert doctor.diagnose(tmp_path) == 1
    assert capsys.readouterr().out == "bad: broken check: KeyError: 'x'\n"
