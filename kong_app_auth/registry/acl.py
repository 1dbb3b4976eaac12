"""What the Redis users of a region need: rules for `ACL SETUSER`, in this order, after `on` and a password."""

from typing import Final

from kong_app_auth.registry.keys import Keys

_SESSION: Final = ["+ping", "+hello", "+select", "+command", "+asking", "+cluster|slots", "+cluster|shards"]
"""What a client says and asks first; AUTH is always allowed. Redis 7.0 refuses a rule with a command that it lacks, so
there is no `+client|setinfo`: redis-py names itself by it, and does not mind being refused.
"""


def gateway_acl(region: str) -> list[str]:
    """Give the rules for gateways: read the registry of the region, append to its reports, nothing else."""
    keys = Keys(region)
    return [
        "resetkeys",
        "resetchannels",
        "-@all",
        *_SESSION,
        f"%R~{keys.prefix}*",
        f"%W~{keys.reports}",
        *("+hmget", "+hscan", "+xread", "+xrange", "+xrevrange", "+time", "+xadd"),
    ]


def writer_acl(region: str) -> list[str]:
    """Give the rules for the writer: the keys of the region, the commands of its script, and trimming the reports."""
    keys = Keys(region)
    return [
        "resetkeys",
        "resetchannels",
        "-@all",
        *_SESSION,
        f"~{keys.prefix}*",
        *("+hmget", "+hscan", "+xread", "+xrange", "+xrevrange", "+time"),
        *("+eval", "+evalsha", "+get", "+set", "+pexpire", "+del", "+unlink", "+hset", "+hdel", "+xadd", "+xtrim"),
    ]
