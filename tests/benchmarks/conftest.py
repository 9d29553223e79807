"""Units are computed, and figures drawn, in the process of the test, unless it is about workers."""

import machinery
import pytest

from hierbench import plots
from hierbench.benchmarks import cli
from hierbench.benchmarks.run import local_pool


@pytest.fixture(scope="module", autouse=True)
def units_are_computed_here(request):
    """A module with ``WORKERS = True`` starts them: 3 s a run, of which its units take a tenth."""
    with pytest.MonkeyPatch.context() as patch:
        if not getattr(request.module, "WORKERS", False):
            patch.setattr(local_pool, "opened", machinery.here)
            patch.setattr(plots, "spread", machinery.one_by_one)
        yield


@pytest.fixture
def status(capsys, monkeypatch):
    """Run the command line in this process: (exit status, stdout, stderr)."""
    monkeypatch.syspath_prepend(machinery.ROOT / "tests" / "helpers")  # stub learners

    def call(*arguments):
        with pytest.raises(SystemExit) as end:
            cli.main([str(a) for a in arguments])
        captured = capsys.readouterr()
        return end.value.code, captured.out, captured.err

    return call


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A suite of stub learners and the folder with its rows."""
    folder = tmp_path_factory.mktemp("finished")
    path = machinery.suite_file(folder, {"Mean": "", "FastMean": ""})
    assert not machinery.run(path, folder).failed
    return path, folder
