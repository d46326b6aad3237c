"""Models that answer with anything but sound numbers: no label, a code, valid JSON, nothing accepted in the store."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from device.cli import cli
from device.model_choice import open_processor
from device.store import Store
from smear.findings import Frame, RefusalCode
from smear.images import write_image
from smear.inference.frame_processor import FrameProcessor
from smear.inference.overlay import finding_json
from smear.inference.runtime import Runtime
from smear.synthetic import render

ROLES = ("segmenter", "classifier")
VALUES = (np.nan, np.inf, -np.inf, 3e38, -3e38, 1e30)
PLACES = {
    "everywhere": np.s_[...],
    "one value": np.s_[0, -1, -1:, -1:],
    "first channel": np.s_[..., 0],
    "last channel": np.s_[..., -1],
}


class Wrong:
    """A model that answers with `value` in one place of each of its answers."""

    def __init__(self, model: Runtime, value: float, place: str) -> None:
        self.name, self.input_shape, self.output_shape = model.name, model.input_shape, model.output_shape
        self._model, self._value, self._place = model, value, place

    def invoke(self, tensor: np.ndarray) -> np.ndarray:
        answer = self._model.invoke(tensor).copy()
        if self._place == "one value":
            answer.reshape(-1)[answer.size // 2] = self._value
        else:
            answer[PLACES[self._place]] = self._value
        return answer

    def close(self) -> None:
        self._model.close()


def opened(role: str, value: float, place: str, *words, **options) -> FrameProcessor:  # type: ignore[no-untyped-def]
    """Open a processor one of whose models is `Wrong`; the rest as `open_processor`."""
    settings, data, choice, *rest = words
    wrap = rest.pop(0) if rest else options.pop("wrap", lambda role, model: model)
    return open_processor(
        settings, data, choice,
        lambda which, model: Wrong(wrap(which, model), value, place) if which == role else wrap(which, model),
        *rest, **options,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def _defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SMEARSCOPE_CONFIG", raising=False)
    monkeypatch.setenv("SMEARSCOPE_DATA_DIR", str(tmp_path / "data"))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("role", ROLES)
def test_a_field_is_refused_as_an_invalid_answer_wherever_it_is_wrong(role: str, place: str, tmp_path: Path) -> None:
    from device.model_choice import ModelChoice
    from device.settings import Settings

    image = render("Pre", 1).image
    for value in VALUES:
        processor = opened(role, value, place, Settings(), tmp_path, ModelChoice())
        finding = processor.examine(Frame(image, "drawn"))
        processor.close()
        assert finding.label is None, value
        assert finding.probabilities == {}, value
        assert RefusalCode.INVALID_ANSWER in {refusal.code for refusal in finding.refusals}, value
        assert not any(cell.probabilities for cell in finding.cells)
        json.dumps(finding_json("drawn", finding), allow_nan=False)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("role", "value"), [*itertools.product(ROLES, (np.nan, np.inf, 1e30))])
def test_analyze_prints_valid_json_with_the_code(
    role: str, value: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_image(tmp_path / "field.png", render("Pre", 1).image)
    monkeypatch.setattr(
        "device.archive.examiner.open_processor",
        lambda *words, **more: opened(role, value, "everywhere", *words, **more),
    )
    done = CliRunner().invoke(cli, ["analyze", "--json", str(tmp_path / "field.png")], catch_exceptions=False)

    def refuse(constant: str) -> None:
        pytest.fail(f"{constant} is no JSON")

    result = json.loads(done.stdout.splitlines()[0], parse_constant=refuse)
    assert result["label"] is None
    assert "invalid_answer" in {refusal["code"] for refusal in result["refusals"]}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("role", ROLES)
def test_nothing_is_stored_as_accepted(role: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "device.commands.run.open_processor", lambda *words, **more: opened(role, np.nan, "everywhere", *words, **more)
    )
    words = ["run", "--camera", "simulated:", "--display", "none", "--fields", "2"]
    assert CliRunner().invoke(cli, words, catch_exceptions=False).exit_code == 0
    with Store.read(tmp_path / "data") as store:
        records = list(store.all_fields(1))
    assert records
    assert all(record.label is None for record in records)
    assert all("invalid_answer" in {str(refusal.code) for refusal in record.refusals} for record in records)
