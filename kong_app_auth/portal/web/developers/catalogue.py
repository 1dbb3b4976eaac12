"""`/` and `/apis`: the catalogue, and an API with its specification."""

import json
from typing import Annotated

from fastapi import Query as QueryParameter
from fastapi import Response
from sqlalchemy import func, or_, select
from sqlalchemy.orm import defer

from kong_app_auth.portal.actors import SignedIn
from kong_app_auth.portal.api.routes import router
from kong_app_auth.portal.services import catalogue
from kong_app_auth.portal.store.apis import Api, ApiSpecification
from kong_app_auth.portal.transaction import Transaction
from kong_app_auth.portal.views.catalogue import catalogue_api
from kong_app_auth.portal.web.outline import Outline, outline
from kong_app_auth.portal.web.paging import page_of
from kong_app_auth.portal.web.rendering import render
from kong_app_auth.portal.web.sessions import PageAccess, Visitor
from kong_app_auth.portal.web.sites import site_of

routes = router("", "Pages")

MAX_SEARCH = 100


@routes.get("/", response_class=Response)
def home(access: Visitor) -> Response:
    """What there is."""
    return _catalogue(access, "", welcome=True)


@routes.get("/apis", response_class=Response)
def list_apis(access: Visitor, q: Annotated[str, QueryParameter()] = "") -> Response:
    """The APIs that somebody sees; `q`: what their name or description has in it."""
    return _catalogue(access, q[:MAX_SEARCH].strip().replace("\0", ""), welcome=False)


@routes.get("/apis/{api}", response_class=Response)
def show_api(access: Visitor, api: str) -> Response:
    """An API: what it is, how one gets in, and its operations."""
    with access.read() as tx:
        found = catalogue.the_api(tx, access.portal, who(access), api)
        shown = catalogue_api(found)
        source = newest(tx, found.id)
        may_register = access.signed_in and catalogue.may_register(tx, access.portal, access.developer_id, found)
        own = own_registrations(tx, access, found) if access.signed_in else []
    return render(
        access,
        site_of(access),
        "developers/api.html",
        api=shown,
        spec=read(source),
        specification=source,
        may_register=may_register,
        own=own,
    )


@routes.get("/apis/{api}/specifications/{specification}", response_class=Response)
def download(access: Visitor, api: str, specification: str) -> Response:
    """A specification's document as it was handed in, to be saved and never to be opened as a page."""
    with access.read() as tx:
        found = catalogue.the_specification(tx, access.portal, who(access), api, specification)
        content, name = found.content, "".join(one for one in api if one.isalnum() or one == "-")[:80] or "api"
    try:
        json.loads(content)
        kind = "json"
    except (ValueError, RecursionError):
        kind = "yaml"
    return Response(
        content,
        media_type=f"application/{kind}",
        headers={
            "Content-Disposition": f'attachment; filename="{name}.{kind}"',
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
            "Cache-Control": "no-store",
        },
    )


class Source:
    """A specification that is still to be read, outside of the transaction that it came from."""

    def __init__(self, specification: ApiSpecification) -> None:
        self.id = specification.id
        self.type = specification.type
        self.version = specification.updated_at.isoformat()
        self.content = specification.content


def newest(tx: Transaction, api_id: str) -> Source | None:
    """Give the specification that stands for an API: the first one that was handed in."""
    of_api = select(ApiSpecification).where(ApiSpecification.api_id == api_id)
    found = tx.session.scalar(
        of_api.options(defer(ApiSpecification.validation_messages))
        .order_by(ApiSpecification.created_at, ApiSpecification.id)
        .limit(1)
    )
    return None if found is None else Source(found)


def read(source: Source | None) -> Outline | None:
    """Read a specification; None where there is none, or none that has operations (AsyncAPI)."""
    if source is None or source.type == "asyncapi":
        return None
    return outline(source.id, source.version, source.content)


def who(access: PageAccess) -> str | None:
    """The id of the one who is signed in."""
    return access.actor.id if isinstance(access.actor, SignedIn) else None


def own_registrations(tx: Transaction, access: PageAccess, api: Api) -> list[tuple[str, str, str]]:
    """Id and name of the caller's applications that are registered with an API, and how that stands."""
    statement, api_id = catalogue.applications(tx, access.portal, access.developer_id, api.id, registered=True)
    found = tx.session.scalars(statement.limit(20)).all()
    known = catalogue.registrations(tx, found, api_id)
    return [(one.id, one.name, known[one.id].status) for one in found if one.id in known]


def _catalogue(access: PageAccess, search: str, *, welcome: bool) -> Response:
    words = (Api.name, func.coalesce(Api.description, ""))
    conditions = (or_(*(func.lower(one).contains(search.lower(), autoescape=True) for one in words)),) if search else ()
    query = page_of(access.request, Api.name, Api.version, Api.id, conditions=conditions)
    with access.read() as tx:
        found = query.page(tx, catalogue.apis(tx, access.portal, who(access)), catalogue_api)
    return render(
        access,
        site_of(access),
        "developers/catalogue.html",
        live=True,
        apis=found.data,
        page=found.meta.page,
        search=search,
        welcome=welcome,
        description=access.portal.description,
    )
