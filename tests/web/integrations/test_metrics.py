"""What Prometheus is told: in its own format, to a token alone, with or without a running device."""

from dataclasses import replace

from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain

from device.actions.base import Role
from tests.device.findings import finding
from tests.web.test_serving import address, bench  # noqa: F401


def samples(text, parse):
    return {(each.name, *each.labels.values()): each.value for family in parse(text) for each in family.samples}


def test_a_running_device_is_measured_in_both_formats(address, bench):  # noqa: F811
    _, client = address
    bench.models.fault = lambda frame: replace(finding("Pre"), timing_ms={"total": 80.0})
    bench.fields(3)
    said = client.get("/metrics")
    assert said.headers["content-type"].startswith("text/plain; version=0.0.4")
    found = samples(said.text, plain)
    assert found["smearscope_up",] == found["smearscope_camera_up",] == found["smearscope_slide",] == 1
    assert min(found["smearscope_fields_total",], found["smearscope_slide_fields",]) >= 3
    assert found["smearscope_slide_labels", "Pre"] >= 3
    assert found["smearscope_field_seconds", "total"] == 0.08
    assert found["smearscope_disk_free_bytes",] > 0
    bench.camera.plugged = False
    bench.until(lambda: bench.feed.lost and "camera" in bench.faults.current)
    said = client.get("/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert said.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    found = samples(said.text, openmetrics)
    assert found["smearscope_camera_up",] == 0
    assert found["smearscope_fault", "camera"] == 1


def test_records_are_measured_where_no_device_runs_and_no_name_leaves_them(served):
    secret = served.accounts.add_token("prometheus", Role.VIEWER, 1)
    with served.browser() as client:
        assert client.get("/metrics").headers["location"].startswith("/login")
        assert client.get("/metrics", headers={"authorization": "Bearer wrong"}).status_code == 401
        text = client.get("/metrics", headers={"authorization": f"Bearer {secret}"}).text
    found = samples(text, plain)
    assert (found["smearscope_up",], found["smearscope_slide",]) == (0, 3)
    assert found["smearscope_slide_refusals", "uncertain"] == 1
    assert "C-3" not in text
