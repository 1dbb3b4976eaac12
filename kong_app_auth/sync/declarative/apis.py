"""Reading `apis` and their implementations."""

import msgspec

from kong_app_auth.domain.records import Api, Service
from kong_app_auth.sync.declarative.fields import Fields
from kong_app_auth.sync.declarative.reading import Index, Reading

_FIELDS = ("id", "name", "version", "slug", "implementations")


class ApiEntry(msgspec.Struct, frozen=True):
    """An API of the file; who may use it is not known before the portals are read."""

    id: str
    name: str
    version: str


def read_apis(top: Fields, reading: Reading) -> Index[ApiEntry]:
    """Read the APIs, and their services into the contents.

    An API is known by its name and version with a space between ("Weather API v1"), by its slug and by its id.
    """
    index: Index[ApiEntry] = Index("API")
    for fields in top.maps("apis", _FIELDS):
        name = fields.text("name", required=True)
        version = fields.text("version") or ""
        slug = fields.text("slug")
        service_id = _service_id(fields, reading)
        if name is None:
            continue
        api = ApiEntry(reading.id_of("API", fields, name, version), name, version)
        label = f"{name} {version}" if version else name
        index.add([word for word in (label, slug) if word is not None], api.id, api, fields)
        reading.contents.apis[api.id] = Api(api.id, name, version)
        if service_id is not None:
            reading.contents.services[service_id] = Service(service_id, api.id)
    return index


def _service_id(fields: Fields, reading: Reading) -> str | None:
    implementations = list(fields.maps("implementations", ("service",)))
    if len(implementations) > 1:
        fields.complain("implementations", "an API has at most one implementation")
    for implementation in implementations:
        service = implementation.map("service", ("id",))
        if service is None:
            if not implementation.has("service"):
                implementation.complain(None, 'the field "service" is missing')
            continue
        service_id = service.identifier(required=True)
        if service_id is not None and reading.once("service", service_id, service, "id"):
            return service_id
    return None
