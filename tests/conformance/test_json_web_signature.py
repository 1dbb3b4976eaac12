"""Wycheproof's vectors for JSON Web Signatures (RFC 7515): nothing invalid passes, and what is refused has a reason."""

import json
from pathlib import Path
from typing import Any

import pytest

from kong_app_auth.oidc.jose import compact
from kong_app_auth.oidc.jose.compact import Compact
from kong_app_auth.oidc.jose.jwk import Key
from kong_app_auth.oidc.jose.key_set import import_keys

FILE = Path(__file__).parents[3] / "shared" / "wycheproof" / "json_web_signature_test.json"
VECTORS = [(group, test) for group in json.loads(FILE.read_text())["testGroups"] for test in group["tests"]]

_SYMMETRIC = "a symmetric algorithm: whoever can check such a token can make one, so none is ever accepted"
_NOT_CANONICAL = "base64url with bits that mean nothing: two texts would be the same token"
_OTHER_ALGORITHM = "the key is for PS256 and the token says PS384: one algorithm a key"
_NO_ALGORITHM = "the key is for ES521, which is no algorithm (RFC 7518 calls it ES512)"
REFUSED_ALL_THE_SAME = {
    **dict.fromkeys((1, 348, 352, 357, 358, 359, 373, 376, 377), _SYMMETRIC),
    372: _NOT_CANONICAL,
    **dict.fromkeys((346, 350), _OTHER_ALGORITHM),
    **dict.fromkeys((347, 351), _NO_ALGORITHM),
}
"""Vectors that are valid by the RFC, with the reason why they are refused here."""


def accepted(group: dict[str, Any], token: object) -> bool:
    """Check a token with the one key of its group, as the tokens of an issuer with that key are checked."""
    read = compact.read(token if isinstance(token, str) else json.dumps(token))
    keys = (json.dumps(group["public"]),) if "public" in group else ()
    key = import_keys(keys).find(read.header) if isinstance(read, Compact) else None
    return isinstance(key, Key) and key.verifies(read.header.algorithm, read.signature, read.signing_input)


def test_all_vectors_are_here() -> None:
    assert len(VECTORS) == 401
    valid = {test["tcId"] for _, test in VECTORS if test["result"] == "valid"}
    assert valid > set(REFUSED_ALL_THE_SAME)


@pytest.mark.parametrize(("group", "test"), VECTORS, ids=[str(test["tcId"]) for _, test in VECTORS])
def test_a_vector(group: dict[str, Any], test: dict[str, Any]) -> None:
    expected = test["result"] == "valid" and test["tcId"] not in REFUSED_ALL_THE_SAME
    assert accepted(group, test["jws"]) is expected
