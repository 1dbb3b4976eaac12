"""Calls to a management API with the access token of an initial client."""

from typing import Any

from kong_app_auth.oidc.dcr.access_token import KeptToken
from kong_app_auth.oidc.dcr.calls import Calls, Reply, StatusRefused


class ManagementApi:
    """A management API, called with a token that is kept. A token that is refused (401) is replaced once."""

    def __init__(self, calls: Calls, tokens: KeptToken, base_url: str) -> None:
        self.tokens = tokens
        self._calls = calls
        self._base_url = base_url.rstrip("/")

    def ask(
        self,
        method: str,
        path: str,
        content: Any = None,
        *,
        of_client: bool = False,
        headers: dict[str, str] | None = None,
        reads: bool = True,
    ) -> Reply:
        """Make a call; `path` begins with a slash, `reads` as `Calls.ask` has it. Raises DcrFailed."""
        token = self.tokens.get()
        try:
            return self._ask(token.token, method, path, content, of_client=of_client, headers=headers, reads=reads)
        except StatusRefused as refused:
            if refused.status != 401:
                raise
        self.tokens.forget(token)
        return self._ask(
            self.tokens.get().token, method, path, content, of_client=of_client, headers=headers, reads=reads
        )

    def _ask(
        self,
        token: str,
        method: str,
        path: str,
        content: Any,
        *,
        of_client: bool,
        headers: dict[str, str] | None,
        reads: bool,
    ) -> Reply:
        return self._calls.ask(
            method,
            self._base_url + path,
            content=content,
            headers={"Authorization": f"Bearer {token}", **(headers or {})},
            of_client=of_client,
            hide=(token,),
            reads=reads,
        )
