"""A region with an application in every state that matters, and a `kong` object that writes down what it is told."""

import time
from collections.abc import Mapping
from typing import Any

import msgspec

from kong_app_auth.domain.api_key import digest, mint
from kong_app_auth.domain.records import (
    Acceptance,
    Api,
    Application,
    Credential,
    CredentialState,
    RegistrationState,
    Service,
    Strategy,
    StrategyType,
)
from kong_app_auth.registry.contents import Contents
from plugin_server.channel import EventEndedError
from tests.servers.samples import API, PORTAL, SERVICE, STRATEGY, uid

NOW = time.time()
OTHER_API, OTHER_SERVICE, OIDC = uid("other api"), uid("other service"), uid("oidc")
CONSUMER = uid("consumer")
REQUEST_ID = "0123456789abcdef0123456789abcdef"


class Person(msgspec.Struct):
    """An application with its key."""

    key: str
    application: Application
    credential: Credential


def _person(name: str, *, credential: Mapping[str, Any] | None = None, **application: Any) -> Person:
    fields: dict[str, Any] = {
        "id": uid(name),
        "portal_id": PORTAL,
        "strategy_id": STRATEGY,
        "developer_id": uid("developer"),
        "registrations": {API: RegistrationState.APPROVED},
        **application,
    }
    return Person(
        mint("eu"), Application(**fields), Credential(uid(("credential", name)), uid(name), **(credential or {}))
    )


PEOPLE = {
    "good": _person("good"),
    "team": _person("team", developer_id=None),
    "pending": _person("pending", registrations={API: RegistrationState.PENDING}),
    "rejected": _person("rejected", registrations={API: RegistrationState.REJECTED}),
    "revoked": _person("revoked", registrations={API: RegistrationState.REVOKED}),
    "unregistered": _person("unregistered", registrations={OTHER_API: RegistrationState.APPROVED}),
    "banned": _person("banned", developer_revoked=True),
    "elsewhere": _person("elsewhere", portal_id=uid("another portal")),
    "mapped": _person("mapped", consumers={API: CONSUMER}),
    "expired": _person("expired", credential={"expires_at": int(NOW) - 1}),
    "key revoked": _person("key revoked", credential={"state": CredentialState.REVOKED}),
}


def contents() -> Contents:
    return Contents(
        apis={
            API: Api(API, "Weather API", "v1", (Acceptance(PORTAL, STRATEGY),)),
            OTHER_API: Api(OTHER_API, "Maps API", "v2", (Acceptance(PORTAL, STRATEGY), Acceptance(PORTAL, OIDC))),
        },
        services={SERVICE: Service(SERVICE, API), OTHER_SERVICE: Service(OTHER_SERVICE, OTHER_API)},
        strategies={
            STRATEGY: Strategy(STRATEGY, "keys", StrategyType.KEY_AUTH, ("X-Api-Key", "apikey")),
            OIDC: Strategy(OIDC, "tokens", StrategyType.OPENID_CONNECT),
        },
        applications={person.application.id: person.application for person in PEOPLE.values()},
        credentials={digest(person.key): person.credential for person in PEOPLE.values()},
    )


class _Path:
    def __init__(self, kong: "FakeKong", name: str) -> None:
        self._kong = kong
        self._name = name

    def __getattr__(self, part: str) -> "_Path":
        return _Path(self._kong, f"{self._name}.{part}")

    def __call__(self, *arguments: Any) -> Any:
        return self._kong.called(self._name, arguments)


class FakeKong:
    """Writes down each call of the PDK. `answers` gives what functions return; an exception there is raised.

    With `lua_style` every function gives a pair of value and error, as in the stock server, which also goes on after
    `kong.response.exit`.
    """

    def __init__(self, headers: Mapping[str, Any] | None = None, *, lua_style: bool = False, **answers: Any) -> None:
        self.calls: list[tuple[str, tuple[Any, ...]]] = []
        self.lua_style = lua_style
        self.answers: dict[str, Any] = {
            "request.get_headers": dict(headers or {}),
            "request.get_raw_query": "",
            "request.get_method": "GET",
            "nginx.get_var": REQUEST_ID,
            "router.get_service": {"id": SERVICE, "name": "weather"},
            **{name.replace("__", "."): answer for name, answer in answers.items()},
        }

    def __getattr__(self, part: str) -> _Path:
        return _Path(self, part)

    def called(self, name: str, arguments: tuple[Any, ...]) -> Any:
        self.calls.append((name, arguments))
        answer = self.answers.get(name)
        if isinstance(answer, BaseException):
            raise answer
        if name == "response.exit" and not self.lua_style:
            raise EventEndedError
        if self.lua_style:
            return answer if isinstance(answer, tuple) else (answer, None)
        return answer

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.calls]

    def arguments(self, name: str) -> tuple[Any, ...]:
        """The arguments of the one call of this function."""
        (found,) = [arguments for called, arguments in self.calls if called == name]
        return found


class Outcome(msgspec.Struct):
    """What a client would get; `upstream` holds the headers set on the way to the upstream where the request passed."""

    kong: FakeKong
    status: int | None
    body: Any
    headers: dict[str, Any]
    upstream: dict[str, Any]
    refusals: list[dict[str, Any]]
    reported: list[tuple[Any, ...]]

    @property
    def allowed(self) -> bool:
        return self.status is None

    @property
    def reason(self) -> str | None:
        return str(self.refusals[0]["reason"]) if self.refusals else None
