"""Times the bare invokes of the interpreters inside a pipeline."""

import time
from dataclasses import dataclass, fields
from types import ModuleType
from typing import Any, NamedTuple

from smear.bundle.folder import Bundle
from smear.bundle.manifest import Role
from smear.inference.runtime import Runtime, RuntimeKind
from smear.inference.tflite import AI_EDGE_LITERT, TFLiteModel


class Span(NamedTuple):
    """How long one invoke took."""

    wall_ms: float
    cpu_ms: float  # processor time of all threads


class InvokeTimer:
    """Loads the models of a pipeline with timed interpreters; quantizing inputs and reading outputs is not timed."""

    def __init__(self, bundle: Bundle, level: str) -> None:
        self._bundle, self._level = bundle, level
        self._spans: dict[Role, list[Span]] = {"segmenter": [], "classifier": []}

    def wrap(self, role: Role, model: Runtime) -> Runtime:
        """Return the same file as `model` under the default runtime, timed; for the `wrap` of a pipeline."""
        model.close()
        plain = {each.name: getattr(AI_EDGE_LITERT, each.name) for each in fields(AI_EDGE_LITERT)}
        kind = TimedKind(**plain, spans=self._spans[role])
        return TFLiteModel(kind, self._bundle.read_model(role, self._level), self._bundle.model(role, self._level).name)

    def take(self) -> dict[Role, list[Span]]:
        """Return what was timed since the last call."""
        taken = {role: list(spans) for role, spans in self._spans.items()}
        for spans in self._spans.values():
            spans.clear()
        return taken


class TimedInterpreter:
    """An interpreter whose invokes are timed."""

    def __init__(self, interpreter: Any, spans: list[Span]) -> None:
        self._interpreter, self._spans = interpreter, spans

    def invoke(self) -> None:
        """Invoke, and keep how long it took."""
        started, cpu_before = time.perf_counter(), time.process_time()
        self._interpreter.invoke()
        self._spans.append(Span((time.perf_counter() - started) * 1e3, (time.process_time() - cpu_before) * 1e3))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._interpreter, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedKind(RuntimeKind):
    """A runtime whose interpreters are timed."""

    spans: list[Span]

    def load(self) -> ModuleType:
        """Import its module, with an interpreter that is timed."""
        module = RuntimeKind.load(self)
        timed = ModuleType(module.__name__)
        vars(timed)["Interpreter"] = lambda **settings: TimedInterpreter(module.Interpreter(**settings), self.spans)
        return timed
