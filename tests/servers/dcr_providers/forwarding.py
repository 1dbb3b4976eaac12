"""A server that stands elsewhere (a bridge, a certified provider), with our faults in front of it."""

from typing import Any

import requests

from tests.servers.dcr_providers.serving import Refused, Reply, Request

_PASSED = ("authorization", "content-type", "x-api-key")


class Forwarding:
    """Passes requests on to `behind`; in answers, the addresses of what is behind become ours."""

    def __init__(self, behind: str) -> None:
        self.url = ""
        self._behind = behind

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
        return Reply(answer.status_code, body)
