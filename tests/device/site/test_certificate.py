"""The certificate holds for one bundle, one camera profile and a time; what else holds nothing says why."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from device.cameras.calibration import Calibration, OpticalSetup, ProfileStore
from device.site import certificate as certificates
from device.site.certificate import FILE, SiteCertificate, issue, load, revoke, status_of
from device.site.watch import SiteWatch
from device.system.clock import ManualClock
from smear.errors import SettingsError
from smear.site import CameraProfile

NOW_S = datetime(2026, 3, 1, tzinfo=UTC).timestamp()
DAY_S = 86400.0
PROFILE = CameraProfile("imx477 2028x1520", None, 0.1)


def draft(**changes: object) -> SiteCertificate:
    now = datetime.fromtimestamp(NOW_S, UTC)
    facts = {"created": now, "valid_until": now, "profile": PROFILE.id, "pixel_size_um": 0.1, "bundle": "tiny",
             "bundle_sha256": "ab", "level": "int8", "fields": {}, "figures": {}, "refusals": {}}  # fmt: skip
    return SiteCertificate.model_validate(facts | changes)


def calibrated(data: Path, size: tuple[int, int], wall_s: float, **measured: object) -> Calibration:
    setup = OpticalSetup("imx477", "", size, "BGR888")
    return ProfileStore(data).update(setup, lambda known: known.model_copy(update=measured), wall_s)


def test_a_certificate_reads_back_as_it_was_issued(tmp_path: Path) -> None:
    made = issue(draft(stain="May-Grünwald-Giemsa"), tmp_path / "new", NOW_S, 180)
    assert load(tmp_path / "new") == made
    assert made.valid_until - made.created == timedelta(days=180)
    assert made.id.startswith("20260301T000000Z-")


def test_a_valid_certificate_holds(tmp_path: Path) -> None:
    made = issue(draft(), tmp_path, NOW_S, 180)
    status = status_of(made, "ab", PROFILE, NOW_S + DAY_S)
    assert (status.checked, status.certificate, status.warning) == (True, made.id, "")


@pytest.mark.parametrize(("bundle", "profile", "day", "why"), [
    ("cd", PROFILE, 1, "another bundle"),
    ("ab", CameraProfile("other", None, 0.1), 1, "another camera or objective"),
    ("ab", CameraProfile(PROFILE.id, None, 0.13), 1, "another camera or objective"),
    ("ab", CameraProfile(PROFILE.id, None, None), 1, "another camera or objective"),
    ("ab", PROFILE, 181, "expired on 2026-08-28"),
    ("ab", PROFILE, -1, "the clock is before"),
])  # fmt: skip
def test_a_certificate_of_other_circumstances_does_not_hold(
    tmp_path: Path, bundle: str, profile: CameraProfile, day: int, why: str
) -> None:
    status = status_of(issue(draft(), tmp_path, NOW_S, 180), bundle, profile, NOW_S + day * DAY_S)
    assert not status.checked
    assert why in status.warning
    assert status.warning.startswith("not checked at this site (")


def test_a_scale_measured_again_is_the_same_objective() -> None:
    assert PROFILE.fits(CameraProfile(PROFILE.id, None, 0.101))


def test_without_a_certificate_nothing_holds(tmp_path: Path) -> None:
    assert load(tmp_path) is None
    assert status_of(None, "ab", PROFILE, NOW_S).warning == "not checked at this site (no site certificate)"


def test_a_damaged_certificate_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text('{"profile": 3}')
    with pytest.raises(SettingsError, match=r"site\.json: .*site revoke"):
        load(tmp_path)


@pytest.mark.parametrize("change", [
    {"valid_until": "2031-01-01T00:00:00Z"}, {"level": "float32"}, {"schema_version": 9}, {"id": "20260301T000000Z-0"},
])  # fmt: skip
def test_a_certificate_that_is_not_as_it_was_issued_does_not_hold(tmp_path: Path, change: dict[str, object]) -> None:
    made = issue(draft(), tmp_path, NOW_S, 180)
    (tmp_path / FILE).write_text(json.dumps(made.model_dump(mode="json") | change))
    with pytest.raises(SettingsError, match=r"not as it was issued, damaged or edited; .*site revoke"):
        load(tmp_path)


def test_revoking_removes_the_certificate_and_says_whether_there_was_one(tmp_path: Path) -> None:
    issue(draft(), tmp_path, NOW_S, 180)
    assert revoke(tmp_path)
    assert not revoke(tmp_path)


def test_a_certificate_made_revoked_or_damaged_while_the_device_runs_takes_effect(tmp_path: Path) -> None:
    clock = ManualClock(wall_s=NOW_S + 1)
    watch = SiteWatch(tmp_path, "ab", clock)
    assert not watch.status(PROFILE).checked
    made = issue(draft(), tmp_path, NOW_S, 180)
    assert watch.status(PROFILE).certificate == made.id
    (tmp_path / FILE).write_text("{")
    assert "site revoke" in watch.status(PROFILE).reason
    certificates.revoke(tmp_path)
    assert watch.status(PROFILE).reason == "no site certificate"


def test_pictures_from_files_belong_to_the_calibrated_camera(tmp_path: Path) -> None:
    known = calibrated(tmp_path, (2028, 1520), NOW_S, pixel_size_um=0.1)
    issue(draft(profile=known.profile.id), tmp_path, NOW_S, 180)
    assert known.profile == PROFILE
    assert SiteWatch(tmp_path, "ab", ManualClock(wall_s=NOW_S + 1)).status(None).checked


def test_a_new_white_balance_leaves_the_profile_as_it_is(tmp_path: Path) -> None:
    known = calibrated(tmp_path, (64, 48), NOW_S)
    again = calibrated(tmp_path, (64, 48), NOW_S + 1, white=(1.0, 1.1, 1.2))
    assert known.id != again.id
    assert known.profile == again.profile


def test_a_user_without_a_data_folder_has_no_certificate() -> None:
    assert not SiteWatch(None, "ab").status(None).checked
