"""Where the masks and overlays of `analyze` go: one file a picture, never over one that this program did not make."""

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import click

from smear.findings import Finding, Frame
from smear.images import encode_output, is_own_output
from smear.inference.overlay import draw_overlay
from smear.output_files import OutputFolder

OVERLAY_ENDING = "-overlay"  # of an overlay that shares its folder with the masks; as `capture` names its own


class AnalysisOutputs:
    """The folders for masks and overlays; None: not wanted."""

    def __init__(self, masks: Path | None, overlays: Path | None) -> None:
        """Make and open the folders.

        Raises:
            StoreError: one cannot be made.
        """
        self._opened = ExitStack()
        self._masks = self._open(masks, "--masks")
        self._overlays = self._open(overlays, "--overlays")
        shared = masks is not None and overlays is not None and masks.samefile(overlays)
        self._ending = OVERLAY_ENDING if shared else ""

    def __enter__(self) -> "AnalysisOutputs":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the folders back; safe to call twice."""
        self._opened.close()

    def require_free(self, names: Sequence[Path]) -> None:
        """Refuse now, before hours of work, what `write` would refuse.

        Raises:
            StoreError: a file of this name is there and not made by this program: a photograph, for example.
        """
        for name in names:
            for folder, output in self._files(name):
                folder.check(output, is_own_output)

    def write(self, name: Path, frame: Frame, finding: Finding) -> None:
        """Write what is wanted for the picture whose output is called `name`, a relative path.

        Raises:
            StoreError: it cannot be written, or would replace a file that this program did not make.
        """
        for folder, output in self._files(name):
            image = finding.mask.values if folder is self._masks else draw_overlay(frame.image, finding)
            folder.write(output, encode_output(image), is_own_output)

    def _files(self, name: Path) -> list[tuple[OutputFolder, Path]]:
        found = []
        if self._masks is not None:
            found.append((self._masks, name))
        if self._overlays is not None:
            found.append((self._overlays, name.with_stem(name.stem + self._ending)))
        return found

    def _open(self, path: Path | None, option: str) -> OutputFolder | None:
        if path is None:
            return None
        if str(path) == "-":
            raise click.UsageError(f"{option} takes a folder: several PNG files cannot be one stream")
        return self._opened.enter_context(OutputFolder(path, create=True))


def output_names(pictures: Sequence[Path]) -> list[Path]:
    """Return STEM.png for each picture; below its folder's name where two pictures share a stem, numbered if need be.

    Each name occurs once, also where a file system does not tell capitals from small letters.
    """
    stems = Counter(path.stem.casefold() for path in pictures)
    taken: set[str] = set()
    names = []
    for path in pictures:
        # The name of ".." or "." says nothing, and ".." would lead out of the folder.
        folder = path.parent.resolve().name if stems[path.stem.casefold()] > 1 else ""
        name, number = Path(folder, f"{path.stem}.png"), 0
        while str(name).casefold() in taken:
            number += 1
            name = Path(folder, f"{path.stem}-{number}.png")
        taken.add(str(name).casefold())
        names.append(name)
    return names
