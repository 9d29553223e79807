"""Cost laws: what the scheduler and ``hierbench list`` read of a learner without importing it."""

import subprocess
import sys

import pytest

from hierbench import learners
from hierbench.benchmarks.provenance.modules import constructor_parameters, imported_by
from hierbench.learners.base import LENGTHENED, Cost, Term, steps_law
from hierbench.learners.registry import LEARNERS


def test_a_shared_fit_is_paid_once_a_curve():
    terms = (Term(1e-9, n=3), Term(2e-6, n=1, d=1))
    one_by_one, shared = Cost(terms, fixed=0.5), Cost(terms, fixed=0.5, shared=True)
    fit = {n: 0.5 + 1e-9 * n**3 + 2e-6 * n * 7 for n in (100, 300)}
    assert shared([(100, 300), (300,)], 7) == pytest.approx(2 * fit[300])
    assert one_by_one([(100, 300), (300,)], 7) == pytest.approx(fit[100] + 2 * fit[300])


def test_steps_are_those_that_are_set_or_those_of_the_law():
    law = Cost((Term(1e-3, steps=1),), step_factor=2.0)
    assert law([(100, 20000)], 5, 40) == pytest.approx(0.08)
    assert law([(100, 20000)], 5) == pytest.approx(2e-3 * LENGTHENED * (steps_law(100) + steps_law(20000)))


def test_a_law_reads_as_a_formula():
    law = Cost((Term(5.5e-5, n=1.5), Term(1.6e-10, n=3)), shared=True, note="no more")
    assert str(law) == "5.5e-05 n^1.5 + 1.6e-10 n^3 core-seconds a curve (its sizes share a fit); no more"
    assert str(Cost((Term(0.001, steps=1, d=2),), fixed=2.0)) == "0.001 steps d^2 + 2 core-seconds a size"


@pytest.mark.parametrize("name", LEARNERS)
def test_every_registered_learner_has_a_law_that_grows(name):
    descriptor = LEARNERS[name]
    law, d = descriptor.cost, 10
    assert 1e-3 < law([(200,)], d) < 1e3, "seconds, not operations"
    assert law([(400,), (400,)], d) == pytest.approx(2 * law([(400,)], d))
    assert law([(20000,)], d) > law([(200,)], d)
    assert law([(400,)], 4 * d) >= law([(400,)], d)
    # a parameter ``steps`` is what the scheduler hands on, and nothing else makes a law depend on it
    in_steps = law([(400,)], d, 20) < law([(400,)], d, 2000)
    assert in_steps == ("steps" in constructor_parameters(descriptor.path))


def test_public_names_are_imported_when_asked_for():
    code = (
        "import sys, learners; assert not {'torch', 'jax', 'numpy'} & set(sys.modules)\n"
        "from hierbench.learners import Curve, LEARNERS; assert not {'torch', 'jax'} & set(sys.modules)\n"
        "assert 'DenseNetRegressor' in dir(learners) and 'torch' not in sys.modules\n"
        "from hierbench.learners import DenseNetRegressor; assert not {'torch', 'jax'} & set(sys.modules)\n"
        "from hierbench.learners import KernelRidgeRBF; assert 'torch' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("descriptor", LEARNERS.values(), ids=list(LEARNERS))
def test_the_class_of_every_registered_learner_is_public(descriptor):
    module, _, name = descriptor.path.partition(":")
    assert name in dir(learners)
    assert getattr(learners, name).__module__ == module


def test_a_learner_is_made_by_name():
    ridge = learners.make_learner("krr_rbf", ridge=0.1)
    assert type(ridge).__name__ == "KernelRidgeRBF" and ridge.ridge == 0.1
    assert learners.make_learner("bfc1").correction == 1
    with pytest.raises(ValueError, match="did you mean 'densenet'"):
        learners.make_learner("densnet")
    with pytest.raises(AttributeError, match="DenseNet"):
        _ = learners.DenseNet


def test_code_behind_a_public_name_counts(tmp_path, monkeypatch):
    """A researcher's learner on top of ours is stale where ours has changed."""
    (tmp_path / "on_top.py").write_text("from hierbench.learners import DenseNetRegressor, Curve\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert {"hierbench.learners.nets.densenet", "hierbench.learners.base"} <= set(imported_by("on_top"))
