"""Makes the secrets of the Compose set-up, once: a directory for each reader, which gets to see no other's.

`init.py DIRECTORY` writes DIRECTORY/portal, sync, gateway, valkey and postgres. What is there already stays, so
that running it again changes nothing. Nothing secret is printed.

Environment: REGION (eu), DATABASE_HOST (postgres).
"""

import hashlib
import json
import os
import secrets
import sys
from pathlib import Path

from kong_app_auth.portal.vault import Vault
from kong_app_auth.registry.acl import gateway_acl, writer_acl

DATABASE = "kong_app_auth"
"""The database's name, and its owner's."""


def write(file: Path, text: str, mode: int = 0o400) -> None:
    """Write a file whole or not at all, readable from its first moment by those only who may."""
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_name(f".{file.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    new.rename(file)


def settings(file: Path, **values: str) -> None:
    """Write a file of settings (JSON is YAML)."""
    write(file, json.dumps(values, indent=1) + "\n")


def acl(region: str, gateway: str, sync: str) -> str:
    """Valkey's users, by the digests of their passwords; nobody else gets in."""
    users = ((f"gateway-{region}", gateway, gateway_acl(region)), (f"sync-{region}", sync, writer_acl(region)))
    lines = [
        f"user {name} on #{hashlib.sha256(password.encode()).hexdigest()} {' '.join(rules)}"
        for name, password, rules in users
    ]
    return "\n".join(["user default off", *lines, ""])


def main() -> int:
    """Make what is missing. A set-up that is there in part only is refused: the parts would not fit together."""
    directory = Path(sys.argv[1])
    region = os.environ.get("REGION", "eu")
    host = os.environ.get("DATABASE_HOST", "postgres")
    files = {
        name: directory / name / file
        for name, file in (
            ("portal", "settings.yaml"),
            ("sync", "settings.yaml"),
            ("gateway", "settings.yaml"),
            ("postgres", "password"),
            ("valkey", "users.acl"),
        )
    }
    there = [name for name, file in files.items() if file.exists()]
    if len(there) == len(files):
        sys.stdout.write("the secrets are there already\n")
        return 0
    if there:
        sys.stderr.write(f"only some of the secrets are there ({', '.join(there)}): remove all these volumes\n")
        return 1
    gateway, sync, feed, database = (secrets.token_urlsafe(32) for _ in range(4))
    settings(
        files["portal"],
        database_url=f"postgresql://{DATABASE}:{database}@{host}/{DATABASE}",
        vault_keys=Vault.new_key(),
        feed_tokens=f"{region}={feed}",
    )
    settings(files["sync"], redis_username=f"sync-{region}", redis_password=sync, feed_token=feed)
    settings(files["gateway"], redis_username=f"gateway-{region}", redis_password=gateway)
    write(files["valkey"], acl(region, gateway, sync))
    # PostgreSQL's image has a user of its own; nobody but its container and this one sees the directory.
    write(files["postgres"], database, 0o444)
    files["postgres"].parent.chmod(0o755)
    sys.stdout.write("secrets made\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
