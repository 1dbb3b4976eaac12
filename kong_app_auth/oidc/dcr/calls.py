"""HTTP calls to a provider's API: JSON out, JSON in, and whatever goes wrong as DcrFailed."""

import json
import time
from collections.abc import Mapping
from typing import Any, Final, cast
from urllib.parse import urlencode

import msgspec

from kong_app_auth.oidc.dcr.provider import DcrFailed, FailureKind
from kong_app_auth.oidc.outgoing import Answer, ForbiddenAddress, Outgoing, Unreachable

TIMEOUT_SECONDS: Final = 15.0
"""For one call, all of it."""
MAX_ANSWER_BYTES: Final = 1 << 20
MAX_QUOTED: Final = 200
"""Characters of a provider's own words in an error."""
MAX_TEXT: Final = 4096
"""Characters of an identifier, a secret or a token in an answer."""
MAX_CLIENT_ID: Final = 255
MAX_RETRY_AFTER: Final = 3600
_HIDDEN: Final = "***"
_WRITES: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class Reply(msgspec.Struct, frozen=True):
    """A 2xx answer; `body` is the JSON in it, None where there is none."""

    status: int
    body: Any
    headers: dict[str, str]

    def __repr__(self) -> str:
        """Leave body and headers out: secrets are in them."""
        return f"Reply({self.status})"


class StatusRefused(DcrFailed):
    """The provider answered with this status, which is not 2xx."""

    def __init__(self, detail: str, kind: FailureKind, status: int, retry_after: int | None) -> None:
        super().__init__(detail, kind, retry_after)
        self.status = status


class Calls:
    """The calls to one provider. `secrets`: what must not be in an error, should the provider quote it to us."""

    def __init__(self, outgoing: Outgoing, secrets: tuple[str, ...], timeout: float = TIMEOUT_SECONDS) -> None:
        self._outgoing = outgoing
        self._secrets = secrets
        self._timeout = timeout

    def ask(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: Any = None,
        form: Mapping[str, str] | None = None,
        of_client: bool = False,
        changes: bool | None = None,
        hide: tuple[str, ...] = (),
        reads: bool = True,
    ) -> Reply:
        """Make a call and give its 2xx answer. Raises DcrFailed, which is StatusRefused where there was an answer.

        `content` is sent as JSON, `form` as a form. `of_client`: the URL is that of one client, so that 404 is
        UNKNOWN_CLIENT. `changes`: the call changes something at the provider (by default all but GET do), so that a
        lost answer is AMBIGUOUS, and the call is never made twice. `hide`: more that must not be in an error.
        `reads`: the text of a 2xx answer is wanted; where it is not, it need not be JSON.
        """
        changes = method in _WRITES if changes is None else changes
        body, sent = _encoded(content, form)
        try:
            answer = self._outgoing.request(
                method,
                url,
                body=body,
                headers={**sent, **(headers or {})},
                timeout=self._timeout,
                max_bytes=MAX_ANSWER_BYTES,
                once=changes,
            )
        except ForbiddenAddress as problem:
            raise DcrFailed(f"must not be asked: {problem.detail}", FailureKind.REFUSED) from None
        except Unreachable as problem:
            kind = FailureKind.AMBIGUOUS if changes and problem.may_have_arrived else FailureKind.UNREACHABLE
            raise DcrFailed(f"cannot be reached: {problem.detail}", kind) from None
        if 200 <= answer.status < 300:
            return Reply(answer.status, _decoded(answer, changes) if reads else None, answer.headers)
        words = self._words(answer, hide)
        raise StatusRefused(
            f"answered {answer.status}{f' ({words})' if words else ''}",
            _kind(answer.status, of_client, changes),
            answer.status,
            _retry_after(answer),
        )

    def _words(self, answer: Answer, hide: tuple[str, ...]) -> str:
        """Give what the provider says of its error, in a line, without secrets."""
        try:
            said = json.loads(answer.body)
        except (ValueError, RecursionError):
            return ""
        words = ": ".join(_error_texts(said))
        for secret in sorted({*self._secrets, *hide} - {""}, key=len, reverse=True):
            words = words.replace(secret, _HIDDEN)
        return "".join(character for character in words if character.isprintable())[:MAX_QUOTED]


def members_of(body: Any) -> dict[str, Any]:
    """Give the members of an object in an answer; none where it is no object."""
    return cast(dict[str, Any], body) if isinstance(body, dict) else {}


def text_of(body: Any, name: str, *, changed: bool) -> str:
    """Give a string member of an answer. Raises DcrFailed where it is of no use: AMBIGUOUS if something `changed`."""
    value = members_of(body).get(name)
    if not isinstance(value, str) or not 0 < len(value) <= MAX_TEXT or not value.isprintable():
        kind = FailureKind.AMBIGUOUS if changed else FailureKind.UNREACHABLE
        raise DcrFailed(f"answered without a usable {name}", kind)
    return value


def client_id_of(body: Any, name: str = "client_id", *, changed: bool) -> str:
    """Give the id of a client, as tokens may carry it (RFC 6749, appendix A.1). Raises DcrFailed as `text_of` does."""
    client_id = text_of(body, name, changed=changed)
    if len(client_id) > MAX_CLIENT_ID or not client_id.isascii():
        kind = FailureKind.AMBIGUOUS if changed else FailureKind.UNREACHABLE
        raise DcrFailed(f"answered without a usable {name}", kind)
    return client_id


def objects_of(body: Any) -> list[dict[str, Any]]:
    """Give the objects of a list in an answer to a question. Raises DcrFailed where it is none."""
    if not isinstance(body, list) or not all(isinstance(one, dict) for one in cast("list[object]", body)):
        raise DcrFailed("answered without the list that was asked for", FailureKind.UNREACHABLE)
    return cast("list[dict[str, Any]]", body)


def _encoded(content: Any, form: Mapping[str, str] | None) -> tuple[bytes | None, dict[str, str]]:
    if form is not None:
        return urlencode(form).encode(), {"Content-Type": "application/x-www-form-urlencoded"}
    if content is not None:
        return msgspec.json.encode(content), {"Content-Type": "application/json"}
    return None, {}


def _decoded(answer: Answer, changes: bool) -> Any:
    if not answer.body.strip():
        return None
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        kind = FailureKind.AMBIGUOUS if changes else FailureKind.UNREACHABLE
        raise DcrFailed("answered something that is no JSON", kind) from None


def _kind(status: int, of_client: bool, changes: bool) -> FailureKind:
    if status in (408, 425, 429):  # not taken up at all
        return FailureKind.UNREACHABLE
    if status in (404, 410) and of_client:
        return FailureKind.UNKNOWN_CLIENT
    if status >= 500:  # from a server in between too, behind which it may have been done
        return FailureKind.AMBIGUOUS if changes else FailureKind.UNREACHABLE
    return FailureKind.REFUSED


def _retry_after(answer: Answer) -> int | None:
    """Read how many seconds we are to wait.

    Microsoft sends Retry-After in seconds; Okta sends X-Rate-Limit-Reset and Auth0 X-RateLimit-Reset, the Unix time at
    which there may be requests again (their documents on rate limits). An HTTP date, which none sends, is not read.
    """
    if (seconds := _digits(answer, "retry-after")) is not None:
        return min(seconds, MAX_RETRY_AFTER)
    if answer.status != 429:
        return None
    for name in ("x-rate-limit-reset", "x-ratelimit-reset"):
        if (moment := _digits(answer, name)) is not None:
            return max(1, min(moment - int(time.time()), MAX_RETRY_AFTER))
    return None


def _digits(answer: Answer, name: str) -> int | None:
    text = answer.headers.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 11 else None


def _error_texts(said: Any) -> list[str]:
    """Give code and description from the forms of errors there are: RFC 6749's, Graph's, Okta's and Auth0's."""
    members = members_of(said)
    members = members_of(members.get("error")) or members
    names = ("error", "errorCode", "code", "error_description", "errorSummary", "message")
    return [members[name] for name in names if isinstance(members.get(name), str) and members[name]]
