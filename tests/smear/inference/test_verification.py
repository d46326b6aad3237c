"""What a model's shapes may be, and what a golden file must hold to prove anything."""

import io
import shutil
from pathlib import Path

import numpy as np
import pytest

from smear.bundle.files import sha256_of
from smear.bundle.folder import write_manifest
from smear.bundle.manifest import read_manifest
from smear.errors import BundleError
from smear.inference.verification import answer_stride, verify


@pytest.mark.parametrize(("edge", "stride"), [(224, 1), (112, 2), (56, 4)])
def test_the_stride_is_read_from_the_shapes(edge: int, stride: int) -> None:
    assert answer_stride((1, 224, 224, 3), (1, edge, edge, 3)) == stride


@pytest.mark.parametrize("given", [(1, 100, 100, 3), (1, 112, 224, 3), (1, 448, 448, 3), (1, 112, 112, 4), (1, 3)])
def test_a_map_that_is_not_smaller_by_a_whole_factor_is_refused_with_both_shapes(given: tuple[int, ...]) -> None:
    with pytest.raises(BundleError) as refused:
        answer_stride((1, 224, 224, 3), given)
    assert str((1, 224, 224, 3)) in str(refused.value)
    assert str(given) in str(refused.value)


@pytest.fixture
def bundle(tiny_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_bundle, tmp_path / "bundle"))


def change_golden(bundle: Path, **changes: object) -> None:
    """Replace arrays of the golden file, and make every checksum true again."""
    with np.load(bundle / "golden.npz") as old:
        arrays = {name: old[name] for name in old.files} | {name.replace("_", "."): v for name, v in changes.items()}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    (bundle / "golden.npz").write_bytes(buffer.getvalue())
    manifest = read_manifest(bundle)
    files = manifest.files | {"golden.npz": sha256_of(bundle / "golden.npz")}
    write_manifest(bundle, manifest.model_copy(update={"files": files}))


@pytest.mark.parametrize("tolerance", [np.nan, np.inf, -1.0, 1e9, [1.0, 2.0]])
def test_a_tolerance_that_would_prove_nothing_is_refused(bundle: Path, tolerance: object) -> None:
    change_golden(bundle, tolerance_segmenter_float32=np.array(tolerance))
    with pytest.raises(BundleError, match=r"finite numbers|would prove nothing"):
        verify(bundle)


@pytest.mark.parametrize(
    "pictures",
    [
        np.zeros((0, 224, 224, 3), np.uint8),
        np.zeros((2, 32, 32, 3), np.uint8),
        np.zeros((1, 224, 224, 3), np.float32),
        np.zeros((65, 224, 224, 3), np.uint8),
    ],
)
def test_golden_pictures_are_those_that_the_model_takes(bundle: Path, pictures: np.ndarray) -> None:
    change_golden(bundle, images=pictures)
    with pytest.raises(BundleError, match=r"golden\.npz holds images of"):
        verify(bundle)


def test_golden_outputs_of_another_shape_are_refused(bundle: Path) -> None:
    change_golden(bundle, segmenter_float32=np.zeros((2, 0, 28, 3), np.float16))
    with pytest.raises(BundleError, match=r"golden\.npz holds segmenter\.float32 of shape"):
        verify(bundle)
