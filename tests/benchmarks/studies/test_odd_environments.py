"""What the environment does ends a command in one line, with the expected status, and costs no row."""

import pytest

from hierbench.benchmarks.studies.faults.environments import FAST, ODDITIES, Oddity, prepare, try_out

BY_NAME = {oddity.what: oddity for oddity in ODDITIES}


@pytest.mark.parametrize("what", FAST)
def test_a_command_that_needs_no_store(what, tmp_path):
    ending = try_out(BY_NAME[what], tmp_path)
    assert ending is None or ending.faults == (), ending


def test_there_are_enough_of_them_and_a_fault_would_be_seen(tmp_path):
    assert len(BY_NAME) == len(ODDITIES) >= 20
    silent = Oddity("silent", "exit 0", says="never said")
    traceback = Oddity("shows", "echo 'Traceback (most recent call last)'; exit 3")
    assert try_out(silent, tmp_path).faults == ("does not say 'never said'",)
    assert len(try_out(traceback, tmp_path).faults) == 2


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("odd")
    prepare(folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("what", [what for what in BY_NAME if what not in FAST])
def test_a_command_with_a_store(what, prepared):
    ending = try_out(BY_NAME[what], prepared)
    if ending is None:
        pytest.skip("cannot be tried here")
    assert ending.faults == (), ending
