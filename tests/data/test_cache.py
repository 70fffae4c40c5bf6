"""Arrays in the cache: the wanted one, or none."""

import numpy as np
import pytest

from recallkit.data.cache import checksum, read_cached, write_cached

ARRAY = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


def test_what_is_kept_is_read(tmp_path):
    write_cached(tmp_path / "new" / "a.npy", ARRAY)
    for shape in ((2, 3, 4), (2, None, 4), (None, None, None)):
        read = read_cached(tmp_path / "new" / "a.npy", shape, np.float32, checksum(ARRAY))
        assert np.array_equal(read, ARRAY)


@pytest.mark.parametrize(
    "change", [{"shape": (2, 3)}, {"shape": (3, 3, 4)}, {"dtype": np.float64}, {"crc32": 1}]
)
def test_another_array_is_none(tmp_path, change):
    write_cached(tmp_path / "a.npy", ARRAY)
    wanted = {"shape": (2, 3, 4), "dtype": np.float32, "crc32": checksum(ARRAY)}
    assert read_cached(tmp_path / "a.npy", **wanted) is not None
    assert read_cached(tmp_path / "a.npy", **wanted | change) is None
    assert read_cached(tmp_path / "gone.npy", **wanted) is None


def test_writing_to_it_does_not_change_the_file(tmp_path):
    write_cached(tmp_path / "a.npy", ARRAY)
    wanted = ((2, 3, 4), np.float32, checksum(ARRAY))
    read_cached(tmp_path / "a.npy", *wanted)[:] = 0
    assert np.array_equal(read_cached(tmp_path / "a.npy", *wanted), ARRAY)


def test_without_a_cache_all_goes_on(tmp_path):
    (tmp_path / "file").write_text("in the way")
    write_cached(tmp_path / "file" / "a.npy", ARRAY)
    assert (tmp_path / "file").read_text() == "in the way"


def test_the_checksum_is_that_of_the_values_in_order():
    assert checksum(ARRAY) == checksum(np.asfortranarray(ARRAY))
    assert checksum(ARRAY) != checksum(ARRAY.transpose(2, 1, 0))


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '|u1', 'fortran_order': False, 'shape': (1000000000000, 4)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (4611686018427387904, 8)}",
        "{'descr': '|u1', 'fortran_order': False, 'shape': (-1, 4)}",
        "{'descr': '|O', 'fortran_order': False, 'shape': (2, 4)}",
        "{'descr': 5}",
        "[[[[[",
        "",
    ],
)
def test_a_header_of_any_kind_is_none(tmp_path, header):
    length = len(header).to_bytes(2, "little")
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY\1\0" + length + header.encode() + b"x" * 8)
    assert read_cached(tmp_path / "a.npy", (None, 4), np.uint8, 0) is None
