"""Reading `auth_strategies`."""

import re

from kong_app_auth.domain.identity_headers import spoofed
from kong_app_auth.domain.records import Strategy, StrategyType
from kong_app_auth.sync.declarative.fields import Fields
from kong_app_auth.sync.declarative.reading import Index, Reading

DEFAULT_KEY_NAMES = ("apikey",)
"""As in Kong's key-auth plugin."""
MOST_KEY_NAMES = 10

_FIELDS = ("id", "name", "strategy_type", "configs")
_HEADER_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_TYPES = {StrategyType.KEY_AUTH.value: StrategyType.KEY_AUTH}


def read_strategies(top: Fields, reading: Reading) -> Index[Strategy]:
    """Read the auth strategies into the contents; they are known by name and by id."""
    index: Index[Strategy] = Index("auth strategy")
    for fields in top.maps("auth_strategies", _FIELDS):
        name = fields.text("name", required=True)
        kind = fields.choice("strategy_type", _TYPES)
        key_names = _key_names(fields)
        if name is None:
            continue
        strategy = Strategy(
            id=reading.id_of("auth strategy", fields, name),
            name=name,
            type=kind or StrategyType.KEY_AUTH,
            key_names=key_names,
        )
        index.add((name,), strategy.id, strategy, fields)
        reading.contents.strategies[strategy.id] = strategy
    return index


def _key_names(fields: Fields) -> tuple[str, ...]:
    configs = fields.map("configs", ("key-auth",))
    key_auth = configs.map("key-auth", ("key_names",)) if configs is not None else None
    if key_auth is None or not key_auth.has("key_names"):
        return DEFAULT_KEY_NAMES
    names = key_auth.texts("key_names")
    if names is None:
        return DEFAULT_KEY_NAMES
    if not 1 <= len(names) <= MOST_KEY_NAMES:
        key_auth.complain("key_names", f"must hold 1 to {MOST_KEY_NAMES} names")
    elif not all(_HEADER_NAME.fullmatch(name) for name in names):
        key_auth.complain("key_names", "must be names of headers: letters, digits, - and _, at most 64")
    elif len({name.lower() for name in names}) != len(names):
        key_auth.complain("key_names", "names the same header twice")
    elif spoofed(name.lower() for name in names):
        key_auth.complain("key_names", "names a header that carries the caller's identity to the upstream")
    return tuple(names)
