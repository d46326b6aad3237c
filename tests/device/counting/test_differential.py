"""The differential count: what is in the 100 %, what is beside it, and how its intervals compare with Rümke's table."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta, binomtest

from device.counting.cell_classes import DEFAULT_CLASSES, Role
from device.counting.differential import differential
from device.counting.share import share_of

NAMES = [each.name for each in DEFAULT_CLASSES]

# Rümke, "The statistically expected variability in differential leukocyte counting" (1979), 95 % limits in per cent of
# a cell found in `a` per cent of 100, 200, 500 and 1,000 leukocytes, as reprinted in haematology texts since.
RUMKE = """
a    100    200    500    1000
0    0-4    0-2    0-1    0-1
1    0-6    0-4    0-3    0-2
2    0-8    0-6    0-4    1-4
3    0-9    1-7    1-5    2-5
4    1-10   1-8    2-7    2-6
5    1-12   2-10   3-8    3-7
6    2-13   3-11   4-9    4-8
7    2-14   3-12   4-10   5-9
8    3-16   4-13   5-11   6-10
9    4-17   5-14   6-12   7-11
10   4-18   6-16   7-13   8-13
15   8-24   10-21  12-19  12-18
20   12-30  14-27  16-24  17-23
25   16-35  19-32  21-30  22-28
30   21-40  23-37  26-35  27-33
35   25-46  28-43  30-40  32-39
40   30-51  33-48  35-45  36-44
45   35-56  38-53  40-50  41-49
50   39-61  42-58  45-55  46-54
"""
FURTHEST = {100: 0.7, 200: 0.4, 500: 0.2, 1000: 0.1}
"""Percentage points that a Wilson limit may lie from the exact one, by the number of leukocytes."""


def rumke() -> list[tuple[int, int, int, int]]:
    """Return k, n, low and high of every entry of the table."""
    (_, *numbers), *rows = (line.split() for line in RUMKE.strip().splitlines())
    return [
        (int(a) * int(n) // 100, int(n), *map(int, limits.split("-")))
        for a, *row in rows
        for n, limits in zip(numbers, row, strict=True)
    ]


@pytest.mark.parametrize(("k", "n", "low", "high"), rumke())
def test_the_wilson_interval_lies_inside_the_limits_of_rumke(k, n, low, high):
    """His limits are the exact binomial ones rounded outwards to whole per cent; 11.98 and 37.98 are 12 and 38."""
    exact, wilson = binomtest(k, n).proportion_ci(), share_of(k, n)
    assert (math.floor(100 * exact.low + 0.03), math.ceil(100 * exact.high)) == (low, high)
    assert low <= 100 * wilson.low < 100 * wilson.high <= high


@pytest.mark.parametrize(("n", "points"), FURTHEST.items())
def test_a_wilson_limit_is_near_the_exact_one_for_every_number_of_cells(n, points):
    exact = beta.ppf(0.025, np.arange(n + 1), np.arange(n + 1, 0, -1))  # the lower ones; the upper mirror them
    wilson = [share_of(k, n).low for k in range(n + 1)]
    apart = 100 * np.abs(np.nan_to_num(exact) - wilson)
    assert points - 0.1 < apart.max() < points


def test_smudge_cells_and_nucleated_red_cells_are_beside_the_leukocytes_and_artefacts_are_nothing():
    count = differential({"blast": 30, "lymphocyte": 20, "smudge cell": 5, "artefact": 9, "unidentified": 0},
                         DEFAULT_CLASSES, 50)  # fmt: skip
    found = {each.name: each for each in count.classes}
    assert count.leukocytes == 50
    assert found["blast"].share == share_of(30, 50)
    assert (found["smudge cell"].share, found["smudge cell"].per_100) == (None, 10.0)
    assert (found["artefact"].share, found["artefact"].per_100) == (None, None)
    assert count.complete


@pytest.mark.parametrize(
    ("counts", "passed_over", "lacks"),
    [
        ({"blast": 199}, 0, "199 of 200 leukocytes"),
        ({"blast": 199, "unidentified": 1}, 0, "1 unidentified"),
        ({"blast": 200, "promyelocyte": 2}, 0, "2 unidentified"),  # a class that the settings no longer have
        ({"blast": 200}, 3, "3 passed over, which may bias the count"),
        ({"smudge cell": 200}, 0, "0 of 200 leukocytes"),
    ],
)
def test_a_count_says_what_it_lacks(counts, passed_over, lacks):
    count = differential(counts, DEFAULT_CLASSES, 200, passed_over)
    assert count.shortfalls == (lacks,)
    assert not count.complete


@given(st.dictionaries(st.sampled_from([*NAMES, "gone"]), st.integers(0, 10_000)), st.integers(1, 10_000))
def test_no_cell_is_lost_and_the_shares_are_a_whole(counts, target):
    count = differential(counts, DEFAULT_CLASSES, target)
    assert {each.name: each.n for each in count.classes if each.n} == {name: n for name, n in counts.items() if n}
    shares = [each.share for each in count.classes if each.share]
    assert {share.total for share in shares} == {count.leukocytes}
    assert sum(share.share for share in shares) == pytest.approx(1.0 if count.leukocytes else 0.0)
    assert all((each.per_100 is not None) == (each.role is Role.BESIDE and count.leukocytes > 0)
               for each in count.classes)  # fmt: skip
    json.dumps(count.to_json(), allow_nan=False)
