"""Pictures come one by one, from folders however large, and from object stores."""

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from device.archive.examiner import Examiner, Job
from device.archive.inputs import Inputs
from device.archive.workers import ThisProcess, in_order
from smear.errors import ImageError
from smear.images import digest_of, folders


def test_a_folder_of_more_names_than_are_sorted_is_gone_through_whole(
    archive: Callable[[int], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "SORTED_ENTRIES", 5)
    folder = archive(12)
    (folder / "sub").mkdir()
    (folder / "003.png").rename(folder / "sub" / "a.png")
    inputs = Inputs([str(folder)])
    assert sorted(task.path.name for task in inputs.tasks()) == sorted(path.name for path in folder.rglob("*.png"))
    assert inputs.count == inputs.number() == 12


def test_pictures_of_a_bucket_are_those_of_a_folder(bucket: str, job: Job, archive: Callable[[int], Path]) -> None:
    import s3fs

    store, folder = s3fs.S3FileSystem(), archive(4)
    (folder / "002.png").write_bytes(b"no picture")
    for name in ("000.png", "sub/001.png", "sub/002.png", "notes.txt", ".hidden/003.png"):
        store.put_file(str(folder / Path(name).name) if name.endswith("png") else __file__, f"{bucket}/{name}")
    inputs = Inputs([bucket, f"{bucket}/sub/001.png"])
    inputs.require_pictures()
    with closing(ThisProcess(job)) as workers:
        done = {task.name: result for task, result in in_order(workers, Examiner.pictures, inputs.tasks())}
    assert list(done) == [f"{bucket}/{name}" for name in ("000.png", "sub/001.png", "sub/002.png")]
    assert inputs.passed_over == {".txt": 1}
    assert "not a picture in a known format" in (done.pop(f"{bucket}/sub/002.png").error or "")
    assert [result.sha256 for result in done.values()] == [digest_of(folder / name) for name in ("000.png", "001.png")]


def test_a_folder_of_a_bucket_that_cannot_be_listed_is_named_and_the_others_are_gone_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = pytest.importorskip("fsspec.implementations.local", reason="fsspec is missing: the extra 'cluster'")
    for folder in ("a", "b", "c"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "1.png").touch()
    (tmp_path / "c" / "2.png").symlink_to("1.png")
    os.mkfifo(tmp_path / "c" / "pipe.png")  # reading it would never end
    listed = local.LocalFileSystem.ls

    def refuse(self: object, path: str, **options: object) -> object:
        if path.endswith("b"):
            raise PermissionError(13, "Permission denied")
        return listed(self, path, **options)

    monkeypatch.setattr(local.LocalFileSystem, "ls", refuse)
    inputs = Inputs([f"file://{tmp_path}"])
    assert [task.name for task in inputs.tasks()] == [f"file://{tmp_path}/{n}.png" for n in ("a/1", "c/1", "c/2")]
    (sentence,) = inputs.unreadable
    assert sentence.startswith(f"file://{tmp_path}/b: cannot be opened")


@pytest.mark.parametrize("url", ["s3://nowhere/at-all", "s3://", "toaster://a/b"])
def test_what_is_not_there_is_named(bucket: str, url: str) -> None:
    inputs = Inputs([url])
    assert list(inputs.tasks()) == []
    (sentence,) = inputs.unreadable
    assert sentence.startswith(f"{url}: ")
    assert "check the URL" in sentence


def test_a_folder_without_a_picture_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="no picture in this folder"):
        Inputs([str(tmp_path)]).require_pictures()
