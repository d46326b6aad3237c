"""Pictures from disk as a camera."""

import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from device.cameras.base import Camera
from device.cameras.registry import open_camera
from smear.errors import CameraError, EndOfFramesError, ImageError
from smear.images import PictureFolder, encode_output, write_image
from smear.synthetic import render


def put_picture(path: Path, value: int) -> None:
    write_image(path, np.full((40, 40, 3), (value, 0, 255 - value), np.uint8))


def test_a_picture_is_one_frame_and_then_the_end(tmp_path: Path) -> None:
    put_picture(tmp_path / "a.png", 200)
    camera = open_camera(f"files:{tmp_path / 'a.png'}", pixel_size_um=0.5)
    frame = camera.read(1)
    assert tuple(frame.image[0, 0]) == (200, 0, 55)
    assert (frame.source, frame.pixel_size_um) == (str(tmp_path / "a.png"), 0.5)
    with pytest.raises(EndOfFramesError, match="at its end after 1 pictures"):
        camera.read(1)


def test_a_folder_plays_in_the_order_the_stage_moved(tmp_path: Path) -> None:
    for number in (10, 2, 1):
        put_picture(tmp_path / f"field_{number}.png", number)
    camera = open_camera(f"files:{tmp_path}")
    assert [int(camera.read(1).image[0, 0, 0]) for _ in range(3)] == [1, 2, 10]


def test_an_unreadable_picture_is_named_and_the_next_read_goes_on(tmp_path: Path) -> None:
    put_picture(tmp_path / "a.png", 1)
    (tmp_path / "b.jpg").write_text("not a picture")
    put_picture(tmp_path / "c.png", 3)
    camera = open_camera(f"files:{tmp_path}")
    camera.read(1)
    with pytest.raises(ImageError, match=r"b\.jpg: not a picture"):
        camera.read(1)
    assert camera.read(1).image[0, 0, 0] == 3


def test_a_loop_goes_round(tmp_path: Path) -> None:
    put_picture(tmp_path / "a.png", 1)
    put_picture(tmp_path / "b.png", 2)
    camera = open_camera(f"files:{tmp_path}?loop=1")
    frames = [camera.read(1) for _ in range(5)]
    assert [int(f.image[0, 0, 0]) for f in frames] == [1, 2, 1, 2, 1]
    assert [f.sequence for f in frames] == [0, 1, 2, 3, 4]
    camera.close()
    camera.close()
    with pytest.raises(EndOfFramesError):
        camera.read(1)


@pytest.mark.parametrize(("options", "reads"), [("", 3), ("?loop=1", 7)])
def test_a_video_plays_in_rgb(tmp_path: Path, options: str, reads: int) -> None:
    path = tmp_path / "slide.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for _ in range(3):
        writer.write(np.full((48, 64, 3), (0, 0, 255), np.uint8))  # red in BGR
    writer.release()
    camera = open_camera(f"files:{path}{options}")
    for _ in range(reads):
        frame = camera.read(1)
    np.testing.assert_allclose(frame.image[24, 32], (255, 0, 0), atol=6)  # JPEG
    if not options:
        with pytest.raises(EndOfFramesError):
            camera.read(1)
    camera.close()


def video_of(path: Path, frames: int = 12) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (240, 200))
    for number in range(frames):
        writer.write(render("Pre", number, (200, 240)).image[..., ::-1])
    writer.release()
    return path


def played(camera: Camera, most: int = 100) -> tuple[int, list[str]]:
    """Read `camera` to its end; return how many frames came, and what was said of the others."""
    frames, said = 0, []
    for _ in range(most):
        try:
            camera.read(1)
        except ImageError as error:
            said.append(str(error))
        except EndOfFramesError:
            return frames, said
        else:
            frames += 1
    pytest.fail("no end")


def test_a_video_that_ends_early_says_so_once(tmp_path: Path) -> None:
    path = video_of(tmp_path / "a.avi")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * 0.6)])
    frames, said = played(open_camera(f"files:{path}?loop=1"))
    assert 0 < frames < 12
    assert "of the 12 frames its header promises; it is cut off or damaged" in said[-1]


def test_a_damaged_frame_of_a_video_is_named_and_the_others_come(tmp_path: Path) -> None:
    path = video_of(tmp_path / "a.avi")
    content = bytearray(path.read_bytes())
    start = content.index(b"00dc", content.index(b"00dc", len(content) // 2) + 4)
    content[start + 1200 : start + 5000] = bytes(3800)
    path.write_bytes(content)
    frames, said = played(open_camera(f"files:{path}"))
    assert frames == 11
    assert len(said) == 1
    assert "a.avi: frame " in said[0]
    assert "is damaged or truncated" in said[0]


def test_a_whole_video_ends_without_a_complaint(tmp_path: Path) -> None:
    assert played(open_camera(f"files:{video_of(tmp_path / 'a.avi')}")) == (12, [])


def test_a_loop_over_a_folder_that_was_removed_says_so_once_and_ends(tmp_path: Path) -> None:
    (tmp_path / "slide").mkdir()
    for number in range(5):
        put_picture(tmp_path / "slide" / f"{number}.png", number)
    camera = open_camera(f"files:{tmp_path / 'slide'}?loop=1")
    camera.read(1)
    shutil.rmtree(tmp_path / "slide")
    assert played(camera) == (0, [f"{tmp_path / 'slide'} is no longer there; put it back and start again"])


def test_a_loop_passes_over_what_it_could_not_read_and_ends_when_nothing_is_left(tmp_path: Path) -> None:
    put_picture(tmp_path / "a.png", 1)
    (tmp_path / "b.jpg").write_text("not a picture")
    camera = open_camera(f"files:{tmp_path}?loop=1")
    faults = 0
    for _ in range(6):
        try:
            camera.read(1)
        except ImageError:
            faults += 1
    assert faults == 1
    (tmp_path / "a.png").write_text("not a picture any more")
    frames, said = played(camera)
    assert (frames, len(said)) == (0, 1)


def test_a_folder_that_cannot_be_opened_is_named_before_the_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_picture(tmp_path / "a.png", 1)
    found = PictureFolder((tmp_path / "a.png",), {}, ("x/sub: this folder cannot be opened",))
    monkeypatch.setattr("device.cameras.files.look_through", lambda folder: found)
    assert played(open_camera(f"files:{tmp_path}")) == (1, ["x/sub: this folder cannot be opened"])


def test_a_name_that_is_no_utf8_is_played_and_can_be_stored(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xfcber.png"))
    put_picture(path, 9)
    frame = open_camera(f"files:{tmp_path}").read(1)
    assert frame.source.encode() == f"{tmp_path}/\\xfcber.png".encode()


def test_masks_and_overlays_of_an_earlier_run_are_not_played(tmp_path: Path) -> None:
    put_picture(tmp_path / "a.png", 1)
    (tmp_path / "a-overlay.png").write_bytes(encode_output(np.zeros((40, 40, 3), np.uint8)))
    assert played(open_camera(f"files:{tmp_path}")) == (1, [])
    assert played(open_camera(f"files:{tmp_path / 'a-overlay.png'}"))[1][0].endswith(
        "of this program, not a photograph"
    )


@pytest.mark.parametrize("typed", [None, 0.5])
def test_the_pixel_size_of_an_ome_tiff_is_used_where_none_was_typed(tmp_path: Path, typed: float | None) -> None:
    ome = '<OME><Image><Pixels PhysicalSizeX="0.25"/></Image></OME>'
    Image.fromarray(render("Pre", 1, (60, 60)).image).save(tmp_path / "a.tif", tiffinfo={270: ome})
    assert open_camera(f"files:{tmp_path / 'a.tif'}", pixel_size_um=typed).read(1).pixel_size_um == (typed or 0.25)


def test_a_picture_without_a_suffix_is_told_by_its_content(tmp_path: Path) -> None:
    put_picture(tmp_path / "a.png", 7)
    (tmp_path / "a.png").rename(tmp_path / "field")
    assert open_camera(f"files:{tmp_path / 'field'}").read(1).image[0, 0, 0] == 7


def test_a_question_mark_in_a_file_name_belongs_to_the_name(tmp_path: Path) -> None:
    put_picture(tmp_path / "what?.png", 9)
    assert open_camera(f"files:{tmp_path / 'what?.png'}").read(1).image[0, 0, 0] == 9


@pytest.mark.parametrize(
    ("target", "message"),
    [("", "no such file"), ("missing", "no such file"), ("empty", "no picture in this folder"), ("a.txt", "neither")],
)
def test_what_cannot_be_played_says_so_when_opened(tmp_path: Path, target: str, message: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.txt").write_text("text")
    with pytest.raises(CameraError, match=message):
        open_camera(f"files:{tmp_path / target}" if target else "files:")


@pytest.mark.parametrize(("size", "scale"), [((64, 48), 0.1), ((1920, 1080), None), (None, 0.1)])
def test_a_pixel_size_for_one_size_is_not_that_of_pictures_of_another(
    tmp_path: Path, size: tuple[int, int] | None, scale: float | None
) -> None:
    write_image(tmp_path / "a.png", np.zeros((48, 64, 3), np.uint8))
    assert open_camera(f"files:{tmp_path}", pixel_size_um=0.1, size=size).read(1).pixel_size_um == scale
