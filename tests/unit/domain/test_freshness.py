"""How far a copy is trusted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kong_app_auth.domain.freshness import OUT_OF_TOUCH_AFTER, Freshness, freshness

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("age", "expected"),
    [
        (0.0, Freshness.IN_TOUCH),
        (5.0, Freshness.IN_TOUCH),
        (5.5, Freshness.OUT_OF_TOUCH),
        (3600.0, Freshness.OUT_OF_TOUCH),
        (3600.5, Freshness.UNAVAILABLE),
        (-5.0, Freshness.IN_TOUCH),
        (-5.5, Freshness.OUT_OF_TOUCH),
        (-3600.5, Freshness.UNAVAILABLE),
    ],
)
def test_by_the_age_of_the_last_news(age: float, expected: Freshness) -> None:
    assert freshness(NOW - age, NOW, 3600.0) is expected


@pytest.mark.parametrize("never", [0.0, -1.0, -0.0])
def test_a_copy_never_heard_of_is_not_available_however_long_it_may_be(never: float) -> None:
    assert freshness(never, 1.0, 1e12) is Freshness.UNAVAILABLE


def test_a_short_staleness_goes_before_being_out_of_touch() -> None:
    assert freshness(NOW - 2, NOW, 1.0) is Freshness.UNAVAILABLE


@given(st.floats(0, 4e9), st.floats(0, 4e9), st.floats(1, 31536000))
def test_nothing_older_than_was_allowed_is_available(heard: float, now: float, most: float) -> None:
    age = abs(now - heard)
    found = freshness(heard, now, most)
    assert (found is Freshness.UNAVAILABLE) == (age > most or heard == 0)
    if found is Freshness.IN_TOUCH:
        assert age <= OUT_OF_TOUCH_AFTER
