"""Usage (`/v3/usage`, `/api/v3/usage`) and refusals (`/v3/refusals/…`, `/api/v3/refusals/…`): beyond Konnect."""

from kong_app_auth.portal.contract.common import Moment, Output


class UsageView(Output):
    """The requests of an application to an API with one outcome, on one day (UTC).

    `outcome` is `allowed` or a reason code. `status_code` is what a refusal was answered with; what the upstream of an
    allowed request answered is not known: null. `application_id` is null where the request named none that is known.
    """

    day: str
    application_id: str | None
    api_id: str | None
    outcome: str
    status_code: int | None
    requests: int


class NamedReference(Output):
    """A record, by id and name. `name` is null where the record is gone."""

    id: str
    name: str | None


class RefusalView(Output):
    """Why a request was refused. `message` is what the client was told, `explanation` and `remedy` say more."""

    request_id: str
    refused_at: Moment
    reason: str
    status_code: int
    message: str
    explanation: str
    remedy: str
    application: NamedReference | None
    api: NamedReference | None
    credential_id: str | None
    service_id: str | None
