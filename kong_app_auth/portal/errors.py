"""What ends a request early. Each carries what its problem document says; `api.problems` writes it.

    Refused
    ├── Unauthorized       401  nobody known asks
    ├── Forbidden          403  somebody known may not
    ├── NotFound           404  it is not there, or not for the one who asks
    ├── Conflict           409  the state of things is against it
    ├── Gone               410  it was there, and is used up
    ├── Unprocessable      422  well-formed, and cannot be done
    ├── TooManyRequests    429  later
    ├── Unavailable        503  something behind it is away
    └── Invalid            400  the request is wrong, field by field

They are exceptions and not values, because each must also undo the transaction that it ends.
"""

from typing import Any, ClassVar

import msgspec


class InvalidParameter(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong with a request, in Konnect's words.

    `rule` is one of the contract's `InvalidRules` or of the rules with a bound; `source` is body, query, path or
    header. `bound` is the `minimum` or `maximum` of a rule that has one, `choices` and `dependents` belong to theirs.
    """

    field: str
    reason: str
    rule: str = "invalid"
    source: str = "body"
    bound: int | None = None
    choices: tuple[Any, ...] | None = None
    dependents: tuple[str, ...] | None = None


class Refused(Exception):  # noqa: N818  named for what it says, as the registry's refusals are
    """A request that ends here. The text is for the one who asked: it says what, never a secret."""

    status: ClassVar[int] = 400
    title: ClassVar[str] = "Bad Request"
    default: ClassVar[str] = "Bad Request"

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail or self.default)

    @property
    def detail(self) -> str:
        """What the problem document says."""
        return str(self)


class Unauthorized(Refused):
    """Nobody known asks."""

    status = 401
    title = "Unauthorized"
    default = "Invalid credentials"


class Forbidden(Refused):
    """Somebody known may not."""

    status = 403
    title = "Forbidden"
    default = "You do not have permission to perform this action"


class NotFound(Refused):
    """It is not there, or not for the one who asks."""

    status = 404
    title = "Not Found"
    default = "Not found"


class Conflict(Refused):
    """The state of things is against it."""

    status = 409
    title = "Conflict"
    default = "Conflict"


class Gone(Refused):
    """It was there, and is used up."""

    status = 410
    title = "Gone"
    default = "Gone"


class Unprocessable(Refused):
    """Well-formed, and cannot be done."""

    status = 422
    title = "Unprocessable Content"
    default = "Unprocessable content"


class TooManyRequests(Refused):
    """Later. `retry_after`: whole seconds."""

    status = 429
    title = "Too Many Requests"
    default = "Too many requests, try again later"

    def __init__(self, retry_after: int, detail: str | None = None) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class Unavailable(Refused):
    """Something behind it is away."""

    status = 503
    title = "Service Unavailable"
    default = "Temporarily unavailable"


class Invalid(Refused):
    """The request is wrong, field by field."""

    def __init__(self, *parameters: InvalidParameter) -> None:
        super().__init__("Invalid parameters")
        self.parameters = parameters


def invalid(field: str, reason: str, rule: str = "invalid", source: str = "body") -> Invalid:
    """Give the refusal of a request with one wrong field."""
    return Invalid(InvalidParameter(field=field, reason=reason, rule=rule, source=source))
