"""`python -m plugin_server settings.json`: serve any plugin; `--dump MODULE` prints its information for Kong."""

import sys
from pathlib import Path

import msgspec

from plugin_server import logs
from plugin_server.plugin import PluginError, load
from plugin_server.settings import ServerSettings
from plugin_server.supervisor import StartError, Supervisor


def read_settings(path: str) -> ServerSettings | str:
    """Read a JSON file of settings; a string says in one line what is wrong with it."""
    try:
        return msgspec.json.decode(Path(path).read_bytes(), type=ServerSettings)
    except (OSError, ValueError) as error:
        return f"{path}: {error}"


def serve(settings: ServerSettings | str, path: str) -> int:
    """Run a server; SIGHUP reads `path` again."""
    wrong = settings if isinstance(settings, str) else settings.check()
    if isinstance(settings, str) or wrong is not None:
        sys.stderr.write(f"{wrong}\n")
        return 2
    logs.configure(settings.log_level)
    try:
        supervisor = Supervisor(settings, lambda: read_settings(path))
    except StartError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return supervisor.run()


def main(arguments: list[str]) -> int:
    """Run the command line."""
    match arguments:
        case ["--dump", module]:
            try:
                sys.stdout.buffer.write(load(module).dump() + b"\n")
            except PluginError as error:
                sys.stderr.write(f"{error}\n")
                return 2
            return 0
        case [path] if not path.startswith("-"):
            return serve(read_settings(path), path)
        case _:
            sys.stderr.write("usage: python -m plugin_server SETTINGS.json | --dump MODULE\n")
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
