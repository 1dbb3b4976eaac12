"""Whose request it is, as far as the network tells: what rate limits count by."""

import ipaddress
from typing import Final

from starlette.requests import HTTPConnection

UNKNOWN: Final = "unknown"
"""The address of a client on a Unix socket: a proxy that was not made known, so all of its clients are one."""
_IPV6_NETWORK: Final = 64
"""A subscriber gets at least that many bits of IPv6 addresses: they count as one client."""


def client_address(request: HTTPConnection, trusted_proxies: int) -> str:
    """Give the address of the client.

    Each of `trusted_proxies` has added the address that it was called from at the right of `X-Forwarded-For`; what
    stands left of those was written by the client, and anything may stand there. With no proxy the header is not read.
    """
    peer = request.client.host if request.client is not None else UNKNOWN
    if trusted_proxies < 1:
        return peer
    hops = [hop.strip() for line in request.headers.getlist("x-forwarded-for") for hop in line.split(",")]
    if not hops:
        return peer
    return _address(hops[max(0, len(hops) - trusted_proxies)]) or peer


def counted_as(address: str) -> str:
    """Give what an address is counted as: itself, or its /64 network for IPv6."""
    try:
        known = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(known, ipaddress.IPv6Address):
        if known.ipv4_mapped is not None:
            return str(known.ipv4_mapped)
        return str(ipaddress.ip_network((known, _IPV6_NETWORK), strict=False))
    return str(known)


def _address(text: str) -> str | None:
    """Read an address as proxies write it: with a port or without, IPv6 in brackets or not."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
