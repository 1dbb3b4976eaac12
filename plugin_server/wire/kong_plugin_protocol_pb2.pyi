from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Empty(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Int(_message.Message):
    __slots__ = ("v",)
    V_FIELD_NUMBER: _ClassVar[int]
    v: int
    def __init__(self, v: _Optional[int] = ...) -> None: ...

class Number(_message.Message):
    __slots__ = ("v",)
    V_FIELD_NUMBER: _ClassVar[int]
    v: float
    def __init__(self, v: _Optional[float] = ...) -> None: ...

class String(_message.Message):
    __slots__ = ("v",)
    V_FIELD_NUMBER: _ClassVar[int]
    v: bytes
    def __init__(self, v: _Optional[bytes] = ...) -> None: ...

class Bool(_message.Message):
    __slots__ = ("v",)
    V_FIELD_NUMBER: _ClassVar[int]
    v: bool
    def __init__(self, v: _Optional[bool] = ...) -> None: ...

class Struct(_message.Message):
    __slots__ = ("fields",)
    class Entry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: bytes
        value: Value
        def __init__(self, key: _Optional[bytes] = ..., value: _Optional[_Union[Value, _Mapping]] = ...) -> None: ...
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    fields: _containers.RepeatedCompositeFieldContainer[Struct.Entry]
    def __init__(self, fields: _Optional[_Iterable[_Union[Struct.Entry, _Mapping]]] = ...) -> None: ...

class Value(_message.Message):
    __slots__ = ("null_value", "number_value", "string_value", "bool_value", "struct_value", "list_value")
    NULL_VALUE_FIELD_NUMBER: _ClassVar[int]
    NUMBER_VALUE_FIELD_NUMBER: _ClassVar[int]
    STRING_VALUE_FIELD_NUMBER: _ClassVar[int]
    BOOL_VALUE_FIELD_NUMBER: _ClassVar[int]
    STRUCT_VALUE_FIELD_NUMBER: _ClassVar[int]
    LIST_VALUE_FIELD_NUMBER: _ClassVar[int]
    null_value: int
    number_value: float
    string_value: bytes
    bool_value: bool
    struct_value: Struct
    list_value: ListValue
    def __init__(self, null_value: _Optional[int] = ..., number_value: _Optional[float] = ..., string_value: _Optional[bytes] = ..., bool_value: _Optional[bool] = ..., struct_value: _Optional[_Union[Struct, _Mapping]] = ..., list_value: _Optional[_Union[ListValue, _Mapping]] = ...) -> None: ...

class ListValue(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedCompositeFieldContainer[Value]
    def __init__(self, values: _Optional[_Iterable[_Union[Value, _Mapping]]] = ...) -> None: ...

class KV(_message.Message):
    __slots__ = ("k", "v")
    K_FIELD_NUMBER: _ClassVar[int]
    V_FIELD_NUMBER: _ClassVar[int]
    k: bytes
    v: Value
    def __init__(self, k: _Optional[bytes] = ..., v: _Optional[_Union[Value, _Mapping]] = ...) -> None: ...

class RpcCall(_message.Message):
    __slots__ = ("sequence", "cmd_get_plugin_names", "cmd_get_plugin_info", "cmd_start_instance", "cmd_get_instance_status", "cmd_close_instance", "cmd_handle_event")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    CMD_GET_PLUGIN_NAMES_FIELD_NUMBER: _ClassVar[int]
    CMD_GET_PLUGIN_INFO_FIELD_NUMBER: _ClassVar[int]
    CMD_START_INSTANCE_FIELD_NUMBER: _ClassVar[int]
    CMD_GET_INSTANCE_STATUS_FIELD_NUMBER: _ClassVar[int]
    CMD_CLOSE_INSTANCE_FIELD_NUMBER: _ClassVar[int]
    CMD_HANDLE_EVENT_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    cmd_get_plugin_names: CmdGetPluginNames
    cmd_get_plugin_info: CmdGetPluginInfo
    cmd_start_instance: CmdStartInstance
    cmd_get_instance_status: CmdGetInstanceStatus
    cmd_close_instance: CmdCloseInstance
    cmd_handle_event: CmdHandleEvent
    def __init__(self, sequence: _Optional[int] = ..., cmd_get_plugin_names: _Optional[_Union[CmdGetPluginNames, _Mapping]] = ..., cmd_get_plugin_info: _Optional[_Union[CmdGetPluginInfo, _Mapping]] = ..., cmd_start_instance: _Optional[_Union[CmdStartInstance, _Mapping]] = ..., cmd_get_instance_status: _Optional[_Union[CmdGetInstanceStatus, _Mapping]] = ..., cmd_close_instance: _Optional[_Union[CmdCloseInstance, _Mapping]] = ..., cmd_handle_event: _Optional[_Union[CmdHandleEvent, _Mapping]] = ...) -> None: ...

class CmdGetPluginNames(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class CmdGetPluginInfo(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: bytes
    def __init__(self, name: _Optional[bytes] = ...) -> None: ...

class CmdStartInstance(_message.Message):
    __slots__ = ("name", "config")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    name: bytes
    config: bytes
    def __init__(self, name: _Optional[bytes] = ..., config: _Optional[bytes] = ...) -> None: ...

class CmdGetInstanceStatus(_message.Message):
    __slots__ = ("instance_id",)
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    instance_id: int
    def __init__(self, instance_id: _Optional[int] = ...) -> None: ...

class CmdCloseInstance(_message.Message):
    __slots__ = ("instance_id",)
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    instance_id: int
    def __init__(self, instance_id: _Optional[int] = ...) -> None: ...

class CmdHandleEvent(_message.Message):
    __slots__ = ("instance_id", "event_name")
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_NAME_FIELD_NUMBER: _ClassVar[int]
    instance_id: int
    event_name: bytes
    def __init__(self, instance_id: _Optional[int] = ..., event_name: _Optional[bytes] = ...) -> None: ...

class RpcReturn(_message.Message):
    __slots__ = ("sequence", "plugin_names", "plugin_info", "instance_status")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    PLUGIN_NAMES_FIELD_NUMBER: _ClassVar[int]
    PLUGIN_INFO_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_STATUS_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    plugin_names: PluginNames
    plugin_info: PluginInfo
    instance_status: InstanceStatus
    def __init__(self, sequence: _Optional[int] = ..., plugin_names: _Optional[_Union[PluginNames, _Mapping]] = ..., plugin_info: _Optional[_Union[PluginInfo, _Mapping]] = ..., instance_status: _Optional[_Union[InstanceStatus, _Mapping]] = ...) -> None: ...

class PluginNames(_message.Message):
    __slots__ = ("names",)
    NAMES_FIELD_NUMBER: _ClassVar[int]
    names: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, names: _Optional[_Iterable[str]] = ...) -> None: ...

class PluginInfo(_message.Message):
    __slots__ = ("name", "updated_at", "loaded_at", "phases", "version", "priority", "schema")
    NAME_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    LOADED_AT_FIELD_NUMBER: _ClassVar[int]
    PHASES_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_FIELD_NUMBER: _ClassVar[int]
    name: str
    updated_at: int
    loaded_at: int
    phases: _containers.RepeatedScalarFieldContainer[str]
    version: str
    priority: int
    schema: str
    def __init__(self, name: _Optional[str] = ..., updated_at: _Optional[int] = ..., loaded_at: _Optional[int] = ..., phases: _Optional[_Iterable[str]] = ..., version: _Optional[str] = ..., priority: _Optional[int] = ..., schema: _Optional[str] = ...) -> None: ...

class InstanceStatus(_message.Message):
    __slots__ = ("name", "instance_id", "config", "started_at")
    NAME_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_ID_FIELD_NUMBER: _ClassVar[int]
    CONFIG_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    name: bytes
    instance_id: int
    config: Value
    started_at: int
    def __init__(self, name: _Optional[bytes] = ..., instance_id: _Optional[int] = ..., config: _Optional[_Union[Value, _Mapping]] = ..., started_at: _Optional[int] = ...) -> None: ...

class ExitArgs(_message.Message):
    __slots__ = ("status", "body", "headers")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    status: int
    body: bytes
    headers: Struct
    def __init__(self, status: _Optional[int] = ..., body: _Optional[bytes] = ..., headers: _Optional[_Union[Struct, _Mapping]] = ...) -> None: ...

class Consumer(_message.Message):
    __slots__ = ("id", "created_at", "username", "custom_id", "tags")
    ID_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    USERNAME_FIELD_NUMBER: _ClassVar[int]
    CUSTOM_ID_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    id: bytes
    created_at: int
    username: bytes
    custom_id: bytes
    tags: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, id: _Optional[bytes] = ..., created_at: _Optional[int] = ..., username: _Optional[bytes] = ..., custom_id: _Optional[bytes] = ..., tags: _Optional[_Iterable[bytes]] = ...) -> None: ...

class Credential(_message.Message):
    __slots__ = ("id", "consumer_id")
    ID_FIELD_NUMBER: _ClassVar[int]
    CONSUMER_ID_FIELD_NUMBER: _ClassVar[int]
    id: bytes
    consumer_id: bytes
    def __init__(self, id: _Optional[bytes] = ..., consumer_id: _Optional[bytes] = ...) -> None: ...

class AuthenticateArgs(_message.Message):
    __slots__ = ("consumer", "credential")
    CONSUMER_FIELD_NUMBER: _ClassVar[int]
    CREDENTIAL_FIELD_NUMBER: _ClassVar[int]
    consumer: Consumer
    credential: Credential
    def __init__(self, consumer: _Optional[_Union[Consumer, _Mapping]] = ..., credential: _Optional[_Union[Credential, _Mapping]] = ...) -> None: ...

class ConsumerSpec(_message.Message):
    __slots__ = ("id", "by_username")
    ID_FIELD_NUMBER: _ClassVar[int]
    BY_USERNAME_FIELD_NUMBER: _ClassVar[int]
    id: bytes
    by_username: bool
    def __init__(self, id: _Optional[bytes] = ..., by_username: _Optional[bool] = ...) -> None: ...

class Reference(_message.Message):
    __slots__ = ("id",)
    ID_FIELD_NUMBER: _ClassVar[int]
    id: bytes
    def __init__(self, id: _Optional[bytes] = ...) -> None: ...

class Service(_message.Message):
    __slots__ = ("id", "created_at", "updated_at", "name", "retries", "protocol", "host", "port", "path", "connect_timeout", "write_timeout", "read_timeout", "tags", "client_certificate")
    ID_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    RETRIES_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    PORT_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    CONNECT_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    WRITE_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    READ_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    CLIENT_CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    id: bytes
    created_at: int
    updated_at: int
    name: bytes
    retries: int
    protocol: bytes
    host: bytes
    port: int
    path: bytes
    connect_timeout: int
    write_timeout: int
    read_timeout: int
    tags: _containers.RepeatedScalarFieldContainer[bytes]
    client_certificate: Reference
    def __init__(self, id: _Optional[bytes] = ..., created_at: _Optional[int] = ..., updated_at: _Optional[int] = ..., name: _Optional[bytes] = ..., retries: _Optional[int] = ..., protocol: _Optional[bytes] = ..., host: _Optional[bytes] = ..., port: _Optional[int] = ..., path: _Optional[bytes] = ..., connect_timeout: _Optional[int] = ..., write_timeout: _Optional[int] = ..., read_timeout: _Optional[int] = ..., tags: _Optional[_Iterable[bytes]] = ..., client_certificate: _Optional[_Union[Reference, _Mapping]] = ...) -> None: ...

class Route(_message.Message):
    __slots__ = ("id", "created_at", "updated_at", "name", "protocols", "methods", "hosts", "paths", "headers", "https_redirect_status_code", "regex_priority", "strip_path", "preserve_host", "snis", "sources", "destinations", "tags", "service")
    ID_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    UPDATED_AT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PROTOCOLS_FIELD_NUMBER: _ClassVar[int]
    METHODS_FIELD_NUMBER: _ClassVar[int]
    HOSTS_FIELD_NUMBER: _ClassVar[int]
    PATHS_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    HTTPS_REDIRECT_STATUS_CODE_FIELD_NUMBER: _ClassVar[int]
    REGEX_PRIORITY_FIELD_NUMBER: _ClassVar[int]
    STRIP_PATH_FIELD_NUMBER: _ClassVar[int]
    PRESERVE_HOST_FIELD_NUMBER: _ClassVar[int]
    SNIS_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    DESTINATIONS_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    id: bytes
    created_at: int
    updated_at: int
    name: bytes
    protocols: _containers.RepeatedScalarFieldContainer[bytes]
    methods: _containers.RepeatedScalarFieldContainer[bytes]
    hosts: _containers.RepeatedScalarFieldContainer[bytes]
    paths: _containers.RepeatedScalarFieldContainer[bytes]
    headers: Struct
    https_redirect_status_code: int
    regex_priority: int
    strip_path: bool
    preserve_host: bool
    snis: _containers.RepeatedScalarFieldContainer[bytes]
    sources: _containers.RepeatedScalarFieldContainer[bytes]
    destinations: _containers.RepeatedScalarFieldContainer[bytes]
    tags: _containers.RepeatedScalarFieldContainer[bytes]
    service: Reference
    def __init__(self, id: _Optional[bytes] = ..., created_at: _Optional[int] = ..., updated_at: _Optional[int] = ..., name: _Optional[bytes] = ..., protocols: _Optional[_Iterable[bytes]] = ..., methods: _Optional[_Iterable[bytes]] = ..., hosts: _Optional[_Iterable[bytes]] = ..., paths: _Optional[_Iterable[bytes]] = ..., headers: _Optional[_Union[Struct, _Mapping]] = ..., https_redirect_status_code: _Optional[int] = ..., regex_priority: _Optional[int] = ..., strip_path: _Optional[bool] = ..., preserve_host: _Optional[bool] = ..., snis: _Optional[_Iterable[bytes]] = ..., sources: _Optional[_Iterable[bytes]] = ..., destinations: _Optional[_Iterable[bytes]] = ..., tags: _Optional[_Iterable[bytes]] = ..., service: _Optional[_Union[Reference, _Mapping]] = ...) -> None: ...

class RawBodyResult(_message.Message):
    __slots__ = ("content", "body_filepath", "error")
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    BODY_FILEPATH_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    content: bytes
    body_filepath: bytes
    error: bytes
    def __init__(self, content: _Optional[bytes] = ..., body_filepath: _Optional[bytes] = ..., error: _Optional[bytes] = ...) -> None: ...
