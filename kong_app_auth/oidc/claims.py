"""The claims of a token or of an introspection's answer (RFC 7519, 4; RFC 7662, 2.2; RFC 9068, 2.2)."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, cast

from kong_app_auth.oidc.jose.outcomes import Failure, Fault

MOST_CLIENT_ID: Final = 255
"""Characters of a client id."""
_LATEST: Final = 253_402_300_799
"""The end of the year 9999 in Unix time: what is later is a mistake (milliseconds, for one) or hostile."""
_SCOPE_CLAIMS: Final = ("scope", "scp")


class Claims(dict[str, Any]):
    """The members of a payload. Shared between requests by the cache: never change one."""

    __slots__ = ("_audiences", "_scopes")
    _audiences: tuple[str, ...]
    _scopes: frozenset[str]

    def scopes(self) -> frozenset[str]:
        """Give the granted scopes: a text with blanks or a list of texts, in `scope` (RFC 8693, 4.2) or `scp`.

        Okta and Microsoft use `scp`. What is of another type grants nothing.
        """
        try:
            return self._scopes
        except AttributeError:
            self._scopes = frozenset(scope for name in _SCOPE_CLAIMS for scope in _words(self.get(name)))
            return self._scopes

    def audiences(self) -> tuple[str, ...]:
        """Give whom the token is for; none if `aud` is missing or of another type than RFC 7519, 4.1.3 says."""
        try:
            return self._audiences
        except AttributeError:
            self._audiences = _texts(self.get("aud"))
            return self._audiences

    def __repr__(self) -> str:
        """Never show what a token says."""
        return f"Claims({len(self)} members)"


def times_fault(claims: Claims, leeway: int, now: float) -> Failure | None:
    """Check `exp`, which must be there, `nbf` and `iat` against `now`; all in Unix time, `leeway` in seconds."""
    expires = _time(claims.get("exp"))
    if expires is None:
        return Failure(Fault.MALFORMED_CLAIM)
    if now >= expires + leeway:
        return Failure(Fault.EXPIRED)
    for name, fault in (("nbf", Fault.NOT_YET_VALID), ("iat", Fault.ISSUED_IN_FUTURE)):
        if name in claims:
            moment = _time(claims[name])
            if moment is None:
                return Failure(Fault.MALFORMED_CLAIM)
            if now < moment - leeway:
                return Failure(fault)
    return None


def valid_span(claims: Claims) -> tuple[float, float]:
    """Give from when until when claims without a `times_fault` hold, in Unix time and without leeway."""
    begins = max(_time(claims.get(name)) or 0 for name in ("nbf", "iat"))
    return begins, _time(claims.get("exp")) or 0


def types_fault(claims: Claims, required: Sequence[str] = ()) -> Failure | None:
    """Check that the registered claims are of their types, and that those of `required` are there."""
    for name in required:
        if name not in claims:
            return Failure(Fault.MALFORMED_CLAIM)
    for name in ("iss", "sub", "jti", "client_id"):
        if name in claims and (type(claims[name]) is not str or not claims[name]):
            return Failure(Fault.MALFORMED_CLAIM)
    if "aud" in claims and not claims.audiences():
        return Failure(Fault.MALFORMED_CLAIM)
    return None


def is_for_audience(claims: Claims, audience_required: Sequence[str]) -> bool:
    """Say whether the token is for one of the required audiences; none required: no check."""
    return not audience_required or any(one in audience_required for one in claims.audiences())


def has_scopes(claims: Claims, scopes_required: Sequence[str]) -> bool:
    """Say whether every scope of one entry was granted; blanks divide an entry. No entry: no check.

    An entry of nothing but blanks asks for no scope, and is passed over: it would let in everybody.
    """
    if not scopes_required:
        return True
    granted = claims.scopes()
    return any(entry.split() and granted.issuperset(entry.split()) for entry in scopes_required)


def client_ids(claims: Claims, credential_claims: Sequence[str]) -> tuple[str, ...]:
    """Give the client ids that a token names, in the order of `credential_claims`, each once.

    Names are as of `at`. Values are texts of 1 to 255 printable ASCII characters (RFC 6749, A.1); others are passed
    over.
    """
    found = (at(claims, name) for name in credential_claims)
    return tuple(dict.fromkeys(value for value in found if _is_client_id(value)))


def at(claims: Claims, name: str) -> Any:
    """Give a claim: by its name as it is; then, if that has dots, by a path through nested objects. None for none."""
    if name in claims or "." not in name:
        return claims.get(name)
    value: Any = claims
    for step in name.split("."):
        if not isinstance(value, dict):
            return None
        value = cast("dict[str, Any]", value).get(step)
    return value


def _is_client_id(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MOST_CLIENT_ID and value.isascii() and value.isprintable()


def _time(value: Any) -> float | None:
    """A NumericDate of RFC 7519, 2; a boolean is none, though Python counts it among the integers."""
    return value if type(value) in (int, float) and 0 <= value <= _LATEST else None


def _words(value: Any) -> Iterator[str]:
    for text in _texts(value):
        yield from text.split(" ") if " " in text else (text,)


def _texts(value: Any) -> tuple[str, ...]:
    """A text or a list of texts; nothing where one of them is empty or no text."""
    values = cast("Sequence[Any]", value) if isinstance(value, list) else (value,)
    return tuple(values) if all(type(one) is str and one for one in values) else ()
