"""Lists that are paged by cursor: each page names the next one and the one before."""

from typing import Generic, TypeVar

from kong_app_auth.portal.contract.common import Output

Item = TypeVar("Item")


class CursorMetaPage(Output):
    """Where the pages around this one are: URIs without a host, None for no page. `size`: what was asked for."""

    first: str
    next: str | None
    previous: str | None
    size: int


class CursorMeta(Output):
    """The `meta` of a list that is paged by cursor."""

    page: CursorMetaPage


class CursorListOf(Output, Generic[Item]):
    """A page of a list."""

    meta: CursorMeta
    data: list[Item]
