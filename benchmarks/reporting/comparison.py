"""Two results side by side: what became slower, larger or worse."""

from dataclasses import dataclass

from benchmarks.schema import Result

SLOWER = 1.10  # a median this many times the old one is a regression
WORSE = 0.005  # of accuracy, Dice or calibration error: what the conversion's gate allows a level to lose
_WORSE_WHEN_HIGHER = frozenset({"ece"})


@dataclass(frozen=True, slots=True)
class Change:
    """One figure in both results."""

    what: str
    old: float
    new: float
    regression: bool

    @property
    def ratio(self) -> float:
        """New over old."""
        return self.new / self.old if self.old else float("inf")


def changes(old: Result, new: Result, slower: float = SLOWER) -> list[Change]:
    """Return every figure that both results have, those of time and memory first."""
    before, after = _costs(old), _costs(new)
    found = [Change(k, before[k], after[k], after[k] > slower * before[k]) for k in before if k in after]
    for key, value in _gains(old).items():
        now = _gains(new).get(key)
        if now is not None:
            loss = now - value if key.split()[-1] in _WORSE_WHEN_HIGHER else value - now
            found.append(Change(key, value, now, loss > WORSE))
    return found


def gone(old: Result, new: Result) -> list[str]:
    """Return the figures that only `old` has: what is no longer measured cannot be told to be worse."""
    after = _costs(new).keys() | _gains(new).keys()
    return [what for what in (*_costs(old), *_gains(old)) if what not in after]


def unlike(old: Result, new: Result) -> list[str]:
    """Return why the two results should not be compared, in words."""
    a, b = old.environment, new.environment
    said = [
        f"{name}: {left} and {right}"
        for name, left, right in (
            ("another machine", a.machine, b.machine),
            ("another processor", a.cpu, b.cpu),
            ("another mode", old.mode, new.mode),
            ("another niceness", str(a.nice), str(b.nice)),
        )
        if left != right
    ]
    for name, env in (("first", a), ("second", b)):
        said += [f"the {name} run was {warning}" for warning in env.warnings]
    return said


def _costs(result: Result) -> dict[str, float]:
    found: dict[str, float] = {}
    for row in (*result.variants, *result.pairs, *result.training):
        if row.latency is not None:
            found[f"{row.key} p50 ms"] = row.latency.p50_ms
        if row.peak_mb:
            found[f"{row.key} peak MB"] = row.peak_mb
    for model in (*result.variants, *result.pairs):
        if model.rss_mb:
            found[f"{model.key} MB"] = model.rss_mb
    for stages in result.stages:
        found |= {f"{stages.name}, {stage} ms": ms for stage, ms in stages.stage_ms.items()}
        found[f"{stages.name}, total ms"] = stages.total_ms
    for live in result.live:
        found[f"{live.camera} camera to screen, p50 ms"] = live.to_screen.p50_ms
    if result.start:
        found["start to first finding s"] = result.start.first_finding_s
        found["start to help s"] = result.start.help_s
    return found


def _gains(result: Result) -> dict[str, float]:
    return {f"{pair.key} {name}": figure.value for pair in result.pairs for name, figure in pair.figures.items()}
