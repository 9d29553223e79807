"""``hierbench export``."""

import pandas as pd
import pytest
from machinery import plan_of, suite_file

from hierbench import read_results
from hierbench.benchmarks.commands.export import write
from hierbench.benchmarks.results import reference
from hierbench.benchmarks.store.store import Store
from hierbench.errors import UserError


@pytest.fixture
def results(tmp_path):
    path = suite_file(tmp_path, {"Mean": ""})
    with Store.writable(tmp_path) as store:
        for unit in plan_of(path).curves:
            store.commit(unit, unit.without_numbers("ok", ""))
    return tmp_path, path


def test_a_file_has_what_the_store_has(results, capsys):
    folder, path = results
    for suite, name in ((None, "all.parquet"), (path, "of_suite.parquet")):
        write(suite, folder, folder / "new" / name)
        expected = read_results(folder, suite=suite)
        pd.testing.assert_frame_equal(pd.read_parquet(folder / "new" / name), expected)
        assert f"{len(expected)} rows" in capsys.readouterr().out
    write(None, folder, folder / "all.csv")
    assert len(pd.read_csv(folder / "all.csv")) == len(read_results(folder))
    with pytest.raises(UserError, match=r"units of suite .* are missing or failed"):
        write(path, folder, folder / "stub.json.gz")  # the certificates of its targets are
    write(path, folder, folder / "stub.json.gz", partial=True)
    part = reference.unpacked((folder / "stub.json.gz").read_bytes())
    assert part.rows and sum(part.missing.values()) > 0


def test_bad_calls_are_one_line(results):
    folder, _ = results
    with pytest.raises(UserError, match=r"--output = 'rows\.xls': allowed are names that end in"):
        write(None, folder, folder / "rows.xls")
    with pytest.raises(UserError, match="needs a suite"):
        write(None, folder, folder / "rows.json.gz")
    with pytest.raises(UserError, match="no rows of suite smoke"):
        write("smoke", folder, folder / "rows.csv")
    with pytest.raises(UserError, match="cannot be written"):
        write(None, folder, folder / "stub.toml" / "rows.csv")
    with pytest.raises(UserError, match="no results in"):
        write(None, folder / "nowhere", folder / "rows.csv")
