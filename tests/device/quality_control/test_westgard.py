"""Westgard's rules, against series with published answers."""

import pytest

from device.quality_control.westgard import Rule, broken_rules, rejects

# P. L. Barry, "QC: the Levey-Jennings control chart", answers to the exercise, https://www.westgard.com/lssn12p2.htm:
# cholesterol on 28 days, two controls of mean 200 and 250 mg/dL and standard deviation 4 and 5 mg/dL.
LOW = (200, 205, 195, 202, 186, 207, 194, 209, 200, 196, 190, 204, 196, 207, 200, 205, 209, 197, 196, 198, 197, 195,
       198, 199, 191, 197, 190, 202)  # fmt: skip
HIGH = (247, 250, 255, 243, 254, 263, 251, 264, 253, 244, 261, 254, 239, 236, 250, 259, 257, 256, 249, 257, 241, 255,
        250, 259, 247, 242, 256, 246)  # fmt: skip
# "Use of a 12s rule as a strict rejection rule would result in rejecting runs on days ..."
BEYOND_2S = {5, 6, 8, 11, 13, 14, 17, 25, 27}
REJECTED = {5: Rule.ONE_3S, 8: Rule.TWO_2S, 11: Rule.RANGE_4S, 14: Rule.TWO_2S}  # the others are accepted


def broken_on(day: int) -> set[Rule]:
    low = [(value - 200) / 4 for value in LOW[:day]]
    high = [(value - 250) / 5 for value in HIGH[:day]]
    both = [z for pair in zip(low, high, strict=True) for z in pair]
    return {*broken_rules(low, both[:-1], high[-1:]), *broken_rules(high, both, low[-1:])}


def test_the_published_days_of_the_cholesterol_exercise_are_warned_of_and_rejected():
    found = {day: broken_on(day) for day in range(1, 29)}
    assert {day for day, rules in found.items() if Rule.WARNING in rules} == BEYOND_2S
    within_a_run = {Rule.ONE_3S, Rule.TWO_2S, Rule.RANGE_4S}
    assert {day: rules & within_a_run for day, rules in found.items() if rules & within_a_run} == {
        day: {rule} for day, rule in REJECTED.items()
    }


def test_the_negative_shift_that_the_exercise_asks_to_follow_is_ten_in_a_row_on_day_27():
    # Control 1 lies below its mean from day 18 on; the exercise calls it a shift on day 25.
    assert [day for day in range(1, 29) if Rule.TEN_X in broken_on(day)] == [27]


@pytest.mark.parametrize(("newest", "broken"), [(1.01, True), (1.03, True), (1.2, True), (1.0, False)])
def test_a_point_on_the_line_does_not_break_the_rule(newest, broken):
    # S. Westgard, "Q&A: the 4:1s rule", https://james.westgard.com/the_westgard_rules/2013/06/qa-41s-rule.html
    assert (Rule.FOUR_1S in broken_rules([1.5, 1.1, 1.4, newest])) is broken


@pytest.mark.parametrize(
    ("own", "others", "run", "expected"),
    [
        ([3.1], [], [], [Rule.ONE_3S, Rule.WARNING]),
        ([-3.0], [], [], [Rule.WARNING]),
        ([2.1, 2.2], [], [], [Rule.TWO_2S, Rule.WARNING]),
        ([2.1, -2.2], [], [], [Rule.WARNING]),  # two runs: R-4s is of one run alone
        ([-2.2], [], [2.1], [Rule.RANGE_4S, Rule.WARNING]),
        ([3.5], [], [-1.0], [Rule.ONE_3S, Rule.WARNING]),  # 4.5 apart, but one lies inside 2
        ([-1.1] * 4, [], [], [Rule.FOUR_1S]),
        ([1.2, 1.2], [1.1, 1.2, 1.3, 1.2], [], [Rule.FOUR_1S]),  # across two controls
        ([0.1] * 10, [], [], [Rule.TEN_X]),
        ([0.1] * 9 + [0.0], [], [], []),
    ],
)
def test_each_rule_is_broken_by_its_pattern_alone(own, others, run, expected):
    assert broken_rules(own, others, run) == expected


def test_the_warning_alone_rejects_nothing():
    assert not rejects([Rule.WARNING])
    assert rejects([Rule.TEN_X])
