"""`smearscope analyze` as it is called from outside: one result a picture, and one clear line for what is bad."""

import hashlib
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from device.cli import cli
from smear import RESEARCH_USE_ONLY
from smear.classes import LABELS
from smear.images import read_image, write_image
from smear.synthetic import render

KEYS = [
    "image", "label", "top", "refusals", "probabilities", "cells", "quality", "scale", "timing_ms", "bundle_sha256",
    "level", "runtime", "site", "notice",
]  # fmt: skip
Analyze = Callable[..., Result]


@pytest.fixture
def analyze(tiny_bundle: Path, tmp_path: Path) -> Analyze:
    """Run the command with the tiny bundle and its own data folder."""

    def run(*arguments: object, bundle: Path = tiny_bundle) -> Result:
        common = ["--bundle", str(bundle), "--level", "float32", "--data", str(tmp_path / "store")]
        return CliRunner().invoke(cli, ["analyze", *common, *map(str, arguments)])

    return run


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of one drawn field of each class."""
    folder = tmp_path_factory.mktemp("pictures")
    for label in LABELS:
        write_image(folder / f"{label}.png", render(label, 50).image)
    return folder


def lines(result: Result) -> list[dict]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def ours(stderr: str) -> list[str]:
    """Return the lines of `stderr` but for the one that the inference runtime writes, once in a process."""
    return [line for line in stderr.splitlines() if line != "INFO: Created TensorFlow Lite XNNPACK delegate for CPU."]


def is_one_line_of_ours(text: str) -> bool:
    return text.startswith("smearscope: ") and text.count("\n") == 1 and "Traceback" not in text


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def bad_picture(folder: Path, kind: str) -> Path:
    """Write one picture that cannot be examined."""
    good = render("Pre", 50).image
    if kind == "text":
        path = folder / "text.jpg"
        path.write_text("not a picture at all\n")
    elif kind == "truncated":
        path = folder / "truncated.jpg"
        write_image(path, good)
        path.write_bytes(path.read_bytes()[:3000])
    elif kind == "empty":
        path = folder / "empty.jpg"
        path.touch()
    elif kind == "1x1":
        path = folder / "dot.png"
        write_image(path, good[:1, :1])
    elif kind == "huge":
        path = folder / "huge.png"
        header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(999))))
    elif kind == "header":
        path = folder / "header.png"
        header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header))
    elif kind == "grey":
        path = folder / "grey.png"
        write_image(path, good[..., 0])
    elif kind == "rgba":
        path = folder / "rgba.png"
        Image.fromarray(np.dstack([good, np.full(good.shape[:2], 9, np.uint8)])).save(path)
    elif kind == "grey of 16 bits":
        path = folder / "deep.png"
        cv2.imwrite(str(path), good[..., 0].astype(np.uint16) * 257)
    else:
        path = folder / f"{'missing' * (60 if kind == 'too long' else 1)}.png"
    return path


BAD = {
    "text": "not a picture in a known format; give JPEG",
    "truncated": "damaged or truncated",
    "empty": "an empty file; copy",
    "1x1": "1x1 is too small",
    "huge": "larger than 50,000,000 pixels",
    "header": "not a picture that can be read",
    "grey": "grey, not colour RGB; save it as 8-bit RGB",
    "rgba": "RGB with an alpha channel that is transparent in places",
    "grey of 16 bits": "more than 8 bits a channel",
    "missing": "no such file; check the path",
    "too long": "cannot be opened (File name too long)",
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_picture_is_one_clear_line_a_json_line_and_a_failure(analyze: Analyze, tmp_path: Path, kind: str) -> None:
    path = bad_picture(tmp_path, kind)
    result = analyze("--json", path)
    assert result.exit_code == 1
    said, counted = result.stderr.splitlines()
    assert is_one_line_of_ours(f"{said}\n")
    assert str(path) in said
    assert BAD[kind] in said
    assert counted == "smearscope: 1 of 1 pictures could not be examined; see the lines above"
    (line,) = lines(result)
    assert list(line) == [*KEYS[:-1], "error", "notice"]
    assert line["label"] is line["top"] is None
    assert line["refusals"] == [{"code": "unreadable", "advice": line["error"]}]
    assert line["cells"] == []


def test_a_pixel_size_that_makes_a_picture_too_large_is_one_line_and_the_others_are_still_done(
    analyze: Analyze, pictures: Path, tmp_path: Path
) -> None:
    large, small = tmp_path / "camera.png", pictures / f"{LABELS[0]}.png"
    write_image(large, np.full((960, 1280, 3), 230, np.uint8))
    result = analyze("--json", large, small, "--pixel-size-um", 1.6)  # 4096 x 3072 at the models' scale
    assert result.exit_code == 1
    said, _ = result.stderr.splitlines()
    assert is_one_line_of_ours(f"{said}\n")
    assert f"{large}: a pixel size of 1.6 µm makes 1280x960 pixels 2 x 1.5 mm" in said
    assert ["error" in line for line in lines(result)] == [True, False]


def test_in_a_folder_run_the_others_are_still_done_and_the_failures_counted(
    analyze: Analyze, pictures: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(pictures, tmp_path / "mixed"))
    bad = {str(bad_picture(folder, kind)) for kind in BAD if kind not in {"missing", "too long"}}
    result = analyze("--json", folder, "--masks", tmp_path / "masks")
    assert result.exit_code == 1
    found = lines(result)
    assert [line["image"] for line in found] == sorted(line["image"] for line in found)
    assert {line["image"] for line in found if "error" in line} == bad
    assert {Path(line["image"]).stem for line in found if "error" not in line} == set(LABELS)
    *each, counted = result.stderr.splitlines()
    assert len(each) == len(bad)
    assert counted == f"smearscope: {len(bad)} of {len(bad) + 4} pictures could not be examined; see the lines above"
    assert {path.stem for path in (tmp_path / "masks").iterdir()} == set(LABELS)


def test_a_line_a_picture_with_exactly_the_promised_keys(analyze: Analyze, pictures: Path) -> None:
    result = analyze("--json", pictures)
    assert result.exit_code == 0
    assert result.stderr == ""
    found = lines(result)
    assert len(found) == len(LABELS)
    for line in found:
        assert list(line) == KEYS
        assert line["top"] in LABELS
        assert line["label"] in {None, line["top"]}
        assert list(line["probabilities"]) == list(LABELS)
        assert sum(line["probabilities"].values()) == pytest.approx(1, abs=1e-4)
        assert all(set(cell) == {"area_px", "nc_ratio", "bbox"} for cell in line["cells"])
        assert len(line["bundle_sha256"]) == 64
        assert (line["level"], line["runtime"]) == ("float32", "ai-edge-litert")
        assert line["timing_ms"]["total"] > 0
        assert {"focus", "clipped", "brightness", "cell_share"} <= set(line["quality"])


def test_with_a_pixel_size_areas_are_in_square_micrometres(analyze: Analyze, tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", render("Pre", 3, (400, 500), 0.25).image)
    (line,) = lines(analyze("--json", "--pixel-size-um", 0.25, tmp_path / "a.png"))
    assert line["cells"]
    for cell in line["cells"]:
        assert set(cell) == {"area_um2", "nc_ratio", "bbox"}
        assert 10 < cell["area_um2"] < 1000


def test_a_refused_field_has_no_label_but_its_best_class(analyze: Analyze, tmp_path: Path) -> None:
    image = cv2.GaussianBlur(render("Pre", 51, cells=14).image, (0, 0), 4)
    write_image(tmp_path / "blurred.png", image)
    result = analyze("--json", tmp_path / "blurred.png")
    (line,) = lines(result)
    assert result.exit_code == 0  # refused is a result, not a fault
    assert line["label"] is None
    assert line["top"] in LABELS
    assert "out_of_focus" in [refusal["code"] for refusal in line["refusals"]]


@pytest.mark.parametrize(
    ("height", "width", "drawn_um", "options"),
    [
        (224, 224, 0.5, ()),
        (480, 640, 0.175, ()),
        (1200, 1600, 0.25, ("--pixel-size-um", "0.25")),
        (80, 100, 0.5, ("--pixel-size-um", "0.5")),
    ],
)
def test_a_mask_has_the_size_of_its_picture_and_three_values_alone(
    analyze: Analyze, tmp_path: Path, height: int, width: int, drawn_um: float, options: Sequence[str]
) -> None:
    write_image(tmp_path / "a field.jpg", render("Pre", 3, (height, width), drawn_um).image)
    result = analyze("--json", *options, "--masks", tmp_path / "new" / "masks", tmp_path / "a field.jpg")
    assert result.exit_code == 0, result.stderr
    with Image.open(tmp_path / "new" / "masks" / "a field.png") as mask:
        assert mask.mode == "L"
        assert mask.size == (width, height)
        values = set(np.unique(np.array(mask)).tolist())
    assert 255 in values
    assert values <= {0, 128, 255}
    for cell in lines(result)[0]["cells"]:
        x, y, box_width, box_height = cell["bbox"]
        assert min(x, y) >= 0
        assert x + box_width <= width
        assert y + box_height <= height


def test_pictures_of_one_stem_do_not_overwrite_each_others_masks(analyze: Analyze, tmp_path: Path) -> None:
    shapes = {"one/a.png": (224, 224), "two/a.png": (180, 224), "deep/one/a.png": (200, 224), "one/a.jpg": (190, 224)}
    for name, shape in shapes.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        write_image(tmp_path / name, render("Pre", 3, shape).image)
    write_image(tmp_path / "one" / "b.png", render("Pre", 4).image)
    inputs = [tmp_path / name for name in (*shapes, "one/b.png")]
    assert analyze("--masks", tmp_path / "masks", *inputs).exit_code == 0
    written = [cv2.imread(str(path), -1).shape for path in (tmp_path / "masks").rglob("*.png")]
    assert sorted(written) == sorted([*shapes.values(), (224, 224)])
    assert (tmp_path / "masks" / "b.png").is_file()


def test_overlays_are_the_picture_with_outlines(analyze: Analyze, pictures: Path, tmp_path: Path) -> None:
    assert analyze("--overlays", tmp_path / "overlays", pictures / "Pre.png").exit_code == 0
    drawn, original = read_image(tmp_path / "overlays" / "Pre.png"), read_image(pictures / "Pre.png")
    assert drawn.shape == original.shape
    changed = (drawn != original).any(axis=-1).mean()
    assert 0.005 < changed < 0.5


def sums(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


@pytest.mark.parametrize("option", ["--masks", "--overlays"])
def test_no_output_replaces_a_photograph(analyze: Analyze, pictures: Path, tmp_path: Path, option: str) -> None:
    folder = Path(shutil.copytree(pictures, tmp_path / "mine"))
    before = sums(folder)
    result = analyze(folder, option, folder)
    assert result.exit_code == 1
    assert result.stdout == ""  # refused before any work
    assert is_one_line_of_ours(result.stderr)
    assert "Benign.png was not written by smearscope and is not replaced; choose another folder" in result.stderr
    assert sums(folder) == before


def test_masks_and_overlays_in_one_folder_have_names_of_their_own(
    analyze: Analyze, pictures: Path, tmp_path: Path
) -> None:
    result = analyze(pictures / "Pre.png", "--masks", tmp_path / "out", "--overlays", tmp_path / "x" / ".." / "out")
    assert result.exit_code == 0, result.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["Pre-overlay.png", "Pre.png"]


def test_outputs_of_an_earlier_run_are_replaced_and_not_examined(
    analyze: Analyze, pictures: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    write_image(folder / "a.jpg", read_image(pictures / "Pre.png"))
    for _ in range(2):
        result = analyze("--json", folder, "--masks", folder, "--overlays", folder)
        assert result.exit_code == 0, result.stderr
        assert [Path(line["image"]).name for line in lines(result)] == ["a.jpg"]
    assert result.stderr == "smearscope: files passed over: 2 masks and overlays of this program\n"
    assert sorted(path.name for path in folder.iterdir()) == ["a-overlay.png", "a.jpg", "a.png"]


def test_outputs_stay_in_their_folder_whatever_the_paths_of_the_pictures(
    analyze: Analyze, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work" / "a").mkdir(parents=True)
    for name in ("x.png", "work/a/x.png"):
        shutil.copy(pictures / "Pre.png", tmp_path / name)
    monkeypatch.chdir(tmp_path / "work")
    result = analyze("a/x.png", "../x.png", "--masks", "out")
    assert result.exit_code == 0, result.stderr
    written = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.png")}
    assert written == {"work/a/x.png", f"work/out/{tmp_path.name}/x.png", "work/out/a/x.png", "x.png"}


def test_outputs_say_research_use_only(analyze: Analyze, pictures: Path, tmp_path: Path) -> None:
    assert analyze("--masks", tmp_path / "m", "--overlays", tmp_path / "o", pictures / "Pre.png").exit_code == 0
    for folder in ("m", "o"):
        with Image.open(tmp_path / folder / "Pre.png") as picture:
            assert picture.text["Software"] == "Smearscope; research use only"


def test_masks_lie_on_the_picture_as_viewers_show_it(analyze: Analyze, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    Image.fromarray(render("Pre", 3, (200, 240)).image).save(tmp_path / "a.jpg", exif=exif)
    assert analyze("--masks", tmp_path / "m", tmp_path / "a.jpg").exit_code == 0
    with Image.open(tmp_path / "m" / "a.png") as mask:
        assert mask.size == (200, 240)
    assert "EXIF" in CliRunner().invoke(cli, ["analyze", "--help"]).stdout


def test_what_was_converted_is_said_once_and_in_each_json_line(
    analyze: Analyze, pictures: Path, tmp_path: Path
) -> None:
    for name in ("a.png", "b.png"):
        Image.fromarray(read_image(pictures / "Pre.png")).convert("RGBA").save(tmp_path / name)
    result = analyze("--json", tmp_path / "a.png", tmp_path / "b.png", pictures / "Pre.png")
    assert result.stderr == "smearscope: 2 pictures: opaque alpha channel left out\n"
    assert [line.get("notes") for line in lines(result)] == [["opaque alpha channel left out"]] * 2 + [None]


def test_files_passed_over_in_a_folder_are_counted_by_kind(analyze: Analyze, pictures: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(pictures, tmp_path / "mixed"))
    for name in ("a.heic", "b.heic", "notes.txt", "._Pre.png", ".trash"):
        (folder / name).write_text("x")
    result = analyze(folder)
    assert result.exit_code == 0
    assert result.stderr == "smearscope: files passed over: 2 .heic, 1 .txt\n"


def test_a_folder_that_cannot_be_opened_is_named_and_a_failure(
    analyze: Analyze, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(pictures, tmp_path / "mixed" / "sub")
    shutil.copy(pictures / "Pre.png", tmp_path / "mixed")
    scandir = os.scandir

    def refuse(path: Path) -> object:
        if path.name == "sub":
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)  # the tests may run as root, whom nothing is refused
    result = analyze(tmp_path / "mixed")
    assert result.exit_code == 1
    said, counted = result.stderr.splitlines()
    assert said.startswith(f"smearscope: {tmp_path}/mixed/sub: this folder cannot be opened (Permission denied)")
    assert counted == "smearscope: 1 folders could not be opened; see the lines above"


def test_a_picture_whose_name_is_no_utf8_is_examined_and_its_json_is_sound(
    analyze: Analyze, pictures: Path, tmp_path: Path
) -> None:
    path = os.fsencode(tmp_path) + b"/\xfcber.png"
    shutil.copy(pictures / "Pre.png", path)
    result = analyze("--json", os.fsdecode(path), "--masks", tmp_path / "m")
    assert result.exit_code == 0
    (line,) = lines(result)
    assert line["image"] == f"{tmp_path}/\\xfcber.png"
    assert os.listdir(os.fsencode(tmp_path / "m")) == [b"\xfcber.png"]  # noqa: PTH208 - as bytes


@pytest.mark.parametrize("option", ["--masks", "--overlays"])
def test_a_stream_of_masks_is_a_usage_error(analyze: Analyze, pictures: Path, option: str) -> None:
    result = analyze(pictures, option, "-")
    assert result.exit_code == 2
    assert "takes a folder: several PNG files cannot be one stream" in result.stderr


def test_the_pixel_size_of_an_ome_tiff_makes_areas_physical(analyze: Analyze, tmp_path: Path) -> None:
    ome = '<OME><Image><Pixels PhysicalSizeX="0.25"/></Image></OME>'
    Image.fromarray(render("Pre", 3, (400, 500), 0.25).image).save(tmp_path / "a.tif", tiffinfo={270: ome})
    (line,) = lines(analyze("--json", tmp_path / "a.tif"))
    assert all("area_um2" in cell for cell in line["cells"])


def test_without_json_people_get_a_sentence(analyze: Analyze, pictures: Path) -> None:
    result = analyze(pictures / "Pre.png")
    assert result.exit_code == 0
    sentence, notice = result.stdout.splitlines()
    assert " cells  " in sentence
    assert notice == RESEARCH_USE_ONLY


def test_a_missing_bundle_is_one_line(analyze: Analyze, pictures: Path, tmp_path: Path) -> None:
    result = analyze("--json", pictures, bundle=tmp_path / "nothing")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert is_one_line_of_ours(result.stderr)
    assert "make one with 'smearscope convert'" in result.stderr


@pytest.mark.parametrize(
    "name", ["segmenter.float32.tflite", "classifier.float32.tflite", "golden.npz", "manifest.json"]
)
def test_a_bundle_with_one_flipped_byte_is_one_line_with_the_files_name(
    analyze: Analyze, tiny_bundle: Path, pictures: Path, tmp_path: Path, name: str
) -> None:
    bundle = Path(shutil.copytree(tiny_bundle, tmp_path / "bundle"))
    content = bytearray((bundle / name).read_bytes())
    content[len(content) // 2] ^= 0xFF
    (bundle / name).write_bytes(content)
    result = analyze("--json", pictures, bundle=bundle)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert is_one_line_of_ours(result.stderr)
    assert name in result.stderr


def test_a_level_or_runtime_that_is_not_there_is_one_line(analyze: Analyze, tiny_bundle: Path, pictures: Path) -> None:
    for options in (["--level", "int8"], ["--runtime", "torch"]):
        result = analyze(*options, pictures / "Pre.png")
        assert result.exit_code == 1
        assert is_one_line_of_ours(result.stderr)
        assert re.search("(choose|write) one of", result.stderr)


def test_the_empty_path_of_an_unset_variable_is_not_the_working_directory(analyze: Analyze) -> None:
    result = analyze("")
    assert result.exit_code == 1
    assert result.stderr == "smearscope: an empty path; give a file or a folder\n"


def test_an_empty_folder_is_one_line(analyze: Analyze, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = analyze(tmp_path / "empty")
    assert result.exit_code == 1
    assert is_one_line_of_ours(result.stderr)
    assert "no picture in this folder" in result.stderr


def test_where_masks_cannot_be_written_it_is_one_line(analyze: Analyze, pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = analyze("--masks", tmp_path / "file" / "masks", pictures / "Pre.png")
    assert result.exit_code == 1
    assert is_one_line_of_ours(result.stderr)
    assert "choose another folder" in result.stderr


@pytest.mark.parametrize("arguments", [[], ["--pixel-size-um", "0", "x.png"], ["--level", "float8", "x.png"]])
def test_a_call_that_makes_no_sense_is_a_usage_error(arguments: list[str]) -> None:
    result = CliRunner().invoke(cli, ["analyze", *arguments])
    assert result.exit_code == 2
    assert "Usage: " in result.stderr


@pytest.mark.parametrize("camera", ["v4l2:/dev/video987", "files:/nowhere/at/all", "picamera2:7", "toaster:"])
def test_a_camera_that_is_not_there_is_one_line(
    tiny_bundle: Path, tmp_path: Path, camera: str, capfd: pytest.CaptureFixture[str]
) -> None:
    options = ["--bundle", str(tiny_bundle), "--level", "float32", "--data", str(tmp_path / "store")]
    result = CliRunner().invoke(cli, ["capture", *options, "--camera", camera])
    assert result.exit_code == 1
    assert is_one_line_of_ours(result.stderr)
    assert ours(capfd.readouterr().err) == []  # OpenCV and libcamera write past Python


def test_as_a_process_it_streams_lines_and_shows_no_traceback(
    tiny_bundle: Path, pictures: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(pictures, tmp_path / "mixed"))
    bad_picture(folder, "truncated")
    command = [sys.executable, "-m", "device", "analyze", "--json", "--bundle", str(tiny_bundle), "--level", "float32"]
    done = subprocess.run(
        [*command, "--data", str(tmp_path / "store"), str(folder)],
        capture_output=True, text=True, check=False, cwd=Path(__file__).parents[3],
        env={**os.environ, "PYTHONWARNINGS": "error::ResourceWarning"},
    )  # fmt: skip
    assert done.returncode == 1
    assert [Path(json.loads(line)["image"]).name for line in done.stdout.splitlines()] == [
        *(f"{label}.png" for label in LABELS),
        "truncated.jpg",
    ]
    assert all(line.startswith("smearscope: ") for line in ours(done.stderr)), done.stderr
    assert len(ours(done.stderr)) == 2


def test_the_first_line_comes_before_the_last_picture_is_read(tiny_bundle: Path, tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", render("Pre", 1).image)
    gate = tmp_path / "z.png"
    os.mkfifo(gate)  # reading it waits until the test, having seen the first line, writes
    options = ["--json", "--bundle", str(tiny_bundle), "--level", "float32", "--data", str(tmp_path / "store")]
    command = [sys.executable, "-m", "device", "analyze", *options, str(tmp_path / "a.png"), str(gate)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]
    ) as process:
        assert process.stdout is not None
        first = json.loads(process.stdout.readline())
        assert Path(first["image"]).name == "a.png"
        gate.write_bytes(b"no picture")
        rest, _ = process.communicate(timeout=60)
    assert Path(json.loads(rest)["image"]).name == "z.png"
    assert process.returncode == 1
