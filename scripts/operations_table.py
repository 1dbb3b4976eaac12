"""Writes docs/portal-operations.md: Konnect's operations and ours, from the contract and the routes.

`python -m scripts.operations_table`; a test compares the file with what this would write. The contract is read from
../shared/konnect-openapi.
"""

import re
from pathlib import Path
from typing import Any, Final

import yaml
from fastapi.routing import APIRoute

from kong_app_auth.portal.application import routers

ROOT: Final = Path(__file__).parents[1]
FILE: Final = ROOT / "docs" / "portal-operations.md"
CONTRACT: Final = ROOT.parent / "shared" / "konnect-openapi"
DOCUMENTS: Final = {
    "portal-management-v3.yaml": "/v3",
    "api-builder-v3.yaml": "/v3",
    "application-auth-strategies-v2.yaml": "/v2",
    "dev-portal-v3.yaml": "",
}
NOTES: Final = {
    "get-application-granted-scopes": "422 where the provider does not tell",
    "query-application-analytics": "requests only: the plugin sees neither latencies nor sizes",
}
"""What is otherwise than a user of Konnect would expect, by operation id."""
_METHODS: Final = ("get", "post", "put", "patch", "delete")


def _shape(method: str, path: str) -> tuple[str, str]:
    return method.upper(), re.sub(r"\{[^}]+\}", "{}", path)


def _routes() -> dict[tuple[str, str], APIRoute]:
    return {
        _shape(method, route.path): route
        for each in routers()
        for route in each.routes
        if isinstance(route, APIRoute)
        for method in route.methods
    }


def _first_line(route: APIRoute) -> str:
    return (route.endpoint.__doc__ or "").strip().partition("\n")[0]


def document() -> str:
    """The page."""
    routes = _routes()
    known: set[tuple[str, str]] = set()
    parts: list[str] = []
    total = served = 0
    for name, base in DOCUMENTS.items():
        contract: dict[str, Any] = yaml.safe_load((CONTRACT / name).read_text("utf-8"))
        lines = [
            f"## {contract['info']['title']} (`{base or '/api/v3'}`)\n",
            "| operation | route | served | note |",
            "|---|---|---|---|",
        ]
        for path, item in contract["paths"].items():
            for method in _METHODS:
                if method in item:
                    shape = _shape(method, base + path)
                    known.add(shape)
                    total += 1
                    served += shape in routes
                    operation = item[method]["operationId"]
                    yes = "yes" if shape in routes else "**no**"
                    lines.append(
                        f"| {operation} | `{method.upper()} {base + path}` | {yes} | {NOTES.get(operation, '')} |"
                    )
        parts.append("\n".join(lines))
    extra = ["## Beyond Konnect\n", "| route | what it does |", "|---|---|"]
    for shape, route in sorted(routes.items(), key=lambda one: (one[1].path, one[0])):
        if shape not in known:
            extra.append(f"| `{shape[0]} {route.path}` | {_first_line(route)} |")
    head = (
        "# The portal's API, operation by operation\n\n"
        "<!-- made by scripts/operations_table.py; a test compares it with the routes -->\n\n"
        f"Of the {total} operations of Konnect's documents that are in scope, {served} are served. Every answer of\n"
        "each is held against the documents in the tests. How to call them: [portal.md](portal.md).\n"
    )
    return "\n\n".join([head.rstrip(), *parts, "\n".join(extra)]) + "\n"


if __name__ == "__main__":
    FILE.write_text(document())
