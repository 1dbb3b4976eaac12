"""APIs: made, changed, deleted."""

import re
import unicodedata
from collections.abc import Sequence
from itertools import count
from typing import Any, Final

from sqlalchemy import Select, select
from sqlalchemy.orm import joinedload, selectinload
from sqlalchemy.orm.interfaces import ORMOption

from kong_app_auth.portal.contract.apis import CreateApi, UpdateApi
from kong_app_auth.portal.contract.common import merged
from kong_app_auth.portal.errors import Conflict, NotFound, invalid
from kong_app_auth.portal.services import exposure
from kong_app_auth.portal.services.specification_rules import Examined
from kong_app_auth.portal.store import ids
from kong_app_auth.portal.store.apis import Api, ApiSpecification, Implementation, Publication
from kong_app_auth.portal.store.applications import Registration
from kong_app_auth.portal.store.portals import Portal
from kong_app_auth.portal.store.teams import TeamRole
from kong_app_auth.portal.transaction import Transaction

MAX_SLUG: Final = 255
MAX_ATTRIBUTES: Final = 50
MAX_LABELS: Final = 50
_NOT_SLUG = re.compile(r"[^\w]+")

SUMMARY: Final = selectinload(Api.specifications).load_only(
    ApiSpecification.type, ApiSpecification.created_at, ApiSpecification.updated_at
)
"""Specifications without their content, which may be long."""
WHOLE: Final[tuple[ORMOption, ...]] = (
    SUMMARY,
    selectinload(Api.publications).joinedload(Publication.portal),
    joinedload(Api.implementation),
)
"""All that a view of an API shows."""


def all_apis(tx: Transaction) -> Select[Api]:
    """Select the APIs of the caller's region, with all that is shown of them."""
    return select(Api).outerjoin(Implementation).where(Api.region == tx.region).options(*WHOLE)


def the_api(tx: Transaction, api_id: str) -> Api:
    """Give an API of the caller's region. Raises NotFound."""
    found = tx.find(Api, api_id)
    if found is None or found.region != tx.region:
        raise NotFound("API not found")
    return found


def the_whole_api(tx: Transaction, api_id: str) -> Api:
    """Give an API of the caller's region with all that is shown of it. Raises NotFound."""
    found = tx.session.scalar(all_apis(tx).where(Api.id == (ids.canonical(api_id) or ids.NONE)))
    if found is None:
        raise NotFound("API not found")
    return found


def create(tx: Transaction, wanted: CreateApi, specification: Examined | None) -> Api:
    """Make an API; `specification` is what was found out about `spec_content`, if there is one.

    Raises Invalid where name and version, or the slug, are another API's.
    """
    if _named(tx, wanted.name, wanted.version) is not None:
        raise invalid("name", "is with this version the name of another API")
    if wanted.slug is not None and _with_slug(tx, wanted.slug) is not None:
        raise invalid("slug", "is the slug of another API")
    api = Api(
        region=tx.region,
        name=wanted.name,
        version=wanted.version,
        description=wanted.description,
        slug=wanted.slug or _free_slug(tx, wanted.name, wanted.version, None),
        labels=dict(wanted.labels),
        attributes=_merged_attributes({}, wanted.attributes),
    )
    if specification is not None:
        api.specifications.append(
            ApiSpecification(
                type=specification.type,
                content=wanted.spec_content,
                validation_messages=list(specification.messages),
            )
        )
    tx.session.add(api)
    tx.session.flush()
    return api


def update(tx: Transaction, api_id: str, wanted: UpdateApi) -> Api:
    """Change an API. The slug stays when the name changes, for links to it are about; null makes it anew.

    Raises NotFound; Conflict where name and version, or the slug, are another API's; Invalid.
    """
    api = the_whole_api(tx, api_id)
    given = wanted.model_fields_set
    name = wanted.name if "name" in given else api.name
    version = wanted.version if "version" in given else api.version
    if (name, version) != (api.name, api.version) and _named(tx, name, version) is not None:
        raise Conflict(f"An API with the name [{name}] and this version exists already")
    api.name, api.version = name, version
    if "description" in given:
        api.description = wanted.description
    if "slug" in given:
        if wanted.slug not in (None, api.slug) and _with_slug(tx, wanted.slug) is not None:
            raise Conflict(f"An API with the slug [{wanted.slug}] exists already")
        api.slug = wanted.slug or _free_slug(tx, name, version, api)
    if "labels" in given:
        api.labels = merged(api.labels, wanted.labels)
        if len(api.labels) > MAX_LABELS:
            raise invalid("labels", f"would be more than {MAX_LABELS}")
    if "attributes" in given:
        api.attributes = _merged_attributes(api.attributes, wanted.attributes)
        if len(api.attributes) > MAX_ATTRIBUTES:
            raise invalid("attributes", f"would be more than {MAX_ATTRIBUTES}")
    tx.session.flush()
    return api


def delete(tx: Transaction, api_id: str) -> None:
    """Delete an API with its registrations, publications, implementation, specifications and the roles on it.

    Raises NotFound.
    """
    api = the_api(tx, api_id)
    for registration in tx.session.scalars(select(Registration).where(Registration.api_id == api.id)):
        tx.session.delete(registration)
    for role in tx.session.scalars(select(TeamRole).where(TeamRole.entity_id == api.id)):
        tx.session.delete(role)
    tx.session.flush()
    with exposure.told(tx, api_id=api.id):
        tx.session.delete(api)


def registrations(tx: Transaction, api_id: str, *, joined: bool = True) -> Select[Registration]:
    """Select the registrations of an API. Raises NotFound.

    `joined`: with application and portal, so that their columns can be filtered by, which takes its time.
    """
    statement = select(Registration)
    if joined:
        statement = statement.join(Registration.application).join(Portal, Portal.id == Registration.portal_id)
    api = the_api(tx, api_id)
    return statement.where(Registration.api_id == api.id).options(joinedload(Registration.application))


def portals_of(tx: Transaction, found: Sequence[Registration]) -> dict[str, Portal]:
    """Give the portals of registrations, by id."""
    wanted = {registration.application.portal_id for registration in found}
    return {portal.id: portal for portal in tx.session.scalars(select(Portal).where(Portal.id.in_(wanted)))}


def _named(tx: Transaction, name: str, version: str | None) -> Api | None:
    same_version = Api.version.is_(None) if version is None else Api.version == version
    return tx.session.scalar(select(Api).where(Api.region == tx.region, Api.name == name, same_version))


def _with_slug(tx: Transaction, slug: str | None) -> Api | None:
    return tx.session.scalar(select(Api).where(Api.region == tx.region, Api.slug == slug))


def _free_slug(tx: Transaction, name: str, version: str | None, own: Api | None) -> str:
    """Make a slug of name and version; where another API has it, a number is added."""
    readable = slugify(f"{name} {version or ''}")[: MAX_SLUG - 8].strip("-") or "api"
    if ids.canonical(readable) is not None:
        readable = f"api-{readable}"
    alike = select(Api.id, Api.slug).where(Api.region == tx.region, Api.slug.startswith(readable, autoescape=True))
    taken = {slug for api_id, slug in tx.session.execute(alike) if own is None or api_id != own.id}
    if readable not in taken:
        return readable
    return next(slug for number in count(2) if (slug := f"{readable}-{number}") not in taken)


def slugify(text: str) -> str:
    """Make what can stand in a path: letters, digits and underscores of `text`, hyphens for all else."""
    return _NOT_SLUG.sub("-", unicodedata.normalize("NFKC", text).lower()).strip("-")


def _merged_attributes(attributes: dict[str, Any], update: dict[str, list[str] | None]) -> dict[str, Any]:
    return {name: values for name, values in {**attributes, **update}.items() if values is not None}
