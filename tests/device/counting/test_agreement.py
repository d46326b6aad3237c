"""Two operators on the same cells."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.counting.agreement import agreement


def test_kappa_and_its_interval_are_those_of_a_published_table():
    """Fleiss, Levin and Paik, "Statistical Methods for Rates and Proportions", chapter 18: 0.68, error 0.088."""
    table = {("a", "a"): 75, ("a", "b"): 1, ("a", "c"): 4, ("b", "a"): 5, ("b", "b"): 4, ("b", "c"): 1, ("c", "c"): 10}
    found = agreement(pair for pair, n in table.items() for _ in range(n))
    assert found.kappa == pytest.approx(0.6765, abs=1e-4)
    assert (found.kappa_high - found.kappa_low) / 2 / 1.96 == pytest.approx(0.0877, abs=2e-4)
    assert found.confusion == ((75, 1, 4), (5, 4, 1), (0, 0, 10))
    assert (found.agreed.n, found.agreed.total) == (89, 100)


@pytest.mark.parametrize("pairs", [[], [("blast", "blast")] * 5])
def test_kappa_is_not_given_where_chance_explains_everything(pairs):
    found = agreement(pairs)
    assert found.kappa is found.kappa_low is found.kappa_high is None


def test_operators_who_never_agree_have_a_kappa_below_zero():
    assert agreement([("blast", "monocyte"), ("monocyte", "blast")]).kappa == -1.0


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd")), max_size=50))
def test_agreement_does_not_depend_on_who_comes_first(pairs):
    assert agreement([("a", "z"), ("z", "b")], ("z", "a")).classes == ("z", "a", "b")
    one, other = agreement(pairs), agreement([(b, a) for a, b in pairs])
    assert one.agreed == other.agreed
    assert (one.kappa, one.kappa_low, one.kappa_high) == pytest.approx((other.kappa, other.kappa_low, other.kappa_high))
    if one.kappa is not None:
        assert -1 <= one.kappa_low <= one.kappa <= one.kappa_high <= 1
    json.dumps(one.to_json(), allow_nan=False)
