"""``hierbench run --device``: which learners it is for, what they are known by, and when it is refused."""

from __future__ import annotations

import collections
import dataclasses

import pytest

from hierbench.benchmarks.provenance import machine
from hierbench.benchmarks.results.suite_results import on_its_device
from hierbench.benchmarks.run import probe
from hierbench.benchmarks.store.store import Store
from hierbench.benchmarks.suites.devices import as_run, libraries, on_device, takers
from hierbench.benchmarks.suites.plan import make_plan
from hierbench.benchmarks.suites.suite_file import load_suite
from hierbench.errors import UserError
from hierbench.learners.registry import LEARNERS, load

SUITE = """\
name = "mine"
summary = "a net and a kernel"
replicates = 4
test = {min = 64, max = 64}
timeout_seconds = 60
epsilons = [0.3]

[[target]]
label = "sq"
family = "squares"
params = {depth = 2, width = 2}

[[learner]]
label = "net"
learner = "densenet"
params = {width = 3, steps = 10}

[[learner]]
label = "kernel"
learner = "krr_dot_product"

[[run]]
targets = ["sq"]
learners = ["net", "kernel"]
d = [3]
sizes = {scale = 8, power = 1, ratio = 2, count = 1, max = 100}
"""


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(SUITE)
    return str(file)


def keys(suite):
    return {unit.learner: unit.key for unit in make_plan(suite).curves}


def test_it_is_set_for_learners_that_have_the_parameter_and_no_others(path):
    suite = load_suite(path)
    there = on_device(suite, "cuda:1")
    assert {e.label: e.params.get("device") for e in there.learners} == {"net": "cuda:1", "kernel": None}
    assert takers(suite) == {"net": True, "kernel": False}
    before, after = keys(suite), keys(there)
    assert before["net"] != after["net"] and before["kernel"] == after["kernel"]
    assert keys(on_device(suite, "cpu")) == before == keys(on_device(there, "cpu")), (
        "the default is no other key"
    )


@pytest.mark.slow
def test_those_that_have_it_are_those_whose_constructor_says_so():
    whole = load_suite("paper")
    labels = {entry.label: entry.learner for entry in whole.learners}
    for label, takes in takers(whole).items():
        learner = load(LEARNERS[labels[label]].path)(**LEARNERS[labels[label]].parameters)
        assert takes == ("device" in learner.get_params()), label
    assert {"densenet", "layerwise"} <= {label for label, takes in takers(whole).items() if takes}


def test_results_are_read_on_the_device_of_most_of_them(path):
    suite = load_suite(path)
    cpu, gpu = ([u.learner_spec for u in make_plan(s).curves] for s in (suite, on_device(suite, "cuda")))
    assert as_run(suite, []) == as_run(suite, cpu) == as_run(suite, cpu + gpu) == suite
    assert as_run(suite, gpu) == as_run(suite, cpu + 2 * gpu) == on_device(suite, "cuda")


@pytest.mark.parametrize("device", ["gpu", "cuda:x", "CUDA", "", "cpu:1", "cuda\n"])
def test_a_device_that_there_cannot_be_is_one_line(path, tmp_path, status, device):
    code, out, err = status("run", path, "--device", device, "--results", tmp_path / "r")
    assert (code, out) == (2, "") and err.count("\n") == 1
    assert "--device" in err and "allowed are cpu, cuda, and cuda:1" in err
    assert not (tmp_path / "r").exists()


def test_one_that_is_not_here_is_refused_before_anything_is_computed(path, tmp_path, status, monkeypatch):
    asked = []
    monkeypatch.setattr(probe, "unusable", lambda *asks: asked.append(asks) or "jax finds 1 of them")
    code, out, err = status("run", path, "--device", "cuda:3", "--results", tmp_path / "r")
    assert (code, out) == (2, "") and err.count("\n") == 1 and not (tmp_path / "r").exists()
    assert "--device cuda:3: there is none to compute on (jax finds 1 of them); docs/gpu.md" in err
    code, out, err = status(
        "run", path, "--device", "cuda", "--learner", "kernel", "--results", tmp_path / "r"
    )
    assert code == 2 and "runs no learner that takes a device" in err
    code, out, err = status("run", path, "--device", "cuda", "--dry-run", "--results", tmp_path / "r")
    assert code == 0 and "on cuda: net; on the CPU, without such a parameter: kernel" in err
    assert asked == [("cuda:3", "jax")], "a dry run needs none"


@pytest.mark.slow
def test_jax_is_asked_in_a_process_of_its_own():
    assert probe.unusable("cpu", "jax") == probe.unusable("cpu", "torch") == ""
    assert "jax finds" in probe.unusable("cpu:99", "jax")
    for library in ("jax", "torch"):
        said = rf"--device nosuch: there is none to compute on \({library}: .*nosuch"
        with pytest.raises(UserError, match=said):
            probe.refuse_device("nosuch", [library])


def test_the_library_that_computes_is_asked(path):
    suite = load_suite(path)
    assert libraries(suite) == {"jax"}
    for other in ("hierbench.learners.convolutional.resnet:ConvResNetClassifier", "krr_rbf"):
        learners = [
            dataclasses.replace(e, learner=other, params={}) if e.label == "net" else e
            for e in suite.learners
        ]
        assert libraries(dataclasses.replace(suite, learners=tuple(learners))) == {"torch"}


def test_units_of_other_code_do_not_say_on_which_device_results_are(path):
    suite = load_suite(path)
    stale = dataclasses.replace(suite, learners=tuple(
        dataclasses.replace(e, params={**e.params, "width": 4}) if e.label == "net" else e
        for e in suite.learners
    ))  # fmt: skip
    cpu, gpu = (make_plan(s).curves for s in (stale, on_device(suite, "cuda")))
    Record = collections.namedtuple("Record", "key axes suite status")

    class Store:
        def units(self):
            return [Record(u.key, u.axes, "mine", "done") for u in (*(2 * cpu), *gpu)]

    assert on_its_device(suite, Store()) == on_device(suite, "cuda")


def test_what_was_run_on_a_device_is_found_by_the_other_commands(path, tmp_path, status, monkeypatch):
    """The engine is told to take the CPU for a GPU: keys and rows are those of a GPU."""
    import jax

    monkeypatch.setattr(probe, "unusable", lambda device, library: "")
    real = jax.devices
    monkeypatch.setattr(jax, "devices", lambda platform=None: real("cpu" if platform == "cuda" else platform))
    results = tmp_path / "r"
    code, _, err = status(
        "run", path, "--device", "cuda", "--no-figures", "--workers", 1, "--results", results
    )
    assert code == 0 and "on cuda: net" in err, err
    with Store.readable(results) as store:
        rows = store.rows()
    devices_of = {r.learner: r.learner_spec["parameters"].get("device") for r in rows}
    assert devices_of == {"net": "cuda", "kernel": None}
    code, out, _ = status("status", path, "--results", results)
    assert code == 0 and "missing" not in out
    code, out, _ = status("export", path, "--output", tmp_path / "mine.json.gz", "--results", results)
    assert code == 0 and f"{len(rows)} rows" in out
    code, out, _ = status("merge", tmp_path / "mine.json.gz", "--suite", path, "--results", tmp_path / "s")
    assert code == 0 and "left out" not in out
    code, _, err = status("run", path, "--device", "cuda", "--no-figures", "--results", tmp_path / "s")
    with Store.readable(tmp_path / "s") as store:
        assert store.rows() == rows, "nothing was computed again"


def test_workers_share_a_gpu_and_give_the_same_bits_unless_told_otherwise(monkeypatch):
    for name in ("XLA_FLAGS", "XLA_PYTHON_CLIENT_PREALLOCATE"):
        monkeypatch.delenv(name, raising=False)
    environment = machine.of_worker()
    assert "--xla_gpu_deterministic_ops=true" in environment["XLA_FLAGS"].split()
    assert environment["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"
    monkeypatch.setenv("XLA_FLAGS", "--xla_gpu_deterministic_ops=false")
    monkeypatch.setenv("XLA_PYTHON_CLIENT_PREALLOCATE", "true")
    environment = machine.of_worker()
    assert environment["XLA_FLAGS"].endswith(" --xla_gpu_deterministic_ops=false"), "the last one counts"
    assert environment["XLA_PYTHON_CLIENT_PREALLOCATE"] == "true"
    monkeypatch.setenv("XLA_FLAGS", environment["XLA_FLAGS"])
    assert machine.of_worker() == environment, "a worker's own processes have the same"
