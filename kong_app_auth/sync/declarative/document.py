"""The whole of an `apps.yaml`: bytes in; the region's contents, or everything that is wrong with them, out."""

import gc
from collections.abc import Generator
from contextlib import contextmanager

from kong_app_auth.registry.contents import Contents
from kong_app_auth.sync.declarative.apis import read_apis
from kong_app_auth.sync.declarative.complaints import Complaint, Complaints, Refusal, shown
from kong_app_auth.sync.declarative.fields import Fields, top_fields
from kong_app_auth.sync.declarative.portals import read_portals
from kong_app_auth.sync.declarative.reading import Reading
from kong_app_auth.sync.declarative.strategies import read_strategies
from kong_app_auth.sync.declarative.tree import Broken, read_tree

FORMAT_VERSION = "1.0"
LARGEST = 64 * 1024 * 1024
"""Bytes of a file."""

_FIELDS = ("_format_version", "region", "auth_strategies", "apis", "portals")


def parse(data: bytes, file: str, region: str) -> Contents | Refusal:
    """Read the bytes of a file for `region`; `file` is its name in complaints. Raises nothing, whatever the bytes."""
    if len(data) > LARGEST:
        return _refusal(file, 1, 1, f"the file is larger than {LARGEST // 1024 // 1024} MiB")
    with _garbage_left_alone():
        return _parse(data, file, region)


def _parse(data: bytes, file: str, region: str) -> Contents | Refusal:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        start_of_line = before.rfind(b"\n") + 1
        column = len(before[start_of_line:].decode("utf-8", "replace")) + 1
        return _refusal(file, before.count(b"\n") + 1, column, "the file is not UTF-8")
    root = read_tree(text)
    if isinstance(root, Broken):
        return _refusal(file, root.line, root.column, root.message)
    complaints = Complaints(file)
    reading = Reading(region, complaints)
    top = top_fields(root, _FIELDS, complaints)
    if top is not None and _is_for_us(top, region):
        strategies = read_strategies(top, reading)
        apis = read_apis(top, reading)
        read_portals(top, apis, strategies, reading)
    return complaints.refusal() or reading.contents


@contextmanager
def _garbage_left_alone() -> Generator[None]:
    """Keep the cyclic garbage collector out.

    A tree of a million nodes has no cycles. To look through it again and again takes half of the time to read it, and
    holds up the thread that sends heartbeats for a second at a time.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _is_for_us(top: Fields, region: str) -> bool:
    version = top.text("_format_version", required=True)
    if version is not None and version != FORMAT_VERSION:
        top.complain("_format_version", f'must be "{FORMAT_VERSION}"; this program knows no other')
        return False
    named = top.text("region", required=True)
    if named is not None and named != region:
        top.complain("region", f"is {shown(named)}, and this daemon is for {shown(region)}")
        return False
    return True


def _refusal(file: str, line: int, column: int, message: str) -> Refusal:
    return Refusal((Complaint(file, line, column, "", message),))
