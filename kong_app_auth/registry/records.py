"""The encoding of records, in Redis and in the replica alike.

All but credentials are msgpack arrays. A credential is packed into 41 bytes, because a gateway
holds a million of them and decodes one on every request: `!B Q 16s 16s`, that is state, expiry (Unix time in seconds,
0: never), credential id and application id as the bytes of their UUIDs.
"""

import re
import struct
from collections.abc import Callable
from typing import Final, TypeAlias

import msgspec

from kong_app_auth.domain.records import (
    Api,
    Application,
    Client,
    Credential,
    CredentialState,
    Issuer,
    Service,
    Strategy,
)
from kong_app_auth.registry.keys import Table

SCHEMA_VERSION: Final = 2
"""Rises when a reader of today could misunderstand what a writer writes."""

DIGEST_BYTES: Final = 32
MAX_ID_BYTES: Final = 320
"""The longest are those of clients: a UUID and at most 255 characters. LMDB keeps keys of up to 511 bytes."""
MAX_RECORD_BYTES: Final = 256 * 1024

Record: TypeAlias = Api | Service | Strategy | Application | Credential | Client | Issuer
RecordId: TypeAlias = str | bytes
"""The id of a record; of a credential the 32 bytes of its key's SHA-256."""

TYPES: Final[dict[Table, type[Record]]] = {
    Table.APIS: Api,
    Table.SERVICES: Service,
    Table.STRATEGIES: Strategy,
    Table.APPLICATIONS: Application,
    Table.CREDENTIALS: Credential,
    Table.CLIENTS: Client,
    Table.ISSUERS: Issuer,
}

_CREDENTIAL = struct.Struct("!BQ16s16s")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_HEX_DIGEST = re.compile(rb"[0-9a-f]{64}")
_STATES = {int(state): state for state in CredentialState}
_encoder = msgspec.msgpack.Encoder()
_apis = msgspec.msgpack.Decoder(Api)
_services = msgspec.msgpack.Decoder(Service)
_strategies = msgspec.msgpack.Decoder(Strategy)
_applications = msgspec.msgpack.Decoder(Application)
_clients = msgspec.msgpack.Decoder(Client)
_issuers = msgspec.msgpack.Decoder(Issuer)


class CorruptRecord(Exception):  # noqa: N818 – says what it is
    """What is stored is no record. The message names the table and nothing of the content."""

    def __init__(self, table: Table | str) -> None:
        super().__init__(f"corrupt record in {table}")


def encode(record: Record) -> bytes:
    """Encode a record. Raises ValueError where it cannot be stored: an id that is no UUID in a credential, too long."""
    value = _encode_credential(record) if isinstance(record, Credential) else _encoder.encode(record)
    if len(value) > MAX_RECORD_BYTES:
        raise ValueError(f"a record of {len(value)} bytes; at most {MAX_RECORD_BYTES} are allowed")
    return value


def decode_api(value: bytes) -> Api:
    """Decode a value of the table `apis`."""
    try:
        return _apis.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise CorruptRecord(Table.APIS) from None


def decode_service(value: bytes) -> Service:
    """Decode a value of the table `services`."""
    try:
        return _services.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise CorruptRecord(Table.SERVICES) from None


def decode_strategy(value: bytes) -> Strategy:
    """Decode a value of the table `strategies`."""
    try:
        return _strategies.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise CorruptRecord(Table.STRATEGIES) from None


def decode_application(value: bytes) -> Application:
    """Decode a value of the table `applications`."""
    try:
        return _applications.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise CorruptRecord(Table.APPLICATIONS) from None


def decode_client(value: bytes) -> Client:
    """Decode a value of the table `clients`."""
    try:
        return _clients.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise CorruptRecord(Table.CLIENTS) from None


def decode_issuer(value: bytes) -> Issuer:
    """Decode a value of the table `issuers`."""
    try:
        return _issuers.decode(value)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise CorruptRecord(Table.ISSUERS) from None


def decode_credential(value: bytes) -> Credential:
    """Decode a value of the table `credentials`. On the path of every request, hence by slices of hexadecimal text."""
    try:
        state, expires_at, credential_id, application_id = _CREDENTIAL.unpack(value)
        c: str = credential_id.hex()
        a: str = application_id.hex()
        return Credential(
            f"{c[:8]}-{c[8:12]}-{c[12:16]}-{c[16:20]}-{c[20:]}",
            f"{a[:8]}-{a[8:12]}-{a[12:16]}-{a[16:20]}-{a[20:]}",
            _STATES[state],
            expires_at or None,
        )
    except (struct.error, KeyError):
        raise CorruptRecord(Table.CREDENTIALS) from None


DECODERS: Final[dict[Table, Callable[[bytes], Record]]] = {
    Table.APIS: decode_api,
    Table.SERVICES: decode_service,
    Table.STRATEGIES: decode_strategy,
    Table.APPLICATIONS: decode_application,
    Table.CREDENTIALS: decode_credential,
    Table.CLIENTS: decode_client,
    Table.ISSUERS: decode_issuer,
}


def raw_id(table: Table, record_id: RecordId) -> bytes:
    """Give the id as bytes, as the replica and the stream hold it. Raises ValueError where it is none."""
    if table is Table.CREDENTIALS:
        if not isinstance(record_id, bytes) or len(record_id) != DIGEST_BYTES:
            raise ValueError("the id of a credential is a digest of 32 bytes")
        return record_id
    if not isinstance(record_id, str):
        raise ValueError(f"an id in {table} is text")  # noqa: TRY004 – one error for all that is wrong with an id
    raw = record_id.encode("utf-8")
    if not 0 < len(raw) <= MAX_ID_BYTES:
        raise ValueError(f"an id in {table} has 1 to {MAX_ID_BYTES} bytes")
    return raw


def record_id(table: Table, raw: bytes) -> RecordId:
    """Undo `raw_id`. Raises CorruptRecord."""
    if not 0 < len(raw) <= MAX_ID_BYTES or (table is Table.CREDENTIALS and len(raw) != DIGEST_BYTES):
        raise CorruptRecord(table)
    if table is Table.CREDENTIALS:
        return raw
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise CorruptRecord(table) from None


def field_of(table: Table, raw: bytes) -> bytes:
    """Give the field of a table's hash in Redis: hexadecimal for a digest, else the id's text."""
    return raw.hex().encode("ascii") if table is Table.CREDENTIALS else raw


def raw_of_field(table: Table, field: bytes) -> bytes:
    """Undo `field_of`. Raises CorruptRecord."""
    if table is Table.CREDENTIALS:
        if not _HEX_DIGEST.fullmatch(field):
            raise CorruptRecord(table)
        return bytes.fromhex(field.decode("ascii"))
    if not 0 < len(field) <= MAX_ID_BYTES:
        raise CorruptRecord(table)
    return field


def _encode_credential(credential: Credential) -> bytes:
    expires_at = credential.expires_at or 0
    if credential.expires_at is not None and not 0 < expires_at < 2**63:
        raise ValueError("the expiry of a credential is a time after 1970")
    return _CREDENTIAL.pack(
        credential.state, expires_at, _uuid_bytes(credential.id), _uuid_bytes(credential.application_id)
    )


def _uuid_bytes(text: str) -> bytes:
    if not _UUID.fullmatch(text):
        raise ValueError("the ids of and in a credential are UUIDs in canonical form")
    return bytes.fromhex(text.replace("-", ""))
