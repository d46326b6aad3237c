"""What a device does with bundles: it finds every kind of damage by file name, and survives a kill at every step."""

import json
import os
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from device import bundles
from device.commands.model import command, differences
from smear.bundle import signing
from smear.bundle.files import sha256_of
from smear.bundle.folder import load_bundle, write_manifest
from smear.bundle.manifest import CHECKSUM, MANIFEST, SIGNATURE, read_manifest
from smear.errors import BundleError, SettingsError
from smear.inference import verification
from tests.convert.tiny import classifier, make_bundle, make_run
from tests.device.killed import kill_at

install, activate, rollback = (
    partial(action, prove=lambda bundle: None) for action in (bundles.install, bundles.activate, bundles.rollback)
)
pytest.importorskip("tensorflow", reason="bundles for these tests are converted here; install the extra 'convert'")


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """Two bundles that differ in their name alone."""
    folder = tmp_path_factory.mktemp("made")
    run = make_run(folder / "run")
    return [make_bundle(folder / name, run, name=name).path for name in ("first", "second")]


@pytest.fixture
def bundle(made, tmp_path):
    return Path(shutil.copytree(made[0], tmp_path / "bundle"))


def fault(path, **options):
    with pytest.raises(BundleError) as caught:
        verification.verify(path, **options)
    return str(caught.value)


def trust_again(path):
    """Write the checksums of the files as they are now, as someone who alters a bundle with care would."""
    manifest = read_manifest(path)

    def entries(part):
        return part.model_copy(
            update={
                "levels": {
                    level: entry.model_copy(update={"sha256": sha256_of(path / entry.file)})
                    for level, entry in part.levels.items()
                }
            }
        )

    write_manifest(
        path,
        manifest.model_copy(
            update={
                "segmenter": entries(manifest.segmenter),
                "classifier": entries(manifest.classifier),
                "files": {name: sha256_of(path / name) for name in manifest.files},
            }
        ),
    )


def names(made):
    return sorted(file.name for file in made[0].iterdir())


def test_a_whole_bundle_is_verified(bundle):
    assert verification.verify(bundle).manifest.name == "first"


def test_one_flipped_byte_in_any_file_is_found_by_its_name(made, tmp_path):
    for name in names(made):
        for share in (0.0, 0.4, 0.999):
            path = shutil.copytree(made[0], tmp_path / f"{name}-{share}")
            data = bytearray((path / name).read_bytes())
            data[int(len(data) * share)] ^= 1
            (path / name).write_bytes(data)

            assert name in fault(path)
            with pytest.raises(BundleError, match=name.replace(".", r"\.")):
                load_bundle(path)


def test_a_missing_file_is_named(made, tmp_path):
    for name in names(made):
        path = shutil.copytree(made[0], tmp_path / name)
        (path / name).unlink()

        assert name in fault(path)


def test_an_extra_file_is_named(bundle):
    (bundle / "notes.txt").write_text("mine")

    assert "notes.txt does not belong" in fault(bundle)


@pytest.mark.parametrize(
    "change",
    [
        {"schema_version": "one"},
        {"input": {"size": 224}},
        {"nobody_knows": 1},
        {"labels": ["Early", "Benign", "Pre", "Pro"]},
    ],
)
def test_a_wrong_field_in_the_manifest_is_named(bundle, change):
    raw = json.loads((bundle / MANIFEST).read_text()) | change
    (bundle / MANIFEST).write_text(json.dumps(raw))

    told = fault(bundle)
    assert MANIFEST in told
    assert next(iter(change)) in told


def test_a_truncated_model_with_a_matching_checksum_is_named(made, tmp_path):
    for name in ("segmenter.int8.tflite", "classifier.float32.tflite"):
        for share in (0.0, 0.3, 0.9):
            path = shutil.copytree(made[0], tmp_path / f"{name}-{share}")
            data = (path / name).read_bytes()
            (path / name).write_bytes(data[: int(len(data) * share)])
            assert name in fault(path)
            trust_again(path)

            assert name in fault(path)


def test_a_model_of_another_input_shape_is_named(bundle):
    from convert.export.tflite import convert_levels

    other = convert_levels(classifier(size=64), ("float32",), None)["float32"]
    (bundle / "classifier.float32.tflite").write_bytes(other)
    trust_again(bundle)

    assert "classifier.float32.tflite takes (1, 64, 64, 3)" in fault(bundle)


def test_a_model_with_other_weights_and_a_matching_checksum_misses_its_golden_outputs(bundle):
    from convert.export.tflite import convert_levels

    model = classifier()
    model.set_weights([weight * 1.2 + 0.1 for weight in model.get_weights()])
    (bundle / "classifier.float32.tflite").write_bytes(convert_levels(model, ("float32",), None)["float32"])
    trust_again(bundle)

    assert "classifier.float32.tflite differs from its golden outputs" in fault(bundle)


def test_a_golden_file_without_an_output_is_named(bundle):
    with np.load(bundle / "golden.npz") as arrays:
        kept = {name: arrays[name] for name in arrays.files if name != "segmenter.int8"}
    np.savez(bundle / "golden.npz", **kept)
    trust_again(bundle)

    assert "golden.npz holds no segmenter.int8" in fault(bundle)


def test_a_bundle_of_a_newer_schema_says_what_to_upgrade(bundle):
    raw = json.loads((bundle / MANIFEST).read_text()) | {"schema_version": 3}
    (bundle / MANIFEST).write_text(json.dumps(raw))

    assert "upgrade smearscope" in fault(bundle)


def test_an_installed_bundle_is_current_and_the_one_before_is_previous(made, tmp_path):
    folder = tmp_path / "models"
    first = install(made[0], folder)
    second = install(made[1], folder)

    assert first.name.startswith("first-")
    assert bundles.target(folder, bundles.CURRENT) == second == bundles.current_bundle(folder)
    assert bundles.target(folder, bundles.PREVIOUS) == first
    assert [entry.current for entry in bundles.installed(folder) if entry.path == second] == [True]


def test_rollback_swaps_and_a_second_one_swaps_back(made, tmp_path):
    folder = tmp_path / "models"
    first, second = (install(path, folder) for path in made)

    assert rollback(folder) == first
    assert bundles.target(folder, bundles.PREVIOUS) == second
    assert rollback(folder) == second


def test_rollback_with_nothing_before_says_so(made, tmp_path):
    install(made[0], tmp_path)

    with pytest.raises(BundleError, match="no previous bundle"):
        rollback(tmp_path)


def test_installing_the_current_bundle_again_changes_nothing(made, tmp_path):
    first, second = (install(path, tmp_path) for path in made)
    install(made[1], tmp_path)

    assert bundles.target(tmp_path, bundles.PREVIOUS) == first
    assert bundles.target(tmp_path, bundles.CURRENT) == second


def test_a_damaged_bundle_is_not_installed_and_the_old_one_stays(made, bundle, tmp_path):
    folder = tmp_path / "models"
    first = install(made[1], folder)
    (bundle / "segmenter.int8.tflite").write_bytes(b"")

    with pytest.raises(BundleError, match=r"segmenter\.int8\.tflite"):
        install(bundle, folder)
    assert bundles.target(folder, bundles.CURRENT) == first


def test_a_bundle_damaged_on_disk_is_mended_by_installing_it_again(made, tmp_path):
    home = install(made[0], tmp_path)
    (home / "MODEL_CARD.md").write_text("gone")
    assert bundles.installed(tmp_path)[0].fault is not None

    assert install(made[0], tmp_path) == home
    assert bundles.installed(tmp_path)[0].fault is None


def test_activate_refuses_a_name_that_is_not_installed(made, tmp_path):
    install(made[0], tmp_path)

    for name in ("nobody", "../made", ".lock"):
        with pytest.raises(BundleError, match="no installed bundle is called"):
            activate(tmp_path, name)


def test_the_manifest_fields_in_which_two_bundles_differ_are_shown(made):
    changed = {field for field, _, _ in differences(*made)}

    assert "name" in changed
    assert "labels" not in changed


def test_a_kill_at_every_step_of_install_leaves_the_old_or_the_new_bundle_active_and_valid(made, tmp_path):
    steps = []
    for number in range(40):
        folder = tmp_path / str(number)
        old = install(made[0], folder)
        name = kill_at(number, "install", folder, made[1], tmp_path / "log")
        active = bundles.target(folder, bundles.CURRENT)
        assert active is not None
        verification.verify(active)
        assert active == old or active.name.startswith("second-")
        new = install(made[1], folder)  # what the kill left behind is no hindrance
        assert bundles.target(folder, bundles.CURRENT) == new
        assert bundles.target(folder, bundles.PREVIOUS) == old
        assert not list(folder.glob(".incoming-*"))
        if name is None:
            break
        steps.append(name)

    assert steps[0] == "verify the source"
    assert {"verify the copy", "put the copy in place", "remember the previous bundle"} <= set(steps)
    assert steps[-2:] == ["switch to the new bundle", "done"]


def test_a_kill_at_every_step_of_rollback_leaves_one_of_the_two_active_and_valid(made, tmp_path):
    for number in range(10):
        folder = tmp_path / str(number)
        both = {install(path, folder) for path in made}
        name = kill_at(number, "rollback", folder, made[0], tmp_path / "log")
        active = bundles.target(folder, bundles.CURRENT)
        assert active in both
        verification.verify(active)
        if name is None:
            break
    assert number == 3


def test_two_installations_at_once_are_refused(made, tmp_path):
    def second_one(name):
        if name == "verify the copy":
            with pytest.raises(BundleError, match="another installation is at work"):
                install(made[0], tmp_path)

    install(made[0], tmp_path, step=second_one)


@pytest.fixture
def keys(tmp_path):
    signing.make_keys(tmp_path / "private.pem", tmp_path / "public.pem")
    return tmp_path / "private.pem", tmp_path / "public.pem"


def test_a_signed_bundle_is_accepted_where_signatures_are_required(bundle, keys, tmp_path):
    signing.sign(bundle, keys[0])

    verification.verify(bundle, public_key=keys[1])
    home = install(bundle, tmp_path / "models", public_key=keys[1])
    assert (home / SIGNATURE).is_file()


def test_an_unsigned_bundle_is_refused_where_signatures_are_required(bundle, keys):
    assert f"{SIGNATURE} is missing" in fault(bundle, public_key=keys[1])


def test_a_bundle_altered_after_signing_is_refused_even_with_its_checksums_put_right(bundle, keys):
    signing.sign(bundle, keys[0])
    (bundle / "MODEL_CARD.md").write_text("better than it is")
    trust_again(bundle)

    assert f"{SIGNATURE} does not fit" in fault(bundle, public_key=keys[1])


def test_a_signature_by_another_key_is_refused(bundle, keys, tmp_path):
    signing.make_keys(tmp_path / "other.pem", tmp_path / "other.pub")
    signing.sign(bundle, tmp_path / "other.pem")

    assert "signed by another key" in fault(bundle, public_key=keys[1])


def test_keys_are_never_overwritten_and_the_private_one_is_for_its_owner_alone(keys):
    assert keys[0].stat().st_mode & 0o077 == 0
    with pytest.raises(SettingsError, match="exists already"):
        signing.make_keys(*keys)


def test_a_private_key_is_not_written_through_a_link(tmp_path):
    (tmp_path / "private.pem").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SettingsError, match="exists already"):
        signing.make_keys(tmp_path / "private.pem", tmp_path / "public.pem")
    assert not (tmp_path / "elsewhere").exists()


def test_the_command_verifies_installs_lists_and_rolls_back(made, tmp_path):
    def ask(*words):
        done = CliRunner().invoke(command, ["--data", str(tmp_path), *words], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    assert "verified; first" in ask("verify", str(made[0]))
    ask("install", str(made[0]))
    assert "previous, for 'smearscope model rollback': first-" in ask("install", str(made[1])).replace("\n", " ")
    assert "second" in ask("list")
    assert ask("rollback").startswith("current: first-")
    assert "name" in ask("diff", str(made[0]), str(made[1]))
    assert CHECKSUM in {file.name for file in bundles.target(tmp_path / "models", "current").iterdir()}


def test_a_device_whose_chosen_bundle_is_gone_takes_no_other(made, tmp_path):
    home = install(made[0], tmp_path)
    assert bundles.current_bundle(tmp_path) == home
    home.rename(tmp_path / "elsewhere")

    with pytest.raises(BundleError, match=r"current leads to no bundle, so nothing is labelled; .*model activate NAME"):
        bundles.current_bundle(tmp_path)
    assert bundles.current_bundle(tmp_path / "nothing installed") == bundles.shipped_bundle()


@pytest.mark.parametrize("link", ["../made", "/etc", ".", "..", ""])
def test_a_current_link_out_of_the_folder_is_no_bundle(tmp_path, link):
    (tmp_path / "made").mkdir()
    models = tmp_path / "models"
    models.mkdir()
    if not link:
        (models / "a").symlink_to(tmp_path / "made")
    (models / "current").symlink_to(link or "a")

    with pytest.raises(BundleError, match="leads to no bundle"):
        bundles.current_bundle(models)


def test_a_bundle_that_is_not_proven_under_the_settings_is_not_made_current(made, tmp_path):
    first, second = install(made[0], tmp_path), install(made[1], tmp_path)
    proven = []

    def refuse(bundle):
        proven.append(bundle.path.name)
        raise BundleError("the device cannot start it")

    def change_nothing(action, *words):
        with pytest.raises(BundleError, match="cannot start it"):
            action(*words, prove=refuse)
        assert bundles.target(tmp_path, bundles.CURRENT) == second
        assert bundles.target(tmp_path, bundles.PREVIOUS) == first

    change_nothing(bundles.activate, tmp_path, first.name)
    change_nothing(bundles.rollback, tmp_path)
    change_nothing(bundles.install, made[0], tmp_path)
    third = tmp_path.with_name("third")
    shutil.copytree(made[0], third)
    write_manifest(third, read_manifest(third).model_copy(update={"name": "third"}))
    change_nothing(bundles.install, third, tmp_path)
    assert len(proven) == 4
    assert not list(tmp_path.glob("third*"))


def test_the_command_proves_under_the_level_of_the_settings(made, bundle, tmp_path):
    manifest = read_manifest(bundle)
    classifier, segmenter = (
        part.model_copy(update={"levels": {"float32": part.levels["float32"]}})
        for part in (manifest.classifier, manifest.segmenter)
    )
    write_manifest(bundle, manifest.model_copy(update={"classifier": classifier, "segmenter": segmenter}))
    for file in bundle.glob("*.tflite"):
        if "float32" not in file.name:
            file.unlink()
    settings = tmp_path / "config.toml"
    settings.write_text('[model]\nlevel = "int8"\n')

    def ask(*words):
        return CliRunner().invoke(command, ["--config", str(settings), "--data", str(tmp_path), *words])

    refused = ask("install", str(bundle))
    assert isinstance(refused.exception, BundleError)
    assert "no segmenter at level 'int8'; choose one of float32" in str(refused.exception)
    assert not list((tmp_path / "models").glob("[!.]*"))
    settings.write_text('[model]\nlevel = "float32"\n')
    assert ask("install", str(bundle)).exit_code == 0
    settings.write_text('[model]\nlevel = "int8"\n')
    for words in (("verify", str(bundle)), ("activate", bundles.target(tmp_path / "models", "current").name)):
        assert isinstance(ask(*words).exception, BundleError)


def test_the_unsigned_twin_of_a_signed_bundle_gets_its_signature(bundle, keys, tmp_path):
    models = tmp_path / "models"
    home = install(bundle, models)
    assert not (home / SIGNATURE).exists()
    signing.sign(bundle, keys[0])

    assert install(bundle, models, public_key=keys[1]) == home
    assert (home / SIGNATURE).read_bytes() == (bundle / SIGNATURE).read_bytes()
    (bundle / SIGNATURE).unlink()
    install(bundle, models)
    assert (home / SIGNATURE).exists()


@pytest.mark.parametrize("signature", [b"", b"of somebody", bytes(63), bytes(65), b"\xff" * 64])
def test_what_is_no_signature_is_a_fault_also_where_none_is_required(made, bundle, tmp_path, signature):
    home = install(made[0], tmp_path)
    for path in (bundle, home):
        (path / SIGNATURE).write_bytes(signature)

    assert "manifest.sig is no Ed25519 signature" in fault(bundle)
    for action in (lambda: install(bundle, tmp_path), lambda: activate(tmp_path, home.name)):
        with pytest.raises(BundleError, match="is no Ed25519 signature"):
            action()
    assert "is no Ed25519 signature" in bundles.installed(tmp_path)[0].fault
    assert install(made[0], tmp_path) == home  # puts it right
    assert not (home / SIGNATURE).exists()


def test_links_and_pipes_in_place_of_lock_and_signature_are_refused_without_waiting(made, bundle, keys, tmp_path):
    models = tmp_path / "models"
    models.mkdir()
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (models / ".lock").symlink_to(victim)
    with pytest.raises(BundleError, match=r"\.lock: cannot be opened"):
        install(made[0], models)
    assert victim.read_text() == "mine"
    (models / ".lock").unlink()
    os.mkfifo(models / ".lock")
    with pytest.raises(BundleError, match=r"\.lock: no regular file"):
        install(made[0], models)
    os.mkfifo(bundle / SIGNATURE)
    for key in (None, keys[1]):
        assert "manifest.sig is no regular file" in fault(bundle, public_key=key)
    (bundle / SIGNATURE).unlink()
    (bundle / SIGNATURE).symlink_to(victim)
    assert "manifest.sig is a symbolic link" in fault(bundle)


def test_only_what_was_neither_shipped_nor_installed_is_foreign(made, tmp_path):
    home = install(made[0], tmp_path / "models")
    assert not bundles.is_foreign(home, tmp_path / "models")
    assert not bundles.is_foreign(tmp_path / "models" / "current", tmp_path / "models")
    assert not bundles.is_foreign(bundles.shipped_bundle(), tmp_path / "models")
    assert bundles.is_foreign(made[0], tmp_path / "models")


def test_list_and_diff_fit_eighty_columns_and_show_no_control_characters(made, bundle, tmp_path):
    write_manifest(bundle, read_manifest(bundle).model_copy(update={"git_revision": "\x1b[31m" + "a" * 40}))
    data = tmp_path / "data"
    install(made[0], data / "models")
    (install(made[1], data / "models") / "MODEL_CARD.md").write_text("damaged")

    def lines(*words):
        done = CliRunner().invoke(command, ["--data", str(data), *words], catch_exceptions=False)
        assert done.exit_code == 0
        assert "\x1b" not in done.output
        return done.output.splitlines()

    shown = lines("list")
    assert any("first-" in line and "(previous)" in line for line in shown)
    assert any("MODEL_CARD.md does not match its checksum" in line for line in shown)
    assert all(len(line) <= 80 for line in shown if "not usable" not in line)
    changed = lines("diff", str(made[0]), str(bundle))
    assert "git_revision" in changed
    assert max(len(line) for line in changed[2:]) <= 80
