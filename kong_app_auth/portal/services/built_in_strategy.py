"""Every region has one strategy from the start: `key-auth`, the default of every portal that names no other."""

from typing import Final

from sqlalchemy import select

from kong_app_auth.portal.store.strategies import AuthStrategy
from kong_app_auth.portal.transaction import Transaction

NAME: Final = "key-auth"


def built_in(tx: Transaction) -> AuthStrategy:
    """Give the region's own key-auth strategy; it is made when it is first asked for, in a transaction that writes."""
    found = tx.session.scalar(
        select(AuthStrategy).where(AuthStrategy.region == tx.region, AuthStrategy.built_in.is_(True))
    )
    if found is None:
        found = AuthStrategy(
            region=tx.region,
            name=NAME,
            display_name=NAME,
            strategy_type="key_auth",
            config={"key_names": ["apikey"]},
            built_in=True,
        )
        tx.session.add(found)
        tx.session.flush()
    return found
