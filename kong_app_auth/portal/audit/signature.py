"""How webhooks are signed: who has the secret knows that a body is ours, whole and recent.

`X-App-Auth-Signature: t=<Unix time>,v1=<hex HMAC-SHA-256 of "<t>.<body>" with the secret>`. The receiver computes the
same over the raw body, compares in constant time, and refuses a `t` more than five minutes away.
"""

import hashlib
import hmac
from datetime import datetime
from typing import Final

HEADER: Final = "X-App-Auth-Signature"


def signature(secret: str, moment: datetime, body: bytes) -> str:
    """Give the header's value for a body that is sent at `moment`."""
    seconds = int(moment.timestamp())
    digest = hmac.new(secret.encode(), b"%d.%s" % (seconds, body), hashlib.sha256).hexdigest()
    return f"t={seconds},v1={digest}"
