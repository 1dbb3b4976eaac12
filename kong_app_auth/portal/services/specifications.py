"""Specifications of APIs. An API has at most one."""

from sqlalchemy import Select, select

from kong_app_auth.portal.contract.specifications import CreateSpecification
from kong_app_auth.portal.errors import Conflict, NotFound, invalid
from kong_app_auth.portal.services import specification_rules
from kong_app_auth.portal.services.apis import the_api
from kong_app_auth.portal.services.specification_rules import Examined
from kong_app_auth.portal.store.apis import ApiSpecification
from kong_app_auth.portal.transaction import Transaction


def examine(content: str, given: str | None, field: str = "content") -> Examined:
    """Find out what a text is. It may take a second: call it outside of transactions. Raises Invalid."""
    found = specification_rules.examine(content, given)
    if isinstance(found, str):
        raise invalid(field, found)
    return found


def of_api(tx: Transaction, api_id: str) -> Select[ApiSpecification]:
    """Select the specifications of an API. Raises NotFound."""
    return select(ApiSpecification).where(ApiSpecification.api_id == the_api(tx, api_id).id)


def the_specification(tx: Transaction, api_id: str, specification_id: str) -> ApiSpecification:
    """Give a specification of an API. Raises NotFound."""
    api = the_api(tx, api_id)
    found = tx.find(ApiSpecification, specification_id)
    if found is None or found.api_id != api.id:
        raise NotFound("Specification not found")
    return found


def create(tx: Transaction, api_id: str, wanted: CreateSpecification, examined: Examined) -> ApiSpecification:
    """Give an API its specification. Raises NotFound, Conflict where it has one."""
    api = the_api(tx, api_id)
    if api.specifications:
        raise Conflict(f"Specification for API '{api.id}' already exists")
    specification = ApiSpecification(
        api_id=api.id, type=examined.type, content=wanted.content, validation_messages=list(examined.messages)
    )
    tx.session.add(specification)
    tx.session.flush()
    return specification


def update(
    tx: Transaction, api_id: str, specification_id: str, content: str, examined: Examined, *, known: str
) -> ApiSpecification:
    """Give a specification a `content`, and what was found out about it, in place of what the caller had seen.

    `known` is the content of then. Raises NotFound; Conflict where it is another by now.
    """
    specification = the_specification(tx, api_id, specification_id)
    if specification.content not in (known, content):
        raise Conflict("The specification was changed by somebody else meanwhile")
    specification.content = content
    specification.type = examined.type
    specification.validation_messages = list(examined.messages)
    tx.session.flush()
    return specification


def delete(tx: Transaction, api_id: str, specification_id: str) -> None:
    """Delete a specification. Raises NotFound."""
    tx.session.delete(the_specification(tx, api_id, specification_id))
    tx.session.flush()
