"""The file that names a region's Kongs (`kong_file`), and how each of them is managed."""

import os
import re
from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from kong_app_auth.sync.kong.plan import OnUnlink, Policy

MOST_BYTES: Final = 1024 * 1024
MOST_GATEWAYS: Final = 100
LONGEST_TOKEN: Final = 4096

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}", re.ASCII)
_SET_BY_US: Final = ("region", "api")


class BadGateways(Exception):  # noqa: N818  said to an operator
    """The file cannot be used. The text is one line that says where and why, and holds no token."""


class Mode(Enum):
    """How a Kong is configured: in its database, or by a declarative configuration that is posted to each node."""

    TRADITIONAL = "traditional"
    DB_LESS = "db_less"


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError("a name has letters, digits and . _ - inside, at most 64")
    return text


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        right = parts.port != 0
    except ValueError:
        raise ValueError("this is no URL") from None
    if not right or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("an Admin API is written http://host:port or https://host:port")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise ValueError("the URL of an Admin API holds no user, no query and no fragment")
    return text.rstrip("/")


def _file(path: Path) -> Path:
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    return path


Name = Annotated[str, AfterValidator(_name)]
Url = Annotated[str, AfterValidator(_url)]
File = Annotated[Path, AfterValidator(_file)]


class Gateway(BaseModel):
    """One Kong, or one group of Kongs without a database that have the same configuration.

    `resolve`: the name in the URL stands for several nodes, as that of a headless Service of Kubernetes does. The token
    of the Admin API is in the file, in another file, or in a variable of the environment; `config` is what our plugin
    is configured with beside the region.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: Name
    mode: Mode = Mode.TRADITIONAL
    admin_url: Url | None = None
    admin_urls: tuple[Url, ...] = ()
    resolve: bool = False
    token: SecretStr | None = None
    token_file: File | None = None
    token_variable: str | None = None
    ca_file: File | None = None
    client_cert: File | None = None
    client_key: File | None = None
    on_unlink: OnUnlink = OnUnlink.OPEN
    config: dict[str, JsonValue] = Field(default_factory=dict)
    declarative_file: Path | None = None

    @field_validator("config")
    @classmethod
    def _not_ours(cls, config: dict[str, JsonValue]) -> dict[str, JsonValue]:
        for name in _SET_BY_US:
            if name in config:
                raise ValueError(f"{name} is set by the daemon")
        return config

    @model_validator(mode="after")
    def _whole(self) -> "Gateway":
        if (self.admin_url is None) == (not self.admin_urls):
            raise ValueError("there is either admin_url or, with mode db_less, admin_urls")
        if self.mode is Mode.TRADITIONAL:
            if self.admin_urls:
                raise ValueError("admin_urls is for mode db_less: with a database, any node will do")
            if self.declarative_file is not None or self.resolve:
                raise ValueError("declarative_file and resolve are for mode db_less")
        elif self.declarative_file is None:
            raise ValueError("mode db_less needs declarative_file, your own configuration of Kong")
        if sum(one is not None for one in (self.token, self.token_file, self.token_variable)) > 1:
            raise ValueError("there is one of token, token_file and token_variable")
        if self.token_variable is not None and not _VARIABLE.fullmatch(self.token_variable):
            raise ValueError("token_variable is the name of a variable")
        if self.client_key is not None and self.client_cert is None:
            raise ValueError("client_key needs client_cert")
        return self

    @property
    def urls(self) -> tuple[str, ...]:
        """The Admin APIs: one of a Kong with a database, all of the nodes without."""
        return self.admin_urls or (() if self.admin_url is None else (self.admin_url,))

    def policy(self, region: str) -> Policy:
        """Say how it is managed for a region."""
        return Policy(region, dict[str, Any](self.config), self.on_unlink)

    def read_token(self) -> str | None:
        """Read the token; from its file each time, for it may be changed. Raises BadGateways."""
        if self.token is not None:
            return _token(self.token.get_secret_value(), "token")
        if self.token_variable is not None:
            return _token(os.environ.get(self.token_variable, ""), "token_variable")
        if self.token_file is not None:
            try:
                with self.token_file.open("rb") as file:
                    text = file.read(LONGEST_TOKEN + 2).decode("ascii")
            except (OSError, UnicodeDecodeError) as error:
                raise BadGateways(f"token_file cannot be read: {type(error).__name__}") from None
            return _token(text.strip(), "token_file")
        return None


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    gateways: Annotated[tuple[Gateway, ...], Field(min_length=1, max_length=MOST_GATEWAYS)]

    @field_validator("gateways")
    @classmethod
    def _different(cls, gateways: tuple[Gateway, ...]) -> tuple[Gateway, ...]:
        names = [one.name for one in gateways]
        if len(set(names)) < len(names):
            raise ValueError("two gateways have the same name")
        return gateways


def read_gateways(path: Path) -> tuple[Gateway, ...]:
    """Read the file. Raises BadGateways."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise BadGateways(f"cannot read {path}: {error.strerror}") from None
    if len(data) > MOST_BYTES:
        raise BadGateways(f"{path} is larger than {MOST_BYTES} bytes")
    try:
        document: object = yaml.safe_load(data.decode())
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "it cannot be read at all"
        raise BadGateways(f"{path} is not YAML: {place}") from None
    try:
        gateways = _Document.model_validate(document).gateways
        for each in gateways:
            _check_token(each)
    except ValidationError as error:
        raise BadGateways(f"{path}: {_in_one_line(error)}") from None
    return gateways


def _check_token(gateway: Gateway) -> None:
    try:
        gateway.read_token()
    except BadGateways as bad:
        raise BadGateways(f"gateway {gateway.name}: {bad}") from None


def _token(text: str, field: str) -> str:
    if not 0 < len(text) <= LONGEST_TOKEN or not (text.isascii() and text.isprintable()):
        raise BadGateways(f"{field} holds no token: 1 to {LONGEST_TOKEN} characters of visible ASCII")
    return text


def _in_one_line(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return f"{_path(first['loc'])}: {first['msg'].removeprefix('Value error, ')}"


def _path(location: Sequence[int | str]) -> str:
    text = ""
    for step in location:
        text += f"[{step}]" if isinstance(step, int) else f".{step}"
    return text.lstrip(".") or "the file"
