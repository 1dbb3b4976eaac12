"""The lock installs on every Python that the project supports, the one of Debian 12 (3.11.2) among them."""

import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCKS = (ROOT / "requirements" / "dev.txt", ROOT / "kong" / "image" / "requirements.txt")
PYTHONS = ("3.11.0", "3.11.2", "3.11.14", "3.12.0", "3.13.0")


def _locked(path: Path) -> set[str]:
    return {canonicalize_name(one) for one in re.findall(r"^([A-Za-z0-9._-]+)==", path.read_text(), re.MULTILINE)}


def _needed(name: str, python: str) -> Iterator[str]:
    """What a distribution needs on a Python, leaving out what only its extras need."""
    environment = {
        **default_environment(),
        "python_version": ".".join(python.split(".")[:2]),
        "python_full_version": python,
        "extra": "",
    }
    try:
        declared = requires(name) or ()
    except PackageNotFoundError:  # of another platform or Python
        return
    for line in declared:
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate(environment):
            yield canonicalize_name(requirement.name)


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_missing_on_any_python(lock: Path, python: str) -> None:
    locked = _locked(lock)
    missing = {f"{need} (of {name})" for name in locked for need in _needed(name, python) if need not in locked}
    assert not missing
