"""Kong's Admin API, the part that is used here: information, services, routes, plugins, consumers and /config."""

import base64
import json
import os
import platform
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol, cast

import structlog
import yaml
from aiohttp import web

from kong_app_auth.devgateway import answers, declarative
from kong_app_auth.devgateway.entities import REFERENCES, SCHEMAS, Entity, reference, strings
from kong_app_auth.devgateway.plugin_info import PluginInfo
from kong_app_auth.devgateway.schema import JsonValue
from kong_app_auth.devgateway.settings import GatewaySettings
from kong_app_auth.devgateway.store import EntityError, EntityStore, not_found

_log = structlog.get_logger()
_PAGE = 100
_LARGEST_PAGE = 1000
_NESTED = {"routes": ("services",), "plugins": ("services", "routes", "consumers")}
_FIELD = {"services": "service", "routes": "route", "consumers": "consumer"}


class Gateway(Protocol):
    """What the Admin API needs of the gateway."""

    @property
    def settings(self) -> GatewaySettings:
        """The settings it runs with."""
        ...

    @property
    def store(self) -> EntityStore:
        """The entities in force."""
        ...

    @property
    def node_id(self) -> str:
        """This node's UUID."""
        ...

    @property
    def requests(self) -> int:
        """Requests proxied so far."""
        ...

    @property
    def configuration_hash(self) -> str:
        """MD5 of the declarative configuration in force, in hex; zeros where there is none."""
        ...

    @property
    def plugin_infos(self) -> Mapping[str, PluginInfo]:
        """The plugins of all plugin servers by name."""
        ...

    def apply(self, document: Mapping[str, JsonValue], source: str | bytes) -> None:
        """Put a declarative configuration in force; `source` is its text. Raise BadConfiguration."""
        ...


class _MethodNotAllowed(Exception):  # noqa: N818  # becomes Kong's 405
    pass


def make_application(gateway: Gateway) -> web.Application:
    """Make the Admin API of `gateway` as an application of aiohttp."""
    api = _AdminApi(gateway)
    application = web.Application(middlewares=[_errors], client_max_size=declarative.MAX_BYTES)
    router = application.router
    router.add_get("/", api.information)
    router.add_get("/status", api.status)
    router.add_get("/config", api.get_config)
    router.add_post("/config", api.post_config)
    router.add_get("/schemas/plugins/{name}", api.plugin_schema)
    for kind in SCHEMAS:
        router.add_route("*", f"/{kind}", api.collection(kind, None))
        router.add_route("*", f"/{kind}/{{key}}", api.member(kind))
        for parent in _NESTED.get(kind, ()):
            router.add_route("*", f"/{parent}/{{parent}}/{kind}", api.collection(kind, parent))
    return application


def _reply(status: int, body: object) -> web.Response:
    return web.Response(
        status=status,
        body=json.dumps(body, separators=(",", ":")).encode() if body is not None else b"",
        headers={"Content-Type": answers.JSON, "Server": answers.SERVER, "Access-Control-Allow-Origin": "*"},
    )


@web.middleware
async def _errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Turn exceptions into Kong's answers."""
    try:
        return await handler(request)
    except EntityError as error:
        return _reply(error.status, error.body)
    except declarative.BadConfiguration as error:
        return _reply(400, error.body())
    except _MethodNotAllowed:
        return _reply(405, {"message": answers.METHOD_NOT_ALLOWED})
    except web.HTTPNotFound:
        return _reply(404, {"message": "Not found"})
    except web.HTTPMethodNotAllowed:
        return _reply(405, {"message": answers.METHOD_NOT_ALLOWED})
    except web.HTTPRequestEntityTooLarge:
        return _reply(413, {"message": "Payload too large"})
    except web.HTTPException as error:
        return _reply(error.status, {"message": error.reason})
    except ConnectionError:
        raise
    except Exception as error:  # noqa: BLE001  # a client gets Kong's 500, never a traceback
        _log.error("admin request failed", error=type(error).__name__, exc_info=True)
        return _reply(500, {"message": answers.UNEXPECTED})


async def _fields(request: web.Request) -> dict[str, JsonValue]:
    """Read a body: JSON, or a form whose names may have dots (`config.region=eu`) and `[]`."""
    if not request.body_exists:
        return {}
    if request.content_type in {"application/x-www-form-urlencoded", "multipart/form-data"}:
        return await _form(request)
    try:
        body: object = json.loads(await request.read())
    except (ValueError, RecursionError):
        raise EntityError(400, {"message": "Cannot parse JSON body"}) from None
    if not isinstance(body, dict):
        raise EntityError(400, {"message": "Cannot parse JSON body"})
    return cast("dict[str, JsonValue]", body)


async def _form(request: web.Request) -> dict[str, JsonValue]:
    fields: dict[str, JsonValue] = {}
    for name, value in (await request.post()).items():
        content = value.file.read() if isinstance(value, web.FileField) else value
        words = content.decode("utf-8", "replace") if isinstance(content, bytes | bytearray) else content
        listed = name.endswith("[]")
        *path, last = name.removesuffix("[]").split(".")
        at = fields
        for step in path:
            inner = at.setdefault(step, {})
            if not isinstance(inner, dict):
                raise EntityError(400, {"message": f"bad field {name}"})
            at = inner
        if listed:
            values = at.setdefault(last, [])
            if isinstance(values, list):
                values.append(words)
        else:
            at[last] = _guessed(words)
    return fields


def _guessed(words: str) -> JsonValue:
    """Read a form's value as the type that it looks like."""
    if words in {"true", "false"}:
        return words == "true"
    return int(words) if words.isdigit() and len(words) < 16 and not words.startswith("00") else words


class _AdminApi:
    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def information(self, _request: web.Request) -> web.Response:
        """GET /."""
        gateway = self._gateway
        available = {
            name: {"priority": info.priority, "version": info.version} for name, info in gateway.plugin_infos.items()
        }
        configured = {str(plugin["name"]) for plugin in gateway.store.all("plugins")}
        return _reply(
            200,
            {
                "version": answers.VERSION,
                "edition": "community",
                "tagline": "Welcome to kong (development stand-in, not for production)",
                "hostname": platform.node(),
                "node_id": gateway.node_id,
                "pids": {"workers": [os.getpid()]},
                "plugins": {"available_on_server": available, "enabled_in_cluster": sorted(configured)},
                "configuration": {
                    "database": "off" if gateway.settings.database == "off" else "postgres",
                    "plugins": ["bundled", *available],
                    "pluginserver_names": [server.name for server in gateway.settings.plugin_servers],
                    "role": "traditional",
                    "router_flavor": "traditional_compatible",
                },
            },
        )

    async def status(self, _request: web.Request) -> web.Response:
        """GET /status."""
        body: dict[str, object] = {
            "database": {"reachable": True},
            "memory": {"workers_lua_vms": [], "lua_shared_dicts": {}},
            "server": {"total_requests": self._gateway.requests},
        }
        if self._gateway.settings.database == "off":
            body["configuration_hash"] = self._gateway.configuration_hash
        return _reply(200, body)

    async def plugin_schema(self, request: web.Request) -> web.Response:
        """GET /schemas/plugins/{name}."""
        name = request.match_info["name"]
        info = self._gateway.plugin_infos.get(name)
        if info is None:
            return _reply(404, {"message": f"No plugin named '{name}'"})
        config = {"type": "record", "required": True, "fields": info.fields}
        return _reply(200, {"fields": [{"config": config}], "entity_checks": []})

    async def get_config(self, _request: web.Request) -> web.Response:
        """GET /config: the configuration in force, as YAML in a JSON field."""
        self._only_without_database()
        document: dict[str, object] = {"_format_version": "3.0", "_transform": False}
        for kind in SCHEMAS:
            entities = [_compact(kind, entity) for entity in self._gateway.store.all(kind)]
            if entities:
                document[kind] = entities
        return _reply(200, {"config": yaml.safe_dump(document, sort_keys=False)})

    async def post_config(self, request: web.Request) -> web.Response:
        """POST /config: a whole configuration as JSON, or as text in a field `config`; `check_hash`: 304 if equal."""
        self._only_without_database()
        if request.content_type in {"text/yaml", "application/yaml", "application/x-yaml"}:
            fields: dict[str, JsonValue] = {"config": (await request.read()).decode("utf-8", "replace")}
        else:
            fields = await _fields(request)
        check_hash = request.query.get("check_hash", str(fields.pop("check_hash", "0")))
        for flag in ("flatten_errors", "check_hash"):
            fields.pop(flag, None)
        source = fields.get("config")
        if not isinstance(source, str) and not fields:
            raise EntityError(400, {"message": "expected a declarative configuration"})
        # Kong hashes a configuration that came as an object by a JSON text of its own.
        text = source if isinstance(source, str) else json.dumps(fields, separators=(",", ":"), sort_keys=True)
        before = self._gateway.configuration_hash
        if check_hash in {"1", "true", "True"} and declarative.hash_of(text) == before:
            return web.Response(status=304, headers={"Server": answers.SERVER})
        document = declarative.parse(source) if isinstance(source, str) else fields
        if declarative.names_nowhere(document):
            # Kong 3.9.1 fails on a reference to what is not there, before it can say so.
            return _reply(500, {"message": answers.UNEXPECTED})
        self._gateway.apply(document, text)
        entities = {
            kind: {str(entity["id"]): entity for entity in self._gateway.store.all(kind)}
            for kind in SCHEMAS
            if self._gateway.store.all(kind)
        }
        return _reply(201, entities)

    def collection(self, kind: str, parent: str | None) -> Callable[[web.Request], Awaitable[web.Response]]:
        """Make the handler of `/{kind}`, or of `/{parent}/…/{kind}`."""

        async def handle(request: web.Request) -> web.Response:
            owner = self._owner(request, parent)
            if request.method in {"GET", "HEAD"}:
                entities = self._gateway.store.all(kind)
                if owner is not None and parent is not None:
                    entities = [each for each in entities if reference(each, _FIELD[parent]) == owner["id"]]
                if self._fails_by_tags(request, kind, entities):
                    return _reply(500, {"message": answers.UNEXPECTED})
                return _page(request, entities)
            if request.method != "POST":
                raise _MethodNotAllowed
            self._writable("create", kind)
            fields = await _fields(request)
            if owner is not None and parent is not None:
                fields[_FIELD[parent]] = {"id": owner["id"]}
            return _reply(201, self._gateway.store.create(kind, self._resolved(kind, fields)))

        return handle

    def member(self, kind: str) -> Callable[[web.Request], Awaitable[web.Response]]:
        """Make the handler of `/{kind}/{id or name}`."""

        async def handle(request: web.Request) -> web.Response:
            key = request.match_info["key"]
            store = self._gateway.store
            if request.method in {"GET", "HEAD"}:
                entity = store.find(kind, key)
                if entity is None:
                    raise not_found()
                return _reply(200, entity)
            if request.method == "PUT":
                self._writable("create or update", kind)
                return _reply(200, store.upsert(kind, key, self._resolved(kind, await _fields(request))))
            if request.method == "PATCH":
                self._writable("update", kind)
                return _reply(200, store.update(kind, key, self._resolved(kind, await _fields(request))))
            if request.method == "DELETE":
                self._writable("remove", kind)
                store.delete(kind, key)
                return web.Response(status=204, headers={"Server": answers.SERVER})
            raise _MethodNotAllowed

        return handle

    def _fails_by_tags(self, request: web.Request, kind: str, entities: list[Entity]) -> bool:
        """Whether Kong 3.9.1 answers 500: without a database, where it looks for the tags of a plugin that has none."""
        without = self._gateway.settings.database == "off" and kind == "plugins" and "tags" in request.query
        return without and any(each.get("tags") is None for each in entities)

    def _resolved(self, kind: str, fields: dict[str, JsonValue]) -> dict[str, JsonValue]:
        return self._gateway.store.resolve(kind, fields)

    def _owner(self, request: web.Request, parent: str | None) -> Entity | None:
        if parent is None:
            return None
        owner = self._gateway.store.find(parent, request.match_info["parent"])
        if owner is None:
            raise not_found()
        return owner

    def _writable(self, operation: str, kind: str) -> None:
        if self._gateway.settings.database == "off":
            raise EntityError(
                405,
                {
                    "message": f"cannot {operation} '{kind}' entities when not using a database",
                    "name": "operation unsupported",
                    "code": 12,
                },
            )

    def _only_without_database(self) -> None:
        if self._gateway.settings.database != "off":
            words = "this endpoint is only available when Kong is configured to not use a database"
            raise EntityError(400, {"message": words})


def _page(request: web.Request, entities: list[Entity]) -> web.Response:
    """Give one page of a list: `size`, `offset`, and `tags` (`a,b`: all of them; `a/b`: any)."""
    size = _number(request.query.get("size"), _PAGE)
    if size is None or not 1 <= size <= _LARGEST_PAGE:
        raise EntityError(
            400,
            {
                "message": f"size must be an integer between 1 and {_LARGEST_PAGE}",
                "name": "invalid size",
                "code": 9,
            },
        )
    tags = request.query.get("tags")
    if tags:
        wanted = set(tags.replace("/", ",").split(","))
        some = "/" in tags
        entities = [each for each in entities if _tagged(each, wanted, some=some)]
    start = _start(request.query.get("offset"))
    page = entities[start : start + size]
    body: dict[str, object] = {"data": page, "next": None}
    if start + size < len(entities):
        offset = base64.urlsafe_b64encode(str(start + size).encode()).decode()
        body["offset"] = offset
        asked = request.query.get("size")
        query = f"offset={offset}" + (f"&size={size}" if asked else "") + (f"&tags={tags}" if tags else "")
        body["next"] = f"{request.path}?{query}"
    return _reply(200, body)


def _tagged(entity: Entity, wanted: set[str], *, some: bool) -> bool:
    own = set(strings(entity, "tags"))
    return bool(own & wanted) if some else wanted <= own


def _number(given: str | None, default: int) -> int | None:
    if given is None:
        return default
    return int(given) if given.isdigit() and len(given) < 10 else None


def _start(offset: str | None) -> int:
    if offset is None:
        return 0
    try:
        return max(0, int(base64.urlsafe_b64decode(offset)))
    except ValueError:
        raise EntityError(
            400,
            {"message": f"'{offset[:100]}' is not a valid offset", "name": "invalid offset", "code": 7},
        ) from None


def _compact(kind: str, entity: Entity) -> dict[str, object]:
    """Write an entity as the declarative form has it: no nulls, references by id."""
    compact: dict[str, object] = {name: value for name, value in entity.items() if value is not None}
    for field in REFERENCES[kind]:
        if field in compact:
            compact[field] = reference(entity, field)
    return compact
