import csv
from dataclasses import asdict
from pathlib import Path

import pytest
from click.testing import CliRunner

from smear.classes import LABELS
from smear.errors import DatasetError
from train.cli import command
from train.data import splits
from train.data.dataset import FULL_SET, Dataset, Record
from train.data.splits import Audited


def named(counts: dict[str, int]) -> Dataset:
    """A data set by name only: splits never open a picture."""
    records = [
        Record(f"{label}/{number:04d}.jpg", label, Path(f"{label}/{number:04d}.jpg"), f"{label}{number}")
        for label in LABELS
        for number in range(counts[label])
    ]
    return Dataset(Path(), tuple(records))


def audit_of(data: Dataset, per_group: int = 3, sessions: int = 3) -> dict[str, Audited]:
    """Groups of `per_group` neighbours; every group whole in one session."""
    audit = {}
    for record in data.records:
        group = int(record.path.stem) // per_group
        audit[record.file] = Audited(record.sha256, f"{record.label}{group}", f"{record.label}-{group % sessions + 1}")
    return audit


def all_of(fold: splits.Fold) -> list[str]:
    return [file for part in asdict(fold).values() for file in part]


DATA = named(dict.fromkeys(LABELS, 90))


def test_the_paper_split_of_the_full_set_has_the_papers_counts() -> None:
    data = named(FULL_SET)
    (fold,) = splits.make("paper", data, {}, 0).folds
    for label, counts in splits.PAPER_COUNTS.items():
        assert tuple(sum(f.startswith(label) for f in part) for part in asdict(fold).values()) == counts
    assert sorted(all_of(fold)) == [r.file for r in data.records]


def test_the_paper_split_of_a_part_keeps_the_proportions() -> None:
    (fold,) = splits.make("paper", DATA, {}, 0).folds
    assert (len(fold.train), len(fold.validation), len(fold.test)) == pytest.approx((230, 58, 72), abs=3)


@pytest.mark.parametrize("name", splits.NAMES)
def test_every_field_is_in_one_part_of_a_fold(name: str) -> None:
    for fold in splits.make(name, DATA, audit_of(DATA), 0).folds:
        assert sorted(all_of(fold)) == [r.file for r in DATA.records]


@pytest.mark.parametrize("name", splits.NAMES)
def test_the_same_seed_gives_the_same_split_and_another_seed_another(name: str) -> None:
    first = splits.make(name, DATA, audit_of(DATA), 1)
    assert first == splits.make(name, DATA, audit_of(DATA), 1)
    assert first.folds != splits.make(name, DATA, audit_of(DATA), 2).folds


@pytest.mark.parametrize("name", ["grouped", "session"])
def test_no_group_is_on_two_sides(name: str) -> None:
    audit = audit_of(DATA)
    for fold in splits.make(name, DATA, audit, 0).folds:
        parts = [{audit[file].group for file in part} for part in asdict(fold).values()]
        assert len(parts[0] | parts[1] | parts[2]) == sum(map(len, parts))


def test_the_grouped_split_keeps_classes_in_proportion() -> None:
    (fold,) = splits.make("grouped", DATA, audit_of(DATA), 0).folds
    for label in LABELS:
        assert sum(f.startswith(label) for f in fold.test) == pytest.approx(18, abs=3)
        assert sum(f.startswith(label) for f in fold.validation) == pytest.approx(14, abs=3)


def test_each_session_of_every_class_is_the_test_once_and_never_learnt_from() -> None:
    audit = audit_of(DATA)
    folds = splits.make("session", DATA, audit, 0).folds
    assert sorted(file for fold in folds for file in fold.test) == [r.file for r in DATA.records]
    for number, fold in enumerate(folds, 1):
        assert {audit[file].session for file in fold.test} == {f"{label}-{number}" for label in LABELS}
        assert not {audit[f].session for f in fold.test} & {audit[f].session for f in fold.train + fold.validation}


def test_a_class_with_fewer_sessions_is_named() -> None:
    audit = audit_of(DATA)
    audit |= {file: Audited(k.sha256, k.group, "Pro-1") for file, k in audit.items() if file.startswith("Pro")}
    with pytest.raises(DatasetError, match="session 2 has no field of Pro"):
        splits.make("session", DATA, audit, 0)


def test_an_audit_of_other_files_is_refused() -> None:
    audit = audit_of(DATA)
    first = DATA.records[0].file
    audit[first] = Audited("another", audit[first].group, audit[first].session)
    with pytest.raises(DatasetError, match=f"1 of 360 fields .* {first} first"):
        splits.make("grouped", DATA, audit, 0)


def test_too_few_fields_to_divide_are_an_error() -> None:
    few = named(dict.fromkeys(LABELS, 4))
    with pytest.raises(DatasetError, match=r"Benign: 4 different fields, .* add 1 of other places"):
        splits.make("grouped", few, audit_of(few, per_group=1, sessions=1), 0)


def test_a_stored_split_comes_back_whole(tmp_path: Path) -> None:
    split = splits.make("session", DATA, audit_of(DATA), 0)
    splits.save(split, tmp_path / "new" / "split.json")
    assert splits.load(tmp_path / "new" / "split.json", DATA.fingerprint) == split


def test_a_split_of_other_data_is_refused(tmp_path: Path) -> None:
    splits.save(splits.make("paper", DATA, {}, 0), tmp_path / "split.json")
    with pytest.raises(DatasetError, match="fingerprint"):
        splits.load(tmp_path / "split.json", named(dict.fromkeys(LABELS, 91)).fingerprint)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"name": "paper", "seed": 0, "fingerprint": "", "folds": [{}]}'])
def test_a_damaged_split_file_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "split.json").write_text(text)
    with pytest.raises(DatasetError, match="not a split"):
        splits.load(tmp_path / "split.json")


def test_an_audit_is_read_by_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "audit.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(
            [["file", "blur", "sha256", "group", "session"], ["Pro/a.jpg", 3, "s", "g1", "Pro-1"]]
        )
    assert splits.read_audit(path) == {"Pro/a.jpg": Audited("s", "g1", "Pro-1")}


def test_a_table_that_is_no_audit_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("file,label\nPro/a.jpg,Pro\n")
    with pytest.raises(DatasetError, match="not an audit"):
        splits.read_audit(tmp_path / "other.csv")


def test_grouped_without_an_audit_is_a_usage_error(tmp_path: Path) -> None:
    outcome = CliRunner().invoke(command, ["split", str(tmp_path), "--name", "grouped", "--out", str(tmp_path / "s")])
    assert outcome.exit_code == 2
    assert "--audit" in outcome.output
