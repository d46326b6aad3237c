"""Things chosen by name: the built-in ones, and those that other distributions add by an entry point."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Generic, TypeVar

from smear.errors import SmearscopeError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What every registered thing declares; subclasses add its settings, its capabilities and how it is opened."""

    name: str  # of a plugin: also the name of its entry point
    help: str  # one sentence for people, without a full stop
    usage: str = ""  # how its name is written where that is more than the name, as `v4l2:/dev/video0`

    @property
    def written(self) -> str:
        """How a person writes the name."""
        return self.usage or self.name


SpecT = TypeVar("SpecT", bound=Spec)


@dataclass(frozen=True, slots=True)
class Problem:
    """A plugin that cannot be used, and why."""

    name: str
    text: str  # one line: which distribution, what is wrong, what to do


def _installed(group: str) -> "Iterable[EntryPoint]":
    from importlib.metadata import entry_points  # here: it takes longer to import than most commands take to run

    return entry_points(group=group)


class Registry(Generic[SpecT]):
    """Specs of one kind by name.

    Entry points are looked up only when a name is not a built-in one or when everything is listed, and a plugin is
    imported only then. A plugin that is broken, or whose name is taken, is kept out with a `Problem`; asking for it by
    name raises that problem. The built-in specs never depend on plugins.
    """

    def __init__(
        self,
        group: str,
        spec_type: type[SpecT],
        built_in: Iterable[SpecT],
        *,
        what: str,
        error: type[SmearscopeError],
        find_entry_points: "Callable[[str], Iterable[EntryPoint]]" = _installed,
    ) -> None:
        """Register the built-in specs.

        `group` is the entry points' group, such as "smearscope.cameras"; `what` is the word for one of them in
        messages, such as "camera"; `error` is raised for a name that cannot be used.
        """
        self.group = group
        self._spec_type = spec_type
        self._built_in = {spec.name: spec for spec in built_in}
        self.what = what
        self._error = error
        self._find_entry_points = find_entry_points

    def find(self, name: str) -> SpecT:
        """Return the spec called `name`.

        Raises:
            SmearscopeError: the `error` of this registry: no such name, or its plugin cannot be used.
        """
        if name in self._built_in:
            return self._built_in[name]
        plugins, problems = self._plugins
        if name in plugins:
            return plugins[name]
        for problem in problems:
            if problem.name == name:
                raise self._error(problem.text)
        raise self._error(f"{name!r} is no {self.what}; write one of: {', '.join(self.usages())}")

    def all(self) -> tuple[SpecT, ...]:
        """Return the built-in specs in their order, then the plugins that can be used, by name."""
        return (*self._built_in.values(), *self.plugins())

    def plugins(self) -> tuple[SpecT, ...]:
        """Return the specs of the plugins that can be used, by name."""
        return tuple(self._plugins[0].values())

    def usages(self) -> tuple[str, ...]:
        """Return how the names of `all` are written."""
        return tuple(spec.written for spec in self.all())

    def problems(self) -> tuple[Problem, ...]:
        """Return the plugins that cannot be used."""
        return self._plugins[1]

    @cached_property
    def _plugins(self) -> tuple[dict[str, SpecT], tuple[Problem, ...]]:
        found: dict[str, SpecT] = {}
        problems: list[Problem] = []
        points = sorted(self._find_entry_points(self.group), key=lambda point: (point.name, _distribution(point)))
        for point in points:
            owners = [_distribution(other) for other in points if other.name == point.name]
            if point.name in self._built_in:
                problems.append(self._problem(point, "the name belongs to a built-in one", "rename the entry point"))
            elif len(owners) > 1:
                reason = f"{' and '.join(owners)} both provide this name"
                problems.append(self._problem(point, reason, "uninstall one of them"))
            else:
                spec = self._load(point)
                if isinstance(spec, Problem):
                    problems.append(spec)
                else:
                    found[point.name] = spec
        return found, tuple(problems)

    def _load(self, point: "EntryPoint") -> "SpecT | Problem":
        try:
            spec = point.load()
        except Exception as error:  # noqa: BLE001 - the boundary to other people's code: importing it may raise anything
            reason = " ".join(str(error).split()) or type(error).__name__
            return self._problem(point, f"{point.value} cannot be loaded ({type(error).__name__}: {reason})")
        if not isinstance(spec, self._spec_type):
            return self._problem(point, f"{point.value} is no {self._spec_type.__name__}")
        if spec.name != point.name:
            return self._problem(point, f"{point.value} calls itself {spec.name!r}", "give both the same name")
        return spec

    def _problem(self, point: "EntryPoint", reason: str, advice: str = "") -> Problem:
        owner = _distribution(point)
        advice = advice or f"update or uninstall {owner}"
        return Problem(point.name, f"{self.what} {point.name!r} of {owner} cannot be used: {reason}; {advice}")


def _distribution(point: "EntryPoint") -> str:
    return point.dist.name if point.dist is not None else point.value
