"""All records: importing this module makes every table known to `Base.metadata`."""

from kong_app_auth.portal.store import (
    apis,
    applications,
    audit,
    clients,
    credentials,
    developers,
    feed,
    kong,
    mail,
    nodes,
    operators,
    pages,
    portals,
    strategies,
    teams,
    usage,
)
from kong_app_auth.portal.store.base import Base

METADATA = Base.metadata
MODULES = (
    apis,
    applications,
    audit,
    clients,
    credentials,
    developers,
    feed,
    kong,
    mail,
    nodes,
    operators,
    pages,
    portals,
    strategies,
    teams,
    usage,
)
