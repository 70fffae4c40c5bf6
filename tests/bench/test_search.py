"""The benchmark of search has a row for each k."""

from recallkit.bench.search import bench_search, search_table


def test_search_has_a_row_for_each_k():
    case = {"size": 500, "dim": 8, "k": 5}
    row = {**case, **bench_search(**case, queries=20, repeats=1)}
    assert "500 × 8, k = 5" in search_table([row])
