"""Which issuers strategies name."""

from kong_app_auth.domain.records import Strategy
from kong_app_auth.registry.contents import Contents


def issuer_of(record: object) -> str | None:
    """Give the issuer that a strategy names."""
    named = record.openid_connect if isinstance(record, Strategy) else None
    return None if named is None else named.issuer


def keep_issuers(known: Contents, wanted: Contents) -> None:
    """Let issuers that could not be fetched yet stay as the registry has them: a provider may be down when we start."""
    for strategy in wanted.strategies.values():
        issuer_id = issuer_of(strategy)
        if issuer_id is not None and issuer_id not in wanted.issuers and issuer_id in known.issuers:
            wanted.issuers[issuer_id] = known.issuers[issuer_id]
