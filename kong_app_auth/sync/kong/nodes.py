"""The Admin APIs of a gateway: those that its file names, or all that a name stands for now."""

import socket
from urllib.parse import urlsplit

from kong_app_auth.sync.kong.admin_api import Access, AdminApi
from kong_app_auth.sync.kong.failures import Code, KongFailed
from kong_app_auth.sync.kong.gateways import BadGateways, Gateway


class Nodes:
    """Clients of a gateway's Admin APIs, kept from one look to the next. Used by one thread."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._known: dict[str, AdminApi] = {}

    def current(self) -> list[AdminApi]:
        """Give a client for each Admin API that there is now, with the token that is shown now. Raises KongFailed."""
        gateway = self._gateway
        try:
            token = gateway.read_token()
        except BadGateways as bad:
            raise KongFailed(Code.BAD_REQUEST, str(bad)) from None
        urls = dict[str, str | None].fromkeys(gateway.urls)
        if gateway.resolve:
            urls = {found: host for url in gateway.urls for found, host in addresses(url).items()}
        for gone in self._known.keys() - urls.keys():
            self._known.pop(gone).close()
        apis = [self.client(url, host) for url, host in urls.items()]
        for api in apis:
            api.use_token(token)
        return apis

    def client(self, url: str, host: str | None = None) -> AdminApi:
        """Give the client for a URL, without looking for its token; `host`: whom the URL is to lead to."""
        gateway = self._gateway
        if url not in self._known:
            self._known[url] = AdminApi(
                Access(
                    url=url,
                    host=host,
                    ca_file=gateway.ca_file,
                    client_cert=gateway.client_cert,
                    client_key=gateway.client_key,
                )
            )
        return self._known[url]

    def close(self) -> None:
        """Close all connections."""
        for api in self._known.values():
            api.close()
        self._known.clear()


def addresses(url: str) -> dict[str, str | None]:
    """Give the URLs of all addresses that a URL's host has, each with that host. Raises KongFailed."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        raise KongFailed(Code.NO_RESPONSE, f"the name {host} stands for no address") from None
    texts = sorted({str(address[0]) for *_, address in found})
    return {
        parts._replace(netloc=f"[{text}]:{port}" if ":" in text else f"{text}:{port}").geturl(): host for text in texts
    }
