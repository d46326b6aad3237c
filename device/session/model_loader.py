"""Loads the models, again when they failed or their bundle was swapped, and says when they are not those asked for."""

from collections.abc import Callable
from pathlib import Path

from device.model_pick import AUTO
from device.session.active_faults import ActiveFaults
from device.session.inference_worker import Processor, ProcessorSlot
from device.session.supervisor import Turn
from smear.bundle.levels import Level, level_spec
from smear.bundle.manifest import MANIFEST
from smear.errors import BundleError, InferenceError, RuntimeUnavailableError, SmearscopeError

BUNDLE = "bundle"
ACCELERATOR = "accelerator"
_LOOK_S = 2.0

Open = Callable[[Path, str, bool], Processor]
"""Opens a processor with the bundle in a folder, at a level or AUTO; when True, only after the bundle was proven in a
process of its own."""


class ModelLoader:
    """Opens processors for one session."""

    def __init__(
        self,
        find: Callable[[], Path],
        open_processor: Open,
        wanted: Callable[[], str],
        cpu_fallback: bool,
        faults: ActiveFaults,
    ) -> None:
        """`find` returns the folder of the bundle that is chosen now, `wanted` the level, or AUTO."""
        self.find = find
        self.tried: tuple[object, ...] = ()  # level, and fingerprint of the bundle, that were to be loaded last
        self.loaded: tuple[object, ...] = ()  # of those that were
        self._open = open_processor
        self._wanted = wanted
        self._cpu_fallback = cpu_fallback
        self._faults = faults
        self._on_cpu = False

    def load(self, failed: Exception | None = None, *, prove: bool = False) -> Processor:
        """Open a processor; `failed` is what ended the one before. `prove` is for a bundle that is new here.

        Raises:
            BundleError: the chosen bundle is gone, damaged or not proven.
            RuntimeUnavailableError: its accelerator is missing, and the settings do not allow the CPU.
            SmearscopeError: it cannot be opened.
        """
        path, wanted = self.find(), self._wanted()
        self.tried = (wanted, *fingerprint(path))  # before it is read: a swap meanwhile is noticed as one
        processor = self._opened(path, wanted, failed, prove)
        self.loaded = self.tried
        return processor

    def chosen(self, bundle: Path) -> tuple[object, ...]:
        """Return what changes when another level is chosen, or `bundle` is another one."""
        return self._wanted(), *fingerprint(bundle)

    def _opened(self, path: Path, wanted: str, failed: Exception | None, prove: bool) -> Processor:
        cpu_level = level_spec(wanted).cpu_level if wanted != AUTO else None  # one that was picked is for the CPU
        if cpu_level is None:  # it needs no accelerator
            self._on_cpu = False
            self._faults.resolve(ACCELERATOR)
            return self._open(path, wanted, prove)
        if isinstance(failed, InferenceError):
            self._give_up(failed, cpu_level)
        if not self._on_cpu:
            try:
                return self._open(path, wanted, prove)
            except RuntimeUnavailableError as error:
                self._give_up(error, cpu_level)
        return self._open(path, cpu_level, prove)

    def _give_up(self, error: SmearscopeError, cpu_level: Level) -> None:
        """Go on on the CPU where the settings allow it, never without saying so."""
        if not self._cpu_fallback:
            self._faults.report(ACCELERATOR, f"Edge TPU: {error}")
            raise RuntimeUnavailableError(
                f"the Edge TPU cannot be used ({error}); "
                f"model.cpu_fallback = true would go on with {cpu_level} on the CPU"
            ) from error
        self._on_cpu = True
        self._faults.report(ACCELERATOR, f"slow: on the CPU with {cpu_level}, as the Edge TPU cannot be used: {error}")


class BundleWatch:
    """Notices another bundle under the path in use, and hands it over once it is proven; `work` is one part.

    While the chosen bundle is gone, no field is examined.
    """

    def __init__(
        self, loader: ModelLoader, processors: ProcessorSlot, faults: ActiveFaults, look_s: float = _LOOK_S
    ) -> None:
        self._loader = loader
        self._processors = processors
        self._faults = faults
        self._look_s = look_s

    def work(self, turn: Turn) -> None:
        """Look every two seconds until told to stop."""
        while not turn.stop.wait(self._look_s):
            self.look()

    def look(self) -> None:
        """Compare the chosen bundle with the one last loaded; the same faulty one is not tried again and again."""
        try:
            now = self._loader.chosen(_present(self._loader.find()))
        except BundleError as error:
            self._processors.suspended = True
            self._faults.report(BUNDLE, str(error))
            return
        if now == self._loader.tried:
            if self._processors.suspended and now == self._loader.loaded:  # it is back
                self._processors.suspended = False
                self._faults.resolve(BUNDLE)
            return
        try:
            processor = self._loader.load(prove=True)
        except SmearscopeError as error:
            old = "is gone, so nothing is labelled" if self._processors.suspended else "goes on"
            self._faults.report(BUNDLE, f"the new bundle is refused, the old one {old}: {error}")
        else:
            self._processors.replace(processor)
            self._faults.resolve(BUNDLE)


def _present(bundle: Path) -> Path:
    """Return `bundle`.

    Raises:
        BundleError: it is gone.
    """
    if not (bundle / MANIFEST).is_file():
        raise BundleError(f"bundle {bundle} is gone, so nothing is labelled; put it back, or choose another one")
    return bundle


def fingerprint(bundle: Path) -> tuple[object, ...]:
    """Return what changes when the files of `bundle` do: its real place, and each file's size and time."""
    try:
        home = bundle.resolve()
        files = sorted((file.name, file.stat()) for file in home.iterdir())
    except OSError:
        return (str(bundle),)
    return (
        str(home),
        *((name, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino) for name, facts in files),
    )
