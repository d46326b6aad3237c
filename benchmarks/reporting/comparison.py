"""Compares two results: what became slower, larger or worse."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.schema import BenchmarkError, Pair, Result, Step, Variant

SLOWER = 1.10  # a median this many times the old one is a regression
WORSE = 0.005  # of accuracy, Dice or calibration error: what the limits of a conversion allow a level to lose
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


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that two results have in common, and what they have not."""

    changes: tuple[Change, ...]  # every figure that both have, those of time and memory first
    missing: tuple[str, ...]  # figures that only the old result has: whether they became worse is unknown
    cautions: tuple[str, ...]  # why the two may not be comparable
    slower: float  # how many times the old time is a regression

    @property
    def regressions(self) -> int:
        """How many figures became worse."""
        return sum(change.regression for change in self.changes)

    @property
    def notable(self) -> tuple[Change, ...]:
        """The changes beyond the allowance, for better or worse."""
        return tuple(c for c in self.changes if c.regression or not 1 / self.slower < c.ratio < self.slower)


def compare(old: Result, new: Result, slower: float = SLOWER) -> Comparison:
    """Compare two results.

    Raises:
        BenchmarkError: they have no figure in common.
    """
    before, after = _costs(old), _costs(new)
    changes = [Change(k, before[k], after[k], after[k] > slower * before[k]) for k in before if k in after]
    quality_before, quality_after = _quality(old), _quality(new)
    for key, value in quality_before.items():
        now = quality_after.get(key)
        if now is not None:
            loss = now - value if key.split()[-1] in _WORSE_WHEN_HIGHER else value - now
            changes.append(Change(key, value, now, loss > WORSE))
    if not changes:
        raise BenchmarkError("the two results have no figure in common; measure the same levels in both")
    missing = [what for what in (*before, *quality_before) if what not in after and what not in quality_after]
    return Comparison(tuple(changes), tuple(missing), _cautions(old, new), slower)


def _cautions(old: Result, new: Result) -> tuple[str, ...]:
    """Return why the two results may not be comparable."""
    a, b = old.environment, new.environment
    found = [
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
        found += [f"the {name} run was {warning}" for warning in env.warnings]
    return tuple(found)


def _costs(result: Result) -> dict[str, float]:
    found: dict[str, float] = {}
    timed: Sequence[Variant | Pair | Step] = [*result.variants, *result.pairs, *result.training]
    for row in timed:
        if row.latency is not None:
            found[f"{row.key} p50 ms"] = row.latency.p50_ms
        if row.peak_mb:
            found[f"{row.key} peak MB"] = row.peak_mb
    models: Sequence[Variant | Pair] = [*result.variants, *result.pairs]
    for model in models:
        if model.rss_mb:
            found[f"{model.key} MB"] = model.rss_mb
    for stages in result.stages:
        found |= {f"{stages.name}, {stage} ms": ms for stage, ms in stages.stage_ms.items()}
        found[f"{stages.name}, total ms"] = stages.total_ms
    for live in result.live:
        found[f"{live.camera} camera to screen, p50 ms"] = live.to_screen.p50_ms
    found |= {f"{row.key} on {row.processor}, M instructions": row.millions for row in result.instructions}
    if result.start:
        found["start to first finding s"] = result.start.first_finding_s
        found["start to help s"] = result.start.help_s
    return found


def _quality(result: Result) -> dict[str, float]:
    return {f"{pair.key} {name}": figure.value for pair in result.pairs for name, figure in pair.figures.items()}
