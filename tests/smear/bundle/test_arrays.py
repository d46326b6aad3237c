"""Arrays of an .npz file from elsewhere: numbers alone, finite, and no larger than agreed."""

import io
import zipfile

import numpy as np
import pytest

from smear.bundle.arrays import read_arrays
from smear.errors import BundleError


def packed(**arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def member(content: bytes, **options: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **options) as archive:  # type: ignore[arg-type]
        archive.writestr("a.npy", content)
    return buffer.getvalue()


def npy(header: str) -> bytes:
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode()


def test_what_numpy_writes_is_read_back() -> None:
    wanted = {"a": np.arange(6, dtype=np.uint8).reshape(2, 3), "b.c": np.array(0.5), "d": np.zeros((0, 4), np.float16)}
    wanted["columns first"] = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    found = read_arrays(packed(**wanted), "golden.npz")
    assert found.keys() == wanted.keys()
    assert all(
        np.array_equal(found[name], values) and found[name].dtype == values.dtype for name, values in wanted.items()
    )


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_no_finite_number_is_refused(value: float) -> None:
    with pytest.raises(BundleError, match=r"golden\.npz .*finite"):
        read_arrays(packed(a=np.array([0.0, value])), "golden.npz")


def test_a_small_file_that_unpacks_to_much_is_refused_before_it_is_unpacked() -> None:
    bomb = packed(a=np.zeros(100_000_000, np.uint8))
    assert len(bomb) < 200_000
    with pytest.raises(BundleError, match="unpacks to more than 64 MB"):
        read_arrays(bomb, "golden.npz")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK",
        b"text",
        packed(a=np.array([None])),  # objects
        packed(a=np.array(["text"])),
        member(npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }")),  # claims 8 TB
        member(npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }")),
        member(npy("{'descr': ")),
        member(npy("(" * 5000)),
        member(b"\x93NUMPY\x09\x00"),
        member(npy("{'descr': '|u1', 'fortran_order': False, 'shape': (), }") + b"1", compression=zipfile.ZIP_BZIP2),
    ],
)
def test_what_is_no_file_of_arrays_is_one_line(content: bytes) -> None:
    with pytest.raises(BundleError, match=r"golden\.npz") as refused:
        read_arrays(content, "golden.npz")
    assert "\n" not in str(refused.value)
