"""Writes the table of docs/configuration.md from the code: `python -m scripts.configuration_table`.

A test compares the file with what this would write.
"""

from pathlib import Path
from typing import Final

from pydantic import SecretStr

from kong_app_auth import cli
from kong_app_auth.options import WITHOUT_FLAG, shown_default, used_by
from kong_app_auth.settings import ENV_PREFIX, Settings, flag

FILE: Final = Path(__file__).parents[1] / "docs" / "configuration.md"
_BEGIN: Final = "<!-- made by scripts/configuration_table.py -->\n"
_END: Final = "<!-- end of what is made -->"


def settings_table() -> str:
    """Every setting with its flag, environment variable, default, and the commands that use it."""
    if not cli.app.registered_commands:
        raise RuntimeError("the commands are not known yet: they say which settings they use")
    lines = ["| setting | flag | environment | default | meaning | used by |", "|---|---|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
        cells = (
            f"`{name}`",
            "–" if name in WITHOUT_FLAG else f"`{flag(name)}`",
            f"`{ENV_PREFIX}{name.upper()}`",
            "" if default is None else f"`{shown_default(name)}`",
            field.description or "",
            ", ".join(f"`{command}`" for command in used_by[name]),
        )
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "".join(f"{line}\n" for line in lines)


def rewritten(text: str) -> str:
    """The document with its table made anew. Raises ValueError where the marks around it are missing."""
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"{FILE.name} has no place for the table")
    return before + begin + settings_table() + end + after


if __name__ == "__main__":
    FILE.write_text(rewritten(FILE.read_text()))
