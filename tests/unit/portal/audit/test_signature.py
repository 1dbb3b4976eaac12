import hashlib
import hmac
from datetime import UTC, datetime

from kong_app_auth.portal.audit.delivery import MAX_DELAY, delay_after, delivery_id
from kong_app_auth.portal.audit.signature import signature


def test_a_signature_is_the_hmac_of_time_and_body() -> None:
    moment = datetime(2026, 11, 23, 12, 0, 0, 999_999, tzinfo=UTC)
    expected = hmac.new(b"whsec_x", b'1795435200.{"a":"\xc3\xa9"}', hashlib.sha256).hexdigest()

    assert signature("whsec_x", moment, '{"a":"é"}'.encode()) == f"t=1795435200,v1={expected}"


def test_an_entry_has_one_delivery_id_a_destination() -> None:
    assert delivery_id("a", 1) == delivery_id("a", 1)
    assert len({delivery_id(destination, number) for destination in "ab" for number in (1, 2)}) == 4


def test_each_failure_doubles_the_wait_up_to_an_hour() -> None:
    for failures, longest in ((1, 5), (2, 10), (5, 80), (12, MAX_DELAY), (100, MAX_DELAY)):
        delays = {delay_after(failures).total_seconds() for _ in range(50)}
        assert len(delays) > 1
        assert all(longest / 2 <= delay <= longest for delay in delays)


def test_a_receiver_may_ask_for_more_time_but_not_for_less_nor_for_ever() -> None:
    assert delay_after(1, 60).total_seconds() == 60
    assert delay_after(100, 1).total_seconds() >= MAX_DELAY / 2
    assert delay_after(1, 10**9).total_seconds() == MAX_DELAY
