"""A server that stands elsewhere (a bridge, a certified provider), with our faults in front of it."""

from typing import Any

import requests

from tests.servers.dcr_providers.serving import Refused, Reply, Request

_PASSED = ("authorization", "content-type", "x-api-key")


class Forwarding:
    """Passes requests on to `behind`; in answers, the addresses of what is behind become ours.

    `clients`: the ids of those that were made and not deleted.
    """

    def __init__(self, behind: str) -> None:
        self.url = ""
        self._behind = behind
        self.clients: set[str] = set()

    def error(self, status: int, text: str) -> Any:
        return {"error": f"error_{status}", "error_description": text}

    def answer(self, request: Request) -> Reply:
        passed = {name: request.headers[name] for name in _PASSED if name in request.headers}
        answer = requests.request(
            request.method,
            self._behind + request.target,
            data=request.body,
            headers=passed,
            timeout=20,
            allow_redirects=False,
        )
        text = answer.text.replace(self._behind, self.url)
        body = text.encode() if text else None
        if not answer.ok:
            raise Refused(answer.status_code, body)
        if request.method == "POST" and answer.status_code == 201 and "/credentials" not in request.path:
            self.clients.add(answer.json()["client_id"])
        if request.method == "DELETE":
            self.clients.discard(request.path.rpartition("/")[2])
        return Reply(answer.status_code, body)
