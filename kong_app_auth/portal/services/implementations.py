"""Implementations: the link of an API to a Gateway Service, or to a control plane.

What exists in Kong is not known here: a link to a service that is not there does nothing until it is.
"""

from sqlalchemy import Select, select

from kong_app_auth.portal.contract.implementations import CreateImplementation
from kong_app_auth.portal.errors import Conflict, NotFound, invalid
from kong_app_auth.portal.services import exposure
from kong_app_auth.portal.services.apis import the_api
from kong_app_auth.portal.store.apis import Implementation
from kong_app_auth.portal.transaction import Transaction


def all_implementations(tx: Transaction) -> Select[Implementation]:
    """Select the implementations of the caller's region."""
    return select(Implementation).where(Implementation.region == tx.region)


def the_implementation(tx: Transaction, api_id: str, implementation_id: str) -> Implementation:
    """Give an implementation of an API. Raises NotFound."""
    api = the_api(tx, api_id)
    found = tx.find(Implementation, implementation_id)
    if found is None or found.api_id != api.id:
        raise NotFound("Implementation not found")
    return found


def create(tx: Transaction, api_id: str, wanted: CreateImplementation) -> Implementation:
    """Link an API to a service or a control plane. Raises NotFound, Invalid, Conflict."""
    api = the_api(tx, api_id)
    service, control_plane = wanted.service, wanted.control_plane
    if tx.session.scalar(select(Implementation).where(Implementation.api_id == api.id)) is not None:
        raise Conflict("An implementation already exists for this API")
    implementation = Implementation(region=tx.region, api_id=api.id)
    if service is not None and control_plane is None:
        if tx.session.scalar(all_implementations(tx).where(Implementation.service_id == service.id)) is not None:
            raise Conflict("This gateway service is already linked to another API")
        implementation.control_plane_id = service.control_plane_id
        implementation.service_id = service.id
    elif control_plane is not None and service is None:
        implementation.control_plane_id = control_plane.control_plane_id
    else:
        raise invalid("body", "must have one of service and control_plane")
    tx.session.add(implementation)
    tx.session.flush()
    return implementation


def delete(tx: Transaction, api_id: str, implementation_id: str) -> None:
    """Unlink an API. Raises NotFound."""
    implementation = the_implementation(tx, api_id, implementation_id)
    with exposure.told(tx, api_id=implementation.api_id):
        tx.session.delete(implementation)
    tx.session.flush()
