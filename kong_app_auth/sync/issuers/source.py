"""A source with the keys of the issuers that its strategies name."""

from kong_app_auth.domain.records import Issuer
from kong_app_auth.registry.changes import Change, Delete, Put
from kong_app_auth.registry.contents import Contents
from kong_app_auth.registry.keys import Table
from kong_app_auth.sync.daemon import Source
from kong_app_auth.sync.declarative.complaints import Refusal
from kong_app_auth.sync.issuers.in_use import issuer_of
from kong_app_auth.sync.issuers.keys import IssuerKeys


class WithIssuers:
    """`source`, and what `keys` fetches of the issuers that its strategies name."""

    def __init__(self, source: Source, keys: IssuerKeys) -> None:
        self._source = source
        self._keys = keys
        self._named: dict[str, str] | None = None
        self._given: dict[str, Issuer] = {}

    def look(self) -> Contents | list[Change] | Refusal | None:
        """Give what is new in the source, or of the issuers. Raises NewerFeed as the source does."""
        found = self._source.look()
        if isinstance(found, Refusal):
            return found
        if isinstance(found, Contents):
            self._named = {one.id: issuer for one in found.strategies.values() if (issuer := issuer_of(one))}
            self._keys.use(self._named.values())
            self._given = self._keys.known()
            found.issuers = dict(self._given)
            return found
        if self._named is None:
            return found
        changes = [*(found or ()), *self._of_strategies(self._named, found or [])]
        changes += self._news()
        return changes or None

    def _of_strategies(self, named: dict[str, str], changes: list[Change]) -> list[Change]:
        """Follow in `named` what strategies name; an issuer that none names any more goes."""
        before = set(named.values())
        for change in changes:
            if change.table is Table.STRATEGIES and isinstance(change.id, str):
                issuer = issuer_of(change.record) if isinstance(change, Put) else None
                if issuer is None:
                    named.pop(change.id, None)
                else:
                    named[change.id] = issuer
        now = set(named.values())
        if now != before:
            self._keys.use(now)
        return [Delete(Table.ISSUERS, issuer) for issuer in sorted(before - now)]

    def _news(self) -> list[Change]:
        known = self._keys.known()
        changes: list[Change] = [
            Put(Table.ISSUERS, issuer_id, issuer)
            for issuer_id, issuer in known.items()
            if self._given.get(issuer_id) != issuer
        ]
        self._given = known
        return changes
