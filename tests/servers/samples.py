"""Small registries for tests: a region with an API, its service, a strategy, and applications with keys."""

import uuid

from kong_app_auth.domain.api_key import digest
from kong_app_auth.domain.records import (
    Acceptance,
    Api,
    Application,
    Credential,
    RegistrationState,
    Service,
    Strategy,
    StrategyType,
)
from kong_app_auth.registry.contents import Contents

NAMESPACE = uuid.UUID("6f2f6a0e-0000-4000-8000-000000000000")


def uid(name: object) -> str:
    """A UUID that is the same for the same name."""
    return str(uuid.uuid5(NAMESPACE, str(name)))


PORTAL, STRATEGY, API, SERVICE = uid("portal"), uid("strategy"), uid("api"), uid("service")


def application(name: object, state: RegistrationState = RegistrationState.APPROVED) -> Application:
    """An application that is registered with the sample API."""
    return Application(uid(name), PORTAL, STRATEGY, developer_id=uid("developer"), registrations={API: state})


def key_digest(name: object) -> bytes:
    """The digest of the key of an application of this name."""
    return digest(f"the key of {name}")


def sample(*names: object) -> Contents:
    """A region where the applications of these names may call the sample API, each with one key."""
    return Contents(
        apis={API: Api(API, "Weather API", "v1", (Acceptance(PORTAL, STRATEGY),))},
        services={SERVICE: Service(SERVICE, API)},
        strategies={STRATEGY: Strategy(STRATEGY, "key-auth", StrategyType.KEY_AUTH, ("X-Api-Key",))},
        applications={uid(name): application(name) for name in names},
        credentials={key_digest(name): Credential(uid(("credential", name)), uid(name)) for name in names},
    )
