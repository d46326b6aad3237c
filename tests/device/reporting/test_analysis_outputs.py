"""The names of outputs: one each, whatever the pictures are called."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from device.reporting.analysis_outputs import output_names

PARTS = st.sampled_from(["a", "A", "a-1", "b", "..", ".", "x"])
PATHS = st.builds(
    lambda folders, stem, suffix: Path(*folders, stem + suffix),
    st.lists(PARTS, max_size=3),
    st.sampled_from(["a", "A", "a-1", "a-2", "b"]),
    st.sampled_from([".png", ".jpg"]),
)


@given(st.lists(PATHS, max_size=12))
def test_each_picture_has_an_output_of_its_own_inside_the_folder(pictures: list[Path]) -> None:
    names = output_names(pictures)
    assert len(names) == len(pictures)
    assert len({str(name).casefold() for name in names}) == len(names)
    for name in names:
        assert not name.is_absolute()
        assert ".." not in name.parts


def test_a_stem_that_occurs_once_is_the_name() -> None:
    assert output_names([Path("deep/a.jpg"), Path("b.tif")]) == [Path("a.png"), Path("b.png")]


def test_pictures_of_one_stem_lie_below_the_names_of_their_folders() -> None:
    pictures = [Path("one/a.png"), Path("two/a.png"), Path("deep/one/a.png"), Path("one/a-1.png")]
    assert [str(name) for name in output_names(pictures)] == ["one/a.png", "two/a.png", "one/a-1.png", "a-1.png"]
