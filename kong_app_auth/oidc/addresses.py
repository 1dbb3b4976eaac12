"""Which addresses an identity provider may have: a URL that somebody typed must not lead into our own network.

The lists are those of IANA's registries of special-purpose addresses (RFC 6890), written out here because Python's own
idea of a global address differs from release to release.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, TypeAlias

_Networks: TypeAlias = tuple[IPv4Network | IPv6Network, ...]

_LOOPBACK: Final[_Networks] = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))
_PRIVATE: Final[_Networks] = (
    *(IPv4Network(one) for one in ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16")),
    IPv6Network("fc00::/7"),
)
_SPECIAL_4: Final[_Networks] = tuple(
    IPv4Network(one)
    for one in (
        "0.0.0.0/8",
        "168.63.129.16/32",  # what Azure's machines are told their secrets by; it looks public
        "169.254.0.0/16",  # link-local: the metadata services of the clouds
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
_UNICAST_6: Final = IPv6Network("2000::/3")
_SPECIAL_6: Final[_Networks] = tuple(
    IPv6Network(one)
    for one in (
        "2001::/23",  # Teredo, ORCHID and other protocols of the IETF
        "2001:db8::/32",
        "2002::/16",  # 6to4: an IPv4 address in disguise
        "3fff::/20",
    )
)
_NAT64: Final = IPv6Network("64:ff9b::/96")
"""RFC 6052: the last four bytes are an IPv4 address, which a gateway of the network connects to."""


def is_loopback(text: str) -> bool:
    """Say whether the address is this machine's own."""
    return _in(_plain(text), _LOOPBACK)


def is_permitted(text: str, *, private: bool, loopback: bool) -> bool:
    """Say whether a connection may go to the address, written without a zone.

    `private`: addresses of private networks too (RFC 1918, RFC 4193, RFC 6598). `loopback`: this machine's too.
    Link-local, multicast, documentation and reserved ones never are.
    """
    address = _plain(text)
    if _in(address, _LOOPBACK):
        return loopback
    if _in(address, _PRIVATE):
        return private
    return _is_public(address)


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv4Address):
        return not _in(address, (*_SPECIAL_4, *_LOOPBACK, *_PRIVATE))
    if address in _NAT64:
        return _is_public(IPv4Address(int(address) & 0xFFFFFFFF))
    return address in _UNICAST_6 and not _in(address, _SPECIAL_6)


def _in(address: IPv4Address | IPv6Address, networks: _Networks) -> bool:
    return any(address in network for network in networks)


def _plain(text: str) -> IPv4Address | IPv6Address:
    """Read an address; one of IPv4 written as IPv6 is what it means. Raises ValueError."""
    address = ip_address(text)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
