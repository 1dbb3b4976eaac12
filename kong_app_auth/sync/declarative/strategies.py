"""Reading `auth_strategies`."""

from collections.abc import Sequence
from typing import Final

from kong_app_auth.domain import openid_connect
from kong_app_auth.domain.key_names import wrong_name
from kong_app_auth.domain.records import OpenIdConnect, Strategy, StrategyType
from kong_app_auth.sync.declarative.fields import Fields
from kong_app_auth.sync.declarative.reading import Index, Reading

DEFAULT_KEY_NAMES = ("apikey",)
"""As in Kong's key-auth plugin."""
MOST_KEY_NAMES = 10

_FIELDS = ("id", "name", "strategy_type", "configs")
_OPENID_CONNECT_FIELDS: Final = ("issuer", *openid_connect.LISTS, *openid_connect.SECONDS)
_TYPES = {kind.value: kind for kind in StrategyType}
_CONFIGS: Final = {StrategyType.KEY_AUTH: "key-auth", StrategyType.OPENID_CONNECT: "openid-connect"}


def read_strategies(top: Fields, reading: Reading) -> Index[Strategy]:
    """Read the auth strategies into the contents; they are known by name and by id."""
    index: Index[Strategy] = Index("auth strategy")
    for fields in top.maps("auth_strategies", _FIELDS):
        name = fields.text("name", required=True)
        kind = fields.choice("strategy_type", _TYPES)
        key_names, tokens = _configuration(fields, kind)
        if name is None:
            continue
        strategy = Strategy(
            id=reading.id_of("auth strategy", fields, name),
            name=name,
            type=kind or StrategyType.KEY_AUTH,
            key_names=key_names,
            openid_connect=tokens,
        )
        index.add((name,), strategy.id, strategy, fields)
        reading.contents.strategies[strategy.id] = strategy
    return index


def _configuration(fields: Fields, kind: StrategyType | None) -> tuple[tuple[str, ...], OpenIdConnect | None]:
    """Read the configuration of the strategy's own type; that of the other type is refused."""
    configs = fields.map("configs", _CONFIGS.values())
    if kind is None:
        return (), None
    if configs is not None:
        for other, name in _CONFIGS.items():
            if other is not kind and configs.has(name):
                configs.complain(name, f"is not the configuration of a strategy of the type {kind.value}")
    if kind is StrategyType.KEY_AUTH:
        return _key_names(configs), None
    if configs is None or not configs.has("openid-connect"):
        if configs is not None or not fields.has("configs"):
            (configs or fields).complain(None, 'the field "configs.openid-connect" is missing')
        return (), None
    settings = configs.map("openid-connect", _OPENID_CONNECT_FIELDS)
    return (), None if settings is None else _openid_connect(settings)


def _key_names(configs: Fields | None) -> tuple[str, ...]:
    key_auth = configs.map("key-auth", ("key_names",)) if configs is not None else None
    if key_auth is None or not key_auth.has("key_names"):
        return DEFAULT_KEY_NAMES
    names = key_auth.texts("key_names")
    if names is None:
        return DEFAULT_KEY_NAMES
    if not 1 <= len(names) <= MOST_KEY_NAMES:
        key_auth.complain("key_names", f"must hold 1 to {MOST_KEY_NAMES} names")
    wrong = wrong_name(names)
    if wrong is not None:
        key_auth.complain("key_names", wrong.fault, entry=wrong.entry)
    return tuple(names)


def _openid_connect(fields: Fields) -> OpenIdConnect | None:
    """Read the settings for tokens. A method that grants nothing is a mistake here, not so in the portal."""
    config = _settings(fields)
    broken = {name for name in _OPENID_CONNECT_FIELDS if fields.has(name) and name not in config}
    for wrong in openid_connect.what_is_wrong(config):
        if fields.has(wrong.field) and wrong.field not in broken:
            fields.complain(wrong.field, wrong.reason, entry=wrong.entry)
        broken.add(wrong.field)
    found = None if broken else openid_connect.read(config)
    if not isinstance(found, OpenIdConnect):
        return None
    _check_methods(fields, found.auth_methods)
    return found


def _settings(fields: Fields) -> dict[str, object]:
    """Read each setting by its kind; those that are left out, or were complained about, are not among them."""
    read: dict[str, object] = {"issuer": fields.text("issuer", required=True)}
    read.update((name, fields.texts(name)) for name in openid_connect.LISTS if fields.has(name))
    read.update((name, fields.whole_number(name)) for name in openid_connect.SECONDS if fields.has(name))
    return {name: value for name, value in read.items() if value is not None}


def _check_methods(fields: Fields, methods: Sequence[str]) -> None:
    if not fields.has("auth_methods"):
        fields.complain(None, f'the field "auth_methods" is missing: some of {", ".join(openid_connect.METHODS)}')
    elif not methods:
        fields.complain("auth_methods", "is empty: nobody would be let in")
    for entry, method in enumerate(methods):
        if method not in openid_connect.METHODS:
            fields.complain("auth_methods", f"must be of {', '.join(openid_connect.METHODS)}", entry=entry)
            return
