"""Why a request is refused: the codes of the log and the metrics, with what the client is told."""

from enum import Enum

UNAUTHORIZED = "Unauthorized"
NO_API_KEY = "No API key found in request"
DUPLICATE_API_KEY = "Duplicate API key found"
BAD_REQUEST = "Bad request"
FORBIDDEN = "You cannot consume this service"
UNAVAILABLE = "Service temporarily unavailable"
UNEXPECTED = "An unexpected error occurred"


class Reason(Enum):
    """A reason code with the HTTP status and the message that the client gets."""

    NO_CREDENTIAL = ("no_credential", 401, NO_API_KEY)
    DUPLICATE_CREDENTIAL = ("duplicate_credential", 401, DUPLICATE_API_KEY)
    MALFORMED_CREDENTIAL = ("malformed_credential", 401, UNAUTHORIZED)
    UNKNOWN_CREDENTIAL = ("unknown_credential", 401, UNAUTHORIZED)
    EXPIRED_CREDENTIAL = ("expired_credential", 401, UNAUTHORIZED)
    REVOKED_CREDENTIAL = ("revoked_credential", 401, UNAUTHORIZED)
    INVALID_TOKEN = ("invalid_token", 401, UNAUTHORIZED)
    MALFORMED_REQUEST = ("malformed_request", 400, BAD_REQUEST)
    WRONG_STRATEGY = ("wrong_strategy", 403, FORBIDDEN)
    UNKNOWN_APPLICATION = ("unknown_application", 403, FORBIDDEN)
    NOT_REGISTERED = ("not_registered", 403, FORBIDDEN)
    REGISTRATION_PENDING = ("registration_pending", 403, FORBIDDEN)
    REGISTRATION_REJECTED = ("registration_rejected", 403, FORBIDDEN)
    REGISTRATION_REVOKED = ("registration_revoked", 403, FORBIDDEN)
    DEVELOPER_REVOKED = ("developer_revoked", 403, FORBIDDEN)
    INSUFFICIENT_SCOPE = ("insufficient_scope", 403, FORBIDDEN)
    CONSUMER_NOT_FOUND = ("consumer_not_found", 403, FORBIDDEN)
    SERVICE_NOT_LINKED = ("service_not_linked", 403, FORBIDDEN)
    REGISTRY_UNAVAILABLE = ("registry_unavailable", 503, UNAVAILABLE)
    PROVIDER_UNAVAILABLE = ("provider_unavailable", 503, UNAVAILABLE)
    INTERNAL_ERROR = ("internal_error", 500, UNEXPECTED)

    def __init__(self, code: str, status: int, message: str) -> None:
        self.code = code
        self.status = status
        self.message = message
