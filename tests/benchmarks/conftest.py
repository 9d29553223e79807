"""Units are computed in the process of the test, unless it is about workers."""

import machinery
import pytest

from hierbench.benchmarks.run import local_pool


@pytest.fixture(scope="module", autouse=True)
def units_are_computed_here(request):
    """A module with ``WORKERS = True`` starts them: 3 s a run, of which its units take a tenth."""
    with pytest.MonkeyPatch.context() as patch:
        if not getattr(request.module, "WORKERS", False):
            patch.setattr(local_pool, "opened", machinery.here)
        yield
