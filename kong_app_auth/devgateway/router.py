"""Kong's router of the flavour `traditional_compatible`: which route a request takes."""

import re
from collections.abc import Iterable, Mapping

import msgspec

from kong_app_auth.devgateway.entities import Entity, reference, strings
from kong_app_auth.devgateway.exchange import Exchange


class Match(msgspec.Struct, frozen=True):
    """The route of a request, its service (None where the route has none), and the prefix that is stripped."""

    route: Entity
    service: Entity | None
    stripped: bytes


class _Candidate(msgspec.Struct, frozen=True):
    """A route with one of its paths."""

    route: Entity
    service: Entity | None
    order: tuple[float, ...]
    hosts: tuple["re.Pattern[bytes]", ...]
    headers: tuple[tuple[bytes, "re.Pattern[bytes] | frozenset[bytes]"], ...]
    methods: frozenset[bytes]
    prefix: bytes
    regex: "re.Pattern[bytes] | None"
    strip: bool

    def matches(self, path: bytes, host: bytes, exchange: Exchange) -> bytes | None:
        """Give the part of the path that matched, or None."""
        if self.regex is not None:
            found = self.regex.match(path)
            if found is None:
                return None
            matched = found[0]
        elif path.startswith(self.prefix):
            matched = self.prefix
        else:
            return None
        if self.methods and exchange.method not in self.methods:
            return None
        if self.hosts and not any(pattern.fullmatch(host) for pattern in self.hosts):
            return None
        for name, wanted in self.headers:
            values = [value.lower() for lower, _, value in exchange.headers if lower == name]
            if isinstance(wanted, frozenset):
                if not any(value in wanted for value in values):
                    return None
            elif not any(wanted.search(value) for value in values):
                return None
        return matched


class Router:
    """Routes in Kong's order: those that ask for more kinds of things first, then plain hosts, more headers, regular
    expressions by priority, longer paths, older routes.
    """

    def __init__(self, routes: Iterable[Entity], services: Mapping[str, Entity]) -> None:
        candidates: list[_Candidate] = []
        for route in routes:
            service_id = reference(route, "service")
            service = services.get(service_id) if service_id else None
            if service is not None and service.get("enabled") is False:
                continue
            candidates.extend(_candidates(route, service))
        self._candidates = sorted(candidates, key=lambda each: each.order)

    def find(self, exchange: Exchange, path: bytes) -> Match | None:
        """Find the route of a request whose normalized path is `path`."""
        host = exchange.host
        for candidate in self._candidates:
            matched = candidate.matches(path, host, exchange)
            if matched is not None:
                return Match(candidate.route, candidate.service, matched if candidate.strip else b"")
        return None


def _candidates(route: Entity, service: Entity | None) -> Iterable[_Candidate]:
    hosts = strings(route, "hosts")
    methods = strings(route, "methods")
    headers = route.get("headers")
    wanted = dict(headers) if isinstance(headers, dict) else {}
    paths = strings(route, "paths")
    kinds = sum(bool(each) for each in (hosts, methods, wanted, paths))
    wildcard = any("*" in host for host in hosts)
    created = route.get("created_at")
    priority = route.get("regex_priority")
    for path in paths or [""]:
        regex = path[1:] if path.startswith("~") else None
        yield _Candidate(
            route=route,
            service=service,
            order=(
                -kinds,
                wildcard,
                -len(wanted),
                regex is None,
                -(priority if isinstance(priority, int) and regex is not None else 0),
                -len(path),
                created if isinstance(created, int) else 0,
            ),
            hosts=tuple(_host(host) for host in hosts),
            headers=tuple(_header(name, values) for name, values in wanted.items()),
            methods=frozenset(method.encode() for method in methods),
            prefix=path.encode(),
            regex=None if regex is None else re.compile(regex.encode()),
            strip=route.get("strip_path") is True and bool(path),
        )


def _host(host: str) -> "re.Pattern[bytes]":
    plain = host.lower().partition(":")[0].encode()
    return re.compile(re.escape(plain).replace(rb"\*", rb".+"))


def _header(name: str, values: object) -> "tuple[bytes, re.Pattern[bytes] | frozenset[bytes]]":
    listed = [str(value) for value in values] if isinstance(values, list) else []  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if len(listed) == 1 and listed[0].startswith("~*"):
        return name.lower().encode(), re.compile(listed[0][2:].encode(), re.IGNORECASE)
    return name.lower().encode(), frozenset(value.lower().encode() for value in listed)
