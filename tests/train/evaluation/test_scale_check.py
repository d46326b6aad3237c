"""A wrong scale is counted as noticed, through the command, on drawn pictures whose scale is known."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from smear.bundle.folder import load_bundle
from smear.errors import DatasetError
from smear.images import write_image
from smear.inference.frame_processor import FrameProcessor
from smear.inference.pipeline import Pipeline
from smear.synthetic import red_cells_only, render
from train.cli import command
from train.evaluation.scale_check import check_scale


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fields of one class, with red cells around."""
    kept = tmp_path_factory.mktemp("fields") / "Pro"
    kept.mkdir()
    for seed in range(4):
        write_image(kept / f"{seed}.png", render("Pro", seed).image)
    return kept


def test_a_wrong_scale_is_refused_and_the_right_one_is_not(tiny_bundle: Path, folder: Path) -> None:
    processor = FrameProcessor(Pipeline(load_bundle(tiny_bundle), "float32"))
    pictures = sorted(folder.iterdir())
    right, wrong = (check_scale(processor, pictures, 0.5, times) for times in (1.0, 2.0))
    processor.close()
    assert (right.pictures, right.sure, right.near, right.scale_refused) == (4, 4, 4, 0)
    assert right.white_cells >= 4
    assert right.right_or_scale_refused == right.labelled_right
    assert (wrong.sure, wrong.near, wrong.scale_refused, wrong.right_or_scale_refused) == (4, 4, 4, 4)


def test_the_command_prints_a_line_for_each_claim(tiny_bundle: Path, folder: Path, tmp_path: Path) -> None:
    write_image(tmp_path / "red.png", red_cells_only(1).image)
    options = [
        "--bundle",
        str(tiny_bundle),
        "--level",
        "float32",
        "--pixel-size-um",
        "0.5",
        "--unknown",
        "--every",
        "2",
    ]
    result = CliRunner().invoke(command, ["scale", str(folder), str(tmp_path), *options], catch_exceptions=False)
    lines = result.output.splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| 0.7 times", "| right", "| 1.4 times", "| unknown"]
    assert all(line.count("|") == 11 for line in lines)
    assert all(line.split(" | ")[1] == "3" for line in lines[2:])


def test_a_folder_without_pictures_is_named(tiny_bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no picture below"):
        CliRunner().invoke(
            command, ["scale", str(tmp_path), "--bundle", str(tiny_bundle), "--pixel-size-um", "0.5"],
            catch_exceptions=False,
        )  # fmt: skip
