"""Pictures from disk as a camera."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from device.cameras.registry import open_camera
from smear.errors import CameraError, EndOfFramesError, ImageError
from smear.images import write_image


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
