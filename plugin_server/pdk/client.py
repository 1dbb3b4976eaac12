"""`kong.client`: who calls."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from plugin_server.pdk.namespace import Namespace, empty_call, read_text
from plugin_server.wire import kong_plugin_protocol_pb2 as pb
from plugin_server.wire.frames import frame, method, varint
from plugin_server.wire.values import to_bytes, to_text

_GET_IP = empty_call("kong.client.get_ip")
_GET_FORWARDED_IP = empty_call("kong.client.get_forwarded_ip")
_GET_CREDENTIAL = empty_call("kong.client.get_credential")
_GET_CONSUMER = empty_call("kong.client.get_consumer")
_LOAD_CONSUMER = method("kong.client.load_consumer")
_AUTHENTICATE = method("kong.client.authenticate")


def _consumer_from(reply: bytes) -> dict[str, Any] | None:
    if not reply:
        return None
    consumer = pb.Consumer.FromString(reply)
    return {
        "id": to_text(consumer.id),
        "created_at": consumer.created_at,
        "username": to_text(consumer.username) or None,
        "custom_id": to_text(consumer.custom_id) or None,
        "tags": [to_text(tag) for tag in consumer.tags],
    }


def _by_credential(credential_id: str, consumer_id: str) -> bytes:
    """Frame the whole call for a credential alone, by hand: it is in every allowed request."""
    first, second = to_bytes(credential_id), to_bytes(consumer_id)
    before, between = _around_ids(len(first), len(second))
    return b"".join((before, first, between, second))


@lru_cache(maxsize=256)
def _around_ids(first: int, second: int) -> tuple[bytes, bytes]:
    """All of the call that comes before a credential's id and between it and the consumer's, for ids of such sizes."""
    id_tag = b"\x0a" + varint(first) if first else b""
    consumer_tag = b"\x12" + varint(second) if second else b""
    credential = b"\x12" + varint(len(id_tag) + first + len(consumer_tag) + second)
    size = len(credential) + len(id_tag) + first + len(consumer_tag) + second
    return _AUTHENTICATE + size.to_bytes(4, "little") + credential + id_tag, consumer_tag


def _text_field(fields: Mapping[str, Any], name: str) -> bytes:
    return to_bytes(fields.get(name) or "")


class Client(Namespace):
    """`kong.client`."""

    __slots__ = ()

    def get_ip(self) -> str:
        """Give the address of the peer."""
        return read_text(self._channel.ask(_GET_IP)) or ""

    def get_forwarded_ip(self) -> str:
        """Give the address of the client, past trusted proxies."""
        return read_text(self._channel.ask(_GET_FORWARDED_IP)) or ""

    def get_credential(self) -> dict[str, str] | None:
        """Give `{id, consumer_id}` of the authenticated credential."""
        reply = self._channel.ask(_GET_CREDENTIAL)
        if not reply:
            return None
        credential = pb.Credential.FromString(reply)
        return {"id": to_text(credential.id), "consumer_id": to_text(credential.consumer_id)}

    def get_consumer(self) -> dict[str, Any] | None:
        """Give the authenticated consumer."""
        return _consumer_from(self._channel.ask(_GET_CONSUMER))

    def load_consumer(self, consumer_id: str, search_by_username: bool = False) -> dict[str, Any] | None:
        """Look a consumer up in Kong by id or, where asked, by user name."""
        spec = pb.ConsumerSpec(id=to_bytes(consumer_id), by_username=search_by_username)
        return _consumer_from(self._channel.ask(_LOAD_CONSUMER + frame(spec.SerializeToString())))

    def authenticate(self, consumer: Mapping[str, Any] | None, credential: Mapping[str, Any] | None) -> None:
        """Set who calls: a consumer, a credential, or both.

        Kong raises, and the client gets 500, when it is given neither. So does this, before anything is sent.
        """
        if consumer is None and credential is None:
            raise ValueError("kong.client.authenticate: either consumer or credential must be provided")
        if consumer is None and credential is not None:
            self._channel.cast(_by_credential(credential.get("id") or "", credential.get("consumer_id") or ""))
            return
        args = pb.AuthenticateArgs()
        if consumer is not None:
            args.consumer.id = _text_field(consumer, "id")
            args.consumer.created_at = int(consumer.get("created_at") or 0)
            args.consumer.username = _text_field(consumer, "username")
            args.consumer.custom_id = _text_field(consumer, "custom_id")
            args.consumer.tags.extend(to_bytes(tag) for tag in consumer.get("tags") or ())
        if credential is not None:
            args.credential.id = _text_field(credential, "id")
            args.credential.consumer_id = _text_field(credential, "consumer_id")
        self._channel.cast(_AUTHENTICATE + frame(args.SerializeToString()))
