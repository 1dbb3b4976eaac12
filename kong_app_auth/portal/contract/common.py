"""What all bodies share: how strict they are, labels, pages, times."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StringConstraints,
    model_serializer,
    model_validator,
)
from pydantic_core import PydanticCustomError

from kong_app_auth.portal.store import ids

MAX_LABELS = 50
MAX_LABEL = 63
RESERVED_LABELS = ("kong", "konnect", "mesh", "kic", "_")
"""What the names of labels do not begin with, by the contract's description of `Labels`."""
REGIONS = ("us", "eu", "au", "me", "in", "sg")


class Input(BaseModel):
    """A request's body: no unknown fields, no conversion, no character that a database cannot keep.

    `model_fields_set` tells what was left out from what was null.
    """

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _printable(cls, data: Any) -> Any:
        if not storable(data):
            raise PydanticCustomError("invalid_characters", "holds a NUL or half a surrogate pair")
        return data

    def given(self, *names: str) -> dict[str, Any]:
        """Give those of the named fields that the request holds."""
        return {name: getattr(self, name) for name in names if name in self.model_fields_set}


class Output(BaseModel):
    """An answer's body: fields that were not set are left out."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    @model_serializer(mode="wrap")
    def _what_is_set(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        fields = type(self).model_fields
        absent = {fields[name].alias or name for name in fields.keys() - self.model_fields_set}
        written: dict[str, Any] = handler(self)
        return {name: value for name, value in written.items() if name not in absent} if absent else written


def storable(data: Any) -> bool:
    """Say whether every text in `data` can be kept: PostgreSQL keeps no NUL, nothing keeps half a surrogate pair."""
    if isinstance(data, str):
        return "\0" not in data and not any("\ud800" <= character <= "\udfff" for character in data)
    if isinstance(data, Mapping | list):
        return all(map(storable, _parts(data)))
    return True


def _parts(data: Any) -> Iterator[Any]:
    yield from data
    if isinstance(data, Mapping):
        yield from data.values()


def _uuid(text: str) -> str:
    known = ids.canonical(text)
    if known is None:
        raise PydanticCustomError("is_uuid", "must be a UUID")
    return known


def _not_null(value: Any) -> Any:
    if value is None:
        raise PydanticCustomError("null", "must not be null")
    return value


NotNull = AfterValidator(_not_null)
"""Marks a field that may be left out, and is None then, but not be null."""
UuidText = Annotated[str, AfterValidator(_uuid), Field(json_schema_extra={"format": "uuid"})]
"""A UUID as text, in its canonical form."""
Moment = Annotated[datetime, Field(strict=False)]
"""A time, RFC 3339."""
LabelValue = Annotated[
    str, StringConstraints(min_length=1, max_length=63, pattern=r"^[a-z0-9A-Z]{1}([a-z0-9A-Z\-._]*[a-z0-9A-Z]+)?$")
]


def _label(key: str) -> str:
    if not 1 <= len(key) <= MAX_LABEL:
        raise PydanticCustomError("is_label", "the name of a label has 1 to 63 characters")
    if key.startswith(RESERVED_LABELS):
        raise PydanticCustomError("is_label", "names of labels that begin so are Konnect's own")
    return key


LabelKey = Annotated[str, AfterValidator(_label)]
Labels = Annotated[dict[LabelKey, LabelValue], Field(max_length=MAX_LABELS)]
LabelsUpdate = Annotated[dict[LabelKey, LabelValue | None], Field(max_length=MAX_LABELS)]
"""Labels to set; null takes one away."""
Visibility = Literal["public", "private"]
Status = Literal["approved", "pending", "revoked", "rejected"]


def merged(labels: Mapping[str, Any], update: Mapping[str, str | None] | None) -> dict[str, Any]:
    """Give the labels after an update; None takes all away."""
    if update is None:
        return {}
    return {name: value for name, value in {**labels, **update}.items() if value is not None}


class PageMeta(Output):
    """Which page this is, of how many items in all."""

    number: int
    size: int
    total: int


class PaginatedMeta(Output):
    """The `meta` of a list."""

    page: PageMeta


Item = TypeVar("Item")


class ListOf(Output, Generic[Item]):
    """A page of a list."""

    meta: PaginatedMeta
    data: list[Item]


class Reference(Output):
    """Another record, by id."""

    id: str
