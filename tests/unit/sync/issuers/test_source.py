"""Which issuers are in use, by what a source says: contents first, and changes in them then."""

from collections.abc import Iterable

from kong_app_auth.domain.records import Issuer, OpenIdConnect, Strategy, StrategyType
from kong_app_auth.registry.changes import Change, Delete, Put
from kong_app_auth.registry.contents import Contents
from kong_app_auth.registry.keys import Table
from kong_app_auth.sync.issuers.source import WithIssuers

FIRST, SECOND = "https://first.example.com", "https://second.example.com"


class Given:
    """A source that gives these, one after the other."""

    def __init__(self, *found: Contents | list[Change]) -> None:
        self.found = list(found)

    def look(self) -> Contents | list[Change] | None:
        return self.found.pop(0) if self.found else None


class Keys:
    """Keeps what it is asked to fetch; everything is fetched at once."""

    def __init__(self) -> None:
        self.wanted: set[str] = set()

    def use(self, issuer_ids: Iterable[str]) -> None:
        self.wanted = set(issuer_ids)

    def known(self) -> dict[str, Issuer]:
        return {one: Issuer(one, one) for one in sorted(self.wanted)}


def _put(name: str, issuer: str) -> Put:
    strategy = Strategy(name, name, StrategyType.OPENID_CONNECT, openid_connect=OpenIdConnect(issuer))
    return Put(Table.STRATEGIES, name, strategy)


def _issuers(changes: object) -> list[tuple[str, str]]:
    assert isinstance(changes, list)
    return [(type(one).__name__, one.id) for one in changes if one.table is Table.ISSUERS]


def test_strategies_that_come_one_by_one_to_nothing_at_all_are_all_followed() -> None:
    keys = Keys()
    source = WithIssuers(Given(Contents(), [_put("a", FIRST)], [_put("b", SECOND)], [_put("c", SECOND)]), keys)  # type: ignore[arg-type]
    source.look()
    for _ in range(3):
        source.look()
    assert keys.wanted == {FIRST, SECOND}


def test_an_issuer_goes_with_the_last_strategy_that_names_it() -> None:
    keys = Keys()
    gone = [[Delete(Table.STRATEGIES, "a")], [_put("b", SECOND)]]
    source = WithIssuers(Given(Contents(), [_put("a", FIRST), _put("b", FIRST)], *gone), keys)  # type: ignore[arg-type]
    source.look()
    assert _issuers(source.look()) == [("Put", FIRST)]
    assert _issuers(source.look()) == []
    assert _issuers(source.look()) == [("Delete", FIRST), ("Put", SECOND)]
    assert keys.wanted == {SECOND}
