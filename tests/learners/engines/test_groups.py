"""Nets that are computed together: how many, on what data, and beside which others."""

import numpy as np
import pytest

from hierbench.learners.engines import outputs, sgd_engine
from hierbench.learners.engines.minibatches import FreshSamples, ShuffledEpochs
from hierbench.learners.engines.network import DenseNetwork, outputs_of
from hierbench.learners.engines.outputs import outputs_on
from hierbench.learners.engines.sgd_engine import Job, Schedule, group_sizes, train

NETWORK = DenseNetwork(5, 2, 6)


@pytest.mark.parametrize(
    ("nets", "here", "there"),
    [
        (1, [1], [1]),
        (3, [1, 1, 1], [4]),
        (9, [4, 4, 1], [16]),
        (33, [4] * 8 + [1], [64]),
        (64, [4] * 16, [64]),
        (65, [4] * 16 + [1], [64, 1]),
        (130, [4] * 32 + [1, 1], [256]),
        (300, [4] * 75, [256, 64]),
        (600, [4] * 150, [256, 256, 64, 16, 16]),
    ],
)
def test_groups_have_few_sizes(nets, here, there):
    assert group_sizes(nets, NETWORK, 256, "cpu") == here
    assert group_sizes(nets, NETWORK, 256, "cuda") == there


def test_groups_of_wide_nets_are_smaller():
    wide = DenseNetwork(64, 2, 96, first_width=4096)
    assert group_sizes(100, wide, 256, "cuda") == [16] * 6 + [4]
    assert group_sizes(2, DenseNetwork(64, 2, 96, first_width=1 << 21), 256, "cuda") == [1, 1]


def jobs_of(sources):
    return [Job(s, np.random.default_rng(i), 0.02 + 0.01 * i, 1e-3) for i, s in enumerate(sources)]


class Looks:
    """A control that raises a weight of the penalty at every look and puts a part of net 0 back."""

    every = 30

    def __init__(self, n_nets):
        self.n_nets, self.looks = n_nets, 0

    def begin(self, flat):
        self.part = NETWORK.parts(flat[0])[0].copy()
        return flat

    def weights(self):
        return np.full((self.n_nets, NETWORK.depth), 0.01 * self.looks)

    def look(self, step, loss):
        assert len(loss) == self.n_nets
        self.looks += 1
        return [(0, 0, self.part)] if self.looks == 1 else []

    def notes(self):
        return {"looks": np.full(self.n_nets, float(self.looks))}


def trained(sources, monkeypatch, filled, **further):
    """Nets on these sources, in groups as of a GPU (with room for more) or one by one."""
    sizes = (lambda n, *_: [4] if n <= 4 else [4, 4]) if filled else (lambda n, *_: [1] * n)
    monkeypatch.setattr(sgd_engine, "group_sizes", sizes)
    initial = np.stack([NETWORK.initial(np.random.default_rng(9 + i)) for i in range(len(sources))])
    schedule = Schedule(steps=90, batch_size=16)
    return train(NETWORK, initial, jobs_of(sources), schedule, dtype="float64", **further)


def data(seed, n):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, 5)), rng.standard_normal(n)


def test_a_net_does_not_depend_on_those_beside_it_nor_on_room_that_is_left(monkeypatch):
    shared, other = ShuffledEpochs(*data(0, 40)), ShuffledEpochs(*data(1, 75))
    sources = [shared, other, shared, shared, other]
    alone, together = (trained(sources, monkeypatch, filled) for filled in (False, True))
    assert together.flat.shape == alone.flat.shape
    np.testing.assert_allclose(together.flat, alone.flat, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(together.loss, alone.loss, rtol=1e-9)
    np.testing.assert_array_equal(together.clipped, alone.clipped)


@pytest.mark.parametrize("further", ["frozen", "controlled"])
def test_nor_where_parts_are_frozen_or_a_control_looks(monkeypatch, further):
    sources = [ShuffledEpochs(*data(i, 40)) for i in range(3)]
    more = {"control": Looks}
    if further == "frozen":
        more = {"trainable": [i % 2 == 0 for i in range(len(NETWORK.shapes()))]}
    alone, together = (trained(sources, monkeypatch, filled, **more) for filled in (False, True))
    if further == "controlled":  # alone each net is the first of its control
        np.testing.assert_allclose(together.flat[0], alone.flat[0], rtol=1e-9, atol=1e-12)
        assert together.notes["looks"].tolist() == [3.0] * 3
    else:
        np.testing.assert_allclose(together.flat, alone.flat, rtol=1e-9, atol=1e-12)


def test_a_whole_chunk_by_a_loop_of_known_length_is_the_same(monkeypatch):
    sources = [ShuffledEpochs(*data(i, 40)) for i in range(2)]
    by_steps = trained(sources, monkeypatch, True)
    lengths, program = [], sgd_engine.program
    monkeypatch.setattr(
        sgd_engine,
        "program",
        lambda recipe, whole: lengths.append(whole) or program(recipe, len(lengths) == 1),
    )
    by_chunk = trained(sources, monkeypatch, True)
    assert len(lengths) == 2, "a chunk of 64 steps, and 26"
    np.testing.assert_allclose(by_chunk.flat, by_steps.flat, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("device", ["nonsense", "cuda:x", "cpu:99"])
def test_a_device_that_is_not_there_is_one_line(device):
    with pytest.raises(ValueError, match=f"device = '{device}': allowed are cpu, and cuda.*set_params"):
        outputs_on(device, NETWORK, NETWORK.initial(np.random.default_rng(0)), data(0, 3)[0])
    jobs = jobs_of([ShuffledEpochs(*data(0, 9))])
    schedule = Schedule(steps=1, batch_size=2)
    with pytest.raises(ValueError, match="device = "):
        train(NETWORK, np.zeros((1, NETWORK.n_parameters)), jobs, schedule, device=device)


def test_fresh_samples_of_a_net_are_its_own(monkeypatch):
    def sampler(n, rng):
        X = rng.standard_normal((n, 5))
        return X, X[:, 0] * X[:, 1]

    alone, together = (
        trained([FreshSamples(sampler, lambda *a: a) for _ in range(3)], monkeypatch, filled)
        for filled in (False, True)
    )
    np.testing.assert_allclose(together.flat, alone.flat, rtol=1e-9, atol=1e-12)


def test_a_training_set_that_nets_share_is_there_once(monkeypatch):
    seen = []
    load = sgd_engine._Group._load

    def noted(self, put):
        load(self, put)
        seen.append((self.data[0].shape, np.asarray(self.orders[2]).tolist()))

    monkeypatch.setattr(sgd_engine._Group, "_load", noted)
    shared, other = ShuffledEpochs(*data(0, 20000)), ShuffledEpochs(*data(1, 10000))
    trained([shared, other, shared], monkeypatch, True)
    assert seen == [((1 << 15, 8), [0, 20000, 0, 0])], "the fourth place is filled with the first net"


def test_outputs_on_a_gpu_are_those_of_numpy(monkeypatch):
    """jax is told to take the CPU for a GPU; more rows than are computed at once."""
    import jax

    real = jax.devices
    monkeypatch.setattr(
        jax, "devices", lambda platform: real("cpu") if platform == "cuda" else real(platform)
    )
    monkeypatch.setattr(outputs, "_ROWS", 100)
    parameters, X = NETWORK.initial(np.random.default_rng(0)), data(0, 250)[0].astype(np.float32)
    expected = outputs_of(NETWORK, parameters, X)
    found = outputs_on("cuda:0", NETWORK, parameters, X)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    np.testing.assert_array_equal(outputs_on("cpu", NETWORK, parameters, X), expected)
    monkeypatch.setattr(outputs, "_ENTRIES", 16 * NETWORK.floats_per_sample())
    outputs._compiled.cache_clear()
    traced, forward = [], DenseNetwork.forward
    monkeypatch.setattr(
        DenseNetwork, "forward", lambda net, p, X: traced.append(X.shape) or forward(net, p, X)
    )
    for n in (1, 9, 14, 16, 250):
        np.testing.assert_allclose(outputs_on("cuda:0", NETWORK, parameters, X[:n]), expected[:n], rtol=1e-12)
    assert traced == [(1, 5), (16, 5)], "a program for 1 row and one for 16, to which others are filled up"
