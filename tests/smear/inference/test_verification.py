"""What a model's shapes may be: a segmenter may answer on a grid that is coarser by a whole factor."""

import pytest

from smear.errors import BundleError
from smear.inference.verification import answer_stride


@pytest.mark.parametrize(("edge", "stride"), [(224, 1), (112, 2), (56, 4)])
def test_the_stride_is_read_from_the_shapes(edge: int, stride: int) -> None:
    assert answer_stride((1, 224, 224, 3), (1, edge, edge, 3)) == stride


@pytest.mark.parametrize("given", [(1, 100, 100, 3), (1, 112, 224, 3), (1, 448, 448, 3), (1, 112, 112, 4), (1, 3)])
def test_a_map_that_is_not_smaller_by_a_whole_factor_is_refused_with_both_shapes(given: tuple[int, ...]) -> None:
    with pytest.raises(BundleError) as refused:
        answer_stride((1, 224, 224, 3), given)
    assert str((1, 224, 224, 3)) in str(refused.value)
    assert str(given) in str(refused.value)
