"""Adding up: within bounds, nothing twice, what is beyond them counted as lost."""

from kong_app_auth.reports.codec import MAX_BYTES, encode
from kong_app_auth.reports.records import Refusal, Report, Usage
from kong_app_auth.reports.tally import MOST_BYTES, Tally
from tests.servers.samples import API, uid

MINUTE = 1_800_000_000 - 1_800_000_000 % 60
APP = uid("application")


def refusal(number: int) -> Refusal:
    return Refusal(f"{number:032x}", MINUTE, "registration_rejected", 403, APP, uid("credential"), API, uid("service"))


def test_requests_of_the_same_kind_in_the_same_minute_are_one_number() -> None:
    tally = Tally()
    for at in (MINUTE, MINUTE + 59, MINUTE + 60):
        tally.count(at, APP, API, "allowed")
    tally.count(MINUTE + 1, APP, API, "not_registered", 3)
    (report,) = tally.take()
    assert set(report.usage) == {
        Usage(MINUTE, APP, API, "allowed", 2),
        Usage(MINUTE + 60, APP, API, "allowed", 1),
        Usage(MINUTE, APP, API, "not_registered", 3),
    }
    assert not tally
    assert list(tally.take()) == []


def test_the_last_use_counts_whatever_the_order() -> None:
    tally = Tally()
    for at in (5, 9, 7):
        tally.use(APP, at)
    assert [report.uses for report in tally.take()] == [{APP: 9}]


def test_what_is_beyond_the_bounds_is_lost_and_counted() -> None:
    tally = Tally(usages=1, uses=1, refusals=1)
    for number in range(3):
        tally.count(MINUTE, uid(number), API, "allowed", 10)
        tally.use(uid(number), MINUTE)
        tally.refuse(refusal(number))
    tally.count(MINUTE, uid(0), API, "allowed", 1)
    (report,) = tally.take()
    assert report.usage == [Usage(MINUTE, uid(0), API, "allowed", 11)]
    assert report.uses == {uid(0): MINUTE}
    assert report.refusals == [refusal(0)]
    assert report.lost == 20 + 2 + 2


def test_pieces_are_small_enough_and_add_up_to_the_whole() -> None:
    tally, again = Tally(), Tally()
    for number in range(2000):
        tally.count(MINUTE, uid(number), API, "registration_rejected", 2**31)
        tally.use(uid(number), MINUTE)
        tally.refuse(refusal(number))
    tally.lost = 7
    reports = list(tally.take())
    assert max(len(encode(report)) for report in reports) <= MOST_BYTES < MAX_BYTES
    for report in reports:
        again.add(report)
    (whole,) = again.take(2**30)
    assert len(whole.usage) == len(whole.uses) == len(whole.refusals) == 2000
    assert whole.lost == 7


def test_a_loss_alone_is_told() -> None:
    tally = Tally()
    tally.lost = 3
    assert list(tally.take()) == [Report(lost=3)]
