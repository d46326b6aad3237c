"""Settings: every fault at once, with its line and what is allowed instead."""

import os
from dataclasses import fields
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from device.cli import cli
from device.data_folder import data_folder
from device.screen.displays import open_display
from device.settings import GateSettings, Settings, load_settings, parse_settings, settings_file
from device.settings_faults import Fault
from device.settings_toml import to_toml, values_of
from smear.errors import SettingsError
from smear.images import write_image
from smear.inference.quality_gate import Limits
from smear.synthetic import render


def test_defaults_work_without_a_file(monkeypatch):
    monkeypatch.delenv("SMEARSCOPE_CONFIG", raising=False)
    monkeypatch.setattr("device.settings.SYSTEM_FILE", Path("/nowhere/config.toml"))
    assert load_settings() == Settings()


def test_all_faults_are_reported_at_once_with_their_lines(tmp_path):
    path = tmp_path / "config.toml"
    text = (
        '# a comment\n[camera]\nnmae = "auto"\ntimeout_s = "soon"\n\n[model]\nlevel = "int4"\nthreads = 0\n'
        "[stroe]\nx = 1\n"
    )
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    message = str(caught.value)
    assert "line 3: camera.nmae is not known; did you mean 'name'?" in message
    assert 'line 4: camera.timeout_s = "soon" is not allowed; allowed: a number more than 0 and at most 60' in message
    assert (
        'line 7: model.level = "int4" is not allowed; allowed: auto, float32, float16, dynamic, int8, int16x8, edgetpu'
        in message
    )
    assert (
        "line 8: model.threads = 0 is not allowed; allowed: auto, or a whole number at least 1 and at most 64"
        in message
    )
    assert "line 9: stroe is not known; did you mean 'store'?" in message


def test_a_key_in_the_wrong_section_is_sent_to_the_right_one():
    assert parse_settings('[display]\nbundle = "x"\n') == [
        Fault(2, "display.bundle is not known; 'bundle' belongs into [model]")
    ]


def test_dotted_keys_have_lines_too():
    faults = parse_settings("\nmodel.threads = 99\n")
    assert isinstance(faults, list)
    assert faults[0].line == 2


def test_a_value_in_the_place_of_a_section_is_explained():
    faults = parse_settings("camera = 3\n")
    assert isinstance(faults, list)
    assert "write a section [camera]" in faults[0].text


def test_broken_toml_names_its_line():
    faults = parse_settings("[camera]\nname = auto\n")
    assert isinstance(faults, list)
    assert faults[0].line == 2
    assert faults[0].text.startswith("not TOML")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SettingsError, match="no such file"):
        load_settings(tmp_path / "none.toml")


def test_shown_settings_read_back_to_the_same():
    settings = Settings.model_validate({"camera": {"name": 'files:a "b"\\c', "pixel_size_um": 0.25}})
    assert parse_settings(to_toml(values_of(settings))) == settings
    assert parse_settings(to_toml(values_of(Settings()))) == Settings()


def test_the_data_folder_is_taken_from_the_nearest_source(monkeypatch, tmp_path):
    monkeypatch.delenv("SMEARSCOPE_DATA_DIR", raising=False)
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", "/home/x/share")
    assert data_folder(Settings()) == Path("/home/x/share/smearscope")
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/smearscope:/other")
    assert data_folder(Settings()) == Path("/var/lib/smearscope")
    chosen = Settings.model_validate({"store": {"folder": "/data"}})
    assert data_folder(chosen) == Path("/data")
    monkeypatch.setenv("SMEARSCOPE_DATA_DIR", "/env")
    assert data_folder(chosen) == Path("/env")
    assert data_folder(chosen, tmp_path) == tmp_path


def test_a_tilde_is_the_home_wherever_a_folder_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", "/home/x")
    monkeypatch.delenv("SMEARSCOPE_DATA_DIR", raising=False)
    chosen = parse_settings('[store]\nfolder = "~/smears"\n[model]\nbundle = "~/b"\nrequire_signature = "~/k.pem"\n')
    assert isinstance(chosen, Settings)
    assert data_folder(chosen) == Path("/home/x/smears")
    assert (chosen.model.bundle, chosen.model.require_signature) == (Path("/home/x/b"), Path("/home/x/k.pem"))
    assert data_folder(Settings(), Path("~/given")) == Path("/home/x/given")  # --data=~/given: no shell expands that
    monkeypatch.setenv("SMEARSCOPE_DATA_DIR", "~/env")
    assert data_folder(chosen) == Path("/home/x/env")
    monkeypatch.setenv("SMEARSCOPE_CONFIG", "~/c.toml")
    assert settings_file() == Path("/home/x/c.toml")


def test_the_pictures_of_the_screen_go_to_the_home_and_not_to_a_folder_called_tilde(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    open_display("png:~/screens/s.png", png_path=tmp_path / "other.png").close()
    assert [path.name for path in tmp_path.iterdir()] == ["screens"]


def test_the_home_of_nobody_is_a_fault_with_its_line_and_never_a_folder_called_so(monkeypatch):
    faults = parse_settings('[store]\nfolder = "~nobody-of-this-name/x"\n')
    assert isinstance(faults, list)
    assert (faults[0].line, "no home folder is known for ~nobody-of-this-name" in faults[0].text) == (2, True)
    monkeypatch.setenv("SMEARSCOPE_DATA_DIR", "~nobody-of-this-name/x")
    with pytest.raises(SettingsError, match=r"\$SMEARSCOPE_DATA_DIR ~nobody.*: no home folder is known"):
        data_folder(Settings())


@pytest.fixture
def homeless(monkeypatch):
    """A user of whom the system knows no home, as the uid of a container."""
    for name in ("HOME", "XDG_DATA_HOME", "SMEARSCOPE_DATA_DIR", "STATE_DIRECTORY", "SMEARSCOPE_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("device.data_folder.SERVICE_DATA", Path("/nowhere"))
    monkeypatch.setattr("os.getuid", lambda: 54321)


def test_without_a_home_one_line_says_to_give_a_data_folder(homeless):
    done = CliRunner().invoke(cli, ["status"])
    assert done.exit_code == 1
    assert done.stderr.splitlines() == [
        "smearscope: this user has no home folder for the records; give a data folder with --data or "
        "$SMEARSCOPE_DATA_DIR"
    ]


def test_analyze_needs_no_home(homeless, tmp_path):
    write_image(tmp_path / "field.png", render("Pre", 1).image)
    done = CliRunner().invoke(cli, ["analyze", str(tmp_path / "field.png")], catch_exceptions=False)
    assert done.exit_code == 0, done.stderr
    assert "field.png" in done.stdout


@pytest.mark.parametrize(("given", "line"), [("width = 1920", 1), ("height = 1080", 2)])
def test_width_without_height_is_a_fault(tmp_path, given, line):
    code, said = check(tmp_path, f"[camera]\n{given}\n")
    assert code == 1
    assert f"config.toml:{line}: " in said
    assert "camera.width and camera.height belong together: give both, or neither" in said


@given(st.text())
def test_no_text_makes_it_fall_over(text):
    parse_settings(text)


@given(
    st.dictionaries(
        st.sampled_from(["camera", "model", "store", "other"]),
        st.dictionaries(st.sampled_from(["name", "level", "threads", "nam"]), st.integers() | st.booleans()),
    )
)
def test_any_values_give_settings_or_faults_with_a_line(values):
    text = "".join(
        f"[{section}]\n" + "".join(f"{key} = {str(value).lower()}\n" for key, value in keys.items())
        for section, keys in values.items()
    )
    found = parse_settings(text)
    assert isinstance(found, Settings) or all(fault.line for fault in found)


def test_every_limit_of_the_gate_can_be_set():
    of_the_site = {"require_site"}  # [site] required: it has no measure
    assert set(GateSettings.model_fields) == {field.name for field in fields(Limits)} - of_the_site
    assert GateSettings().limits() == Limits()


def check(tmp_path: Path, text: str) -> tuple[int, str]:
    (tmp_path / "config.toml").write_text(text)
    done = CliRunner().invoke(cli, ["config", "check", "--config", str(tmp_path / "config.toml")])
    return done.exit_code, done.output


def test_config_check_knows_the_cameras_and_displays_that_there_are(tmp_path):
    code, said = check(tmp_path, '[camera]\nname = "v4l:/dev/video0"\n\n[display]\nname = "hologram"\n')
    assert code == 1
    assert "config.toml:2: camera.name: 'v4l' is no camera; write one of: auto, picamera2:[index], v4l2:" in said
    assert "config.toml:5: display.name: 'hologram' is no display; write one of: auto, window, kmsdrm" in said
    assert "2 faults" in said


def test_config_check_opens_nothing(tmp_path):
    assert check(tmp_path, '[camera]\nname = "v4l2:/dev/video987"\n[display]\nname = "kmsdrm"\n')[0] == 0


def test_an_unknown_option_of_a_camera_is_a_fault(tmp_path):
    code, said = check(tmp_path, '[camera]\nname = "simulated:7?speed=2"\n')
    assert code == 1
    assert "option 'speed' is not known; allowed here: class" in said


def test_an_unknown_runtime_is_a_fault_that_lists_the_known_ones():
    faults = parse_settings('[model]\nruntime = "torch"\nlevel = 3\n')
    assert faults == [
        Fault(2, "model.runtime = \"torch\" is not allowed; 'torch' is no runtime; write one of: "
              "auto, ai-edge-litert, tflite-runtime"),
        Fault(3, "model.level = 3 is not allowed; allowed: auto, float32, float16, dynamic, int8, int16x8, edgetpu"),
    ]  # fmt: skip


def test_the_schema_and_the_settings_shown_list_what_may_be_chosen():
    sections = Settings.model_json_schema()["$defs"]
    assert sections["ModelSettings"]["properties"]["runtime"]["enum"] == ["auto", "ai-edge-litert", "tflite-runtime"]
    assert "simulated:[seed]" in sections["CameraSettings"]["properties"]["name"]["description"]
    assert "display to open: auto, window, kmsdrm, png:PATH, none" in to_toml(values_of(Settings()))


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_file_saved_by_a_program_on_windows_is_read(tmp_path, mark, end):
    path = tmp_path / "config.toml"
    path.write_bytes(f"{mark}[model]{end}threads = 3{end}".encode())
    assert load_settings(path).model.threads == 3


def numbers() -> list[str]:
    """Every key of the settings that takes a number, with its section."""
    found = []
    for section, info in Settings.model_fields.items():
        for key, field in info.annotation.model_fields.items():
            if any(kind in str(field.annotation) for kind in ("int", "float")) and "Path" not in str(field.annotation):
                found.append(f"{section}.{key}")
    return found


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e300", "-1e300"])
def test_no_setting_is_anything_but_a_finite_number_in_its_range(value):
    assert {"camera.pixel_size_um", "gate.min_focus", "store.max_age_days"} <= set(numbers())
    for name in numbers():
        faults = parse_settings(f"{name} = {value}\n")
        assert isinstance(faults, list), name
        assert name in faults[0].text


@pytest.mark.parametrize("text", ["a = " + "[" * 5000, "a = " + "9" * 5000, "a = 1979-99-99", "\0", 'a = "\\ud800"'])
def test_text_that_no_reader_of_toml_takes_is_one_fault(text):
    faults = parse_settings(text)
    assert isinstance(faults, list)
    assert "\n" not in faults[0].text


@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda path: path.write_bytes(b"#" * 200_000)])
def test_a_settings_file_that_is_none_is_said_without_waiting(tmp_path, make):
    make(tmp_path / "config.toml")
    with pytest.raises(SettingsError, match=r"config\.toml: (is no regular file|has more than)"):
        load_settings(tmp_path / "config.toml")


@pytest.fixture
def on_machine(tmp_path, monkeypatch):
    """Returns what 'config check' says of a text, and its exit code."""
    monkeypatch.setenv("SMEARSCOPE_DATA_DIR", str(tmp_path / "data"))

    def run(text):
        (tmp_path / "config.toml").write_text(text)
        done = CliRunner().invoke(cli, ["config", "check", "--config", str(tmp_path / "config.toml")])
        return done.exit_code, done.output

    return run


def test_config_check_finds_a_bundle_that_is_gone_or_lacks_the_level(on_machine, tiny_bundle, tmp_path):
    assert on_machine("")[0] == 0
    code, said = on_machine(f'[model]\nbundle = "{tmp_path / "nothing"}"\n')
    assert (code, "config.toml:2: model.bundle: bundle" in said) == (1, True)
    code, said = on_machine(f'[model]\nbundle = "{tiny_bundle}"\nlevel = "int8"\n')
    assert (code, "config.toml:3: model.level: bundle" in said) == (1, True)
    assert on_machine(f'[model]\nbundle = "{tiny_bundle}"\nlevel = "float32"\n')[0] == 0


def test_config_check_finds_a_chosen_bundle_that_is_gone(on_machine, tmp_path):
    (tmp_path / "data" / "models").mkdir(parents=True)
    (tmp_path / "data" / "models" / "current").symlink_to("gone")
    code, said = on_machine("")
    assert (code, "leads to no bundle" in said) == (1, True)


def test_config_check_knows_how_large_the_disk_is(on_machine):
    code, said = on_machine("[store]\nmin_free_mb = 9000000\n")
    assert (code, "config.toml:2: store.min_free_mb: 9000000 MB cannot stay free" in said) == (1, True)


def test_config_check_finds_a_folder_of_messages_that_is_missing(on_machine, tmp_path):
    code, said = on_machine(f'[laboratory]\nhl7_folder = "{tmp_path / "nothing"}"\n')
    assert (code, "config.toml:2: laboratory.hl7_folder: cannot write into" in said) == (1, True)
    assert on_machine(f'[laboratory]\nhl7_folder = "{tmp_path}"\n')[0] == 0
