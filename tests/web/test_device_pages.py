"""The pages that look after the device: settings as a form, the model, the log, the screen."""

import html
import re
import shutil

import pytest

from device import bundles
from device.control.protocol import ControlError
from device.control.record_answers import record_answers
from device.store import Store
from device.system.log_file import LogFile
from device.system.systemd import Priority
from tests import tiny_bundle
from web.pages.device import _value


def beside(text, name):
    """Return what stands beside a setting."""
    found = re.search(rf'<p id="{re.escape(name)}-about">(.*?)</p>', text)
    assert found is not None, name
    return found[1]


def before_of(text):
    """Return what the form was made of."""
    return html.unescape(re.search(r'name="before" value="(.*?)"', text)[1])


def test_a_setting_is_changed_by_an_admin_and_said_to_wait_for_the_restart(served):
    with served.browser("ada") as admin, served.browser("vera") as viewer:
        assert admin.post("/settings", data={"qc.required": "true", "gate.min_cells": "3"}).status_code == 303
        page = admin.get("/settings").text
        assert "Waits for the restart" in beside(page, "qc.required")
        assert "<option selected>true</option>" in page
        assert 'name="gate.min_cells" value="3"' in page
        assert 'name="model.delegate"' not in page
        assert "<code>true</code>" in viewer.get("/settings").text
        assert "<input id=" not in viewer.get("/settings").text
    with Store.read(served.data) as store:
        assert {(each.operator, each.new) for each in store.newest_of_device(9)} == {
            ("ada", "qc.required = true"), ("ada", "gate.min_cells = 3"),
        }  # fmt: skip


def test_every_fault_stands_beside_its_setting_with_what_was_written_and_nothing_is_changed(served):
    with served.browser("ada") as admin:
        form = {"gate.min_focus": "sharp", "gate.min_cells": "0", "qc.required": "true", "camera.name": '<b>"'}
        answer = admin.post("/settings", data=form)
        assert (answer.status_code, "Nothing was changed" in answer.text) == (400, True)
        assert "allowed: a number at least 0" in beside(answer.text, "gate.min_focus")
        assert "allowed: a whole number at least 1" in beside(answer.text, "gate.min_cells")
        assert 'value="sharp"' in answer.text
        assert "<b>&#34;" not in answer.text
        assert "Waits" not in admin.get("/settings").text
        api = admin.post("/api/v1/settings/change", json={"values": {"gate.min_cells": 0}}).json()
        assert (api["changed"], list(api["faults"])) == ([], ["gate.min_cells"])


def test_of_two_admins_with_the_form_open_the_second_is_told_what_the_first_changed_and_nothing_is_lost(served):
    with served.browser("ada") as ada, served.browser("ada") as bea:
        opened = before_of(ada.get("/settings").text)
        assert ada.post("/settings", data={"before": opened, "gate.min_cells": "3"}).status_code == 303
        late = {"before": opened, "gate.min_cells": "4", "qc.valid_hours": "12"}
        told = bea.post("/settings", data=late)
        assert told.status_code == 409
        assert "somebody else changed it meanwhile: it is 3 now" in beside(told.text, "gate.min_cells")
        assert 'name="gate.min_cells" value="4"' in told.text  # what was written stays in the form
        assert 'name="gate.min_cells" value="3"' in ada.get("/settings").text
        again = late | {"before": before_of(told.text)}
        assert bea.post("/settings", data=again).status_code == 303
        both = bea.post("/settings", data={"before": opened, "gate.min_cells": "", "gate.min_focus": "0.5"})
        assert both.status_code == 303
        assert 'name="gate.min_cells" value="4"' in bea.get("/settings").text  # which this form did not touch


@pytest.mark.parametrize(
    ("text", "value"), [("3", 3), ("0.5", 0.5), ("true", True), ('["a"]', ["a"]), ("a b", "a b"), ("[", "[")]
)
def test_what_is_written_into_a_form_is_a_number_a_list_or_a_text(text, value):
    assert _value(text) == value


def test_the_log_is_filtered_by_level_and_holds_no_markup(served):
    log = LogFile(served.data)
    log.add(Priority.WARNING, "<script>the camera is lost")
    log.add(Priority.INFO, "a session begins")
    with served.browser("olga") as operator, served.browser("vera") as viewer:
        page = operator.get("/logs?level=warning").text
        assert "&lt;script&gt;the camera is lost" in page
        assert "a session begins" not in page
        assert "a session begins" in operator.get("/logs").text
        assert operator.get("/logs?level=loud").status_code == 400
        assert viewer.get("/logs").status_code == 403
        assert "/logs" not in viewer.get("/").text


def test_only_an_admin_runs_the_model_and_is_told_how_it_went(served, monkeypatch):
    ran = []
    monkeypatch.setattr("device.actions.device.prove", lambda bundle, use, every_level: ran.append(every_level))
    with served.browser("ada") as admin, served.browser("olga") as operator:
        assert "Verified: default" in admin.get("/model?verify=yes").text
        assert "Verified" not in operator.get("/model?verify=yes").text
        assert ran == [True]
        rolled = admin.post("/do/model/rollback", data={})
        assert (rolled.status_code, "no previous bundle" in rolled.text) == (409, True)


def test_an_admin_goes_back_to_the_model_before_and_the_log_says_so(served, tmp_path, monkeypatch):
    models, made = served.data / bundles.MODELS, tiny_bundle.make(tmp_path / "made")
    first = bundles.install(made, models, prove=lambda bundle: None)
    shutil.copytree(first, models / "second")
    bundles.activate(models, "second", prove=lambda bundle: None)
    monkeypatch.setattr("device.actions.device.prove", lambda bundle, use, every_level: None)
    with served.browser("ada") as admin, served.browser("olga") as operator:
        assert f"Go back to {first.name}" in admin.get("/model").text
        assert "Go back to" not in operator.get("/model").text
        assert admin.post("/do/model/rollback", data={"next": "/model"}).headers["location"] == "/model"
        assert "Go back to second" in admin.get("/model").text
        assert f"<td>second</td><td>{first.name}</td>" in operator.get("/logs").text


def test_what_the_running_device_was_started_with_is_said_and_not_offered(served, tmp_path, monkeypatch):
    given = {"model.level": "float16", "model.bundle": tmp_path / "tried"}
    answers = record_answers(served.data, served.site.settings, None, given)
    with served.browser("ada") as admin:
        monkeypatch.setattr(served.site, "ask", lambda command, **values: answers[command](values))
        page = admin.get("/settings").text
        assert "the device was started with --level, which comes first" in beside(page, "model.level")
        assert "<b>model.level</b> <code>float16</code>" in page
        models = admin.get("/model").text
        assert f"<code>{tmp_path / 'tried'}</code> is used: the device was started with --bundle" in models
        assert "go back" not in models
        assert "Verify" not in models  # which would be of the installed one
        refused = admin.post("/do/model/rollback", data={})
        assert (refused.status_code, "was started with --bundle" in refused.text) == (409, True)

        def busy(command, **values):
            raise ControlError("busy with 8 other requests")

        monkeypatch.setattr(served.site, "ask", busy)
        assert admin.get("/settings").status_code == 200  # as of the files, then


def test_a_screen_without_a_device_is_said_in_one_sentence(served):
    with served.browser("vera") as viewer:
        said = viewer.get("/api/v1/screen.png")
        assert (said.status_code, said.json()) == (
            409,
            {"error": "no device is running here, so there is no screen to show"},
        )
        assert viewer.post("/api/v1/screen/touch", json={"key": "tab"}).status_code == 403


def test_the_device_is_told_what_to_show_and_that_somebody_has_logged_in(served, monkeypatch):
    told = []
    monkeypatch.setattr(served.site, "ask", lambda command, **about: told.append((command, about)))
    served.site.about = {"address": "https://lab:8443/", "fingerprint": "AB"}
    served.site.say_where(password="first")
    with served.browser("ada"):
        pass
    assert told == [("web is", served.site.about | {"password": each}) for each in ("first", "")]
    monkeypatch.undo()
    served.site.say_where()  # no device is running
