"""Reads a data file through from beginning to end: `python -m kong_app_auth.replica.check FILE`.

LMDB believes its file. Damage inside it can end the process that reads it, by a signal or a failed assertion, so this
is done in a process of its own: exit code 0 says that every record can be reached.
"""

import sys

import lmdb

from kong_app_auth.replica.layout import MAX_DATABASES, MAX_READERS


def check(path: str) -> bool:
    """Walk all databases of the file. False, or the end of the process, where it is damaged."""
    try:
        with (
            lmdb.open(
                path,
                subdir=False,
                readonly=True,
                create=False,
                max_dbs=MAX_DATABASES,
                max_readers=MAX_READERS,
                map_size=0,
            ) as environment,
            environment.begin() as transaction,
        ):
            names = [bytes(name) for name in transaction.cursor().iternext(values=False)]
            for name in names:
                database = environment.open_db(name, txn=transaction, create=False)
                walked = sum(1 for _ in transaction.cursor(database))
                if walked != transaction.stat(database)["entries"]:
                    return False
            return bool(names)
    except (lmdb.Error, OSError):
        return False


if __name__ == "__main__":
    sys.exit(0 if check(sys.argv[1]) else 1)
