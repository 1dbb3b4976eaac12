"""Lists and labels as people type them: one a line; and back."""

from collections.abc import Iterable, Mapping

from kong_app_auth.portal.errors import invalid


def lines_of(text: str) -> list[str]:
    """Read a list: one entry a line, empty lines left out."""
    return [one.strip() for one in text.split("\n") if one.strip()]


def written(entries: Iterable[str]) -> str:
    """Write a list for a text field."""
    return "\n".join(entries)


def labels_of(text: str) -> dict[str, str]:
    """Read labels: `name=value`, one a line. Raises Invalid."""
    labels: dict[str, str] = {}
    for line in lines_of(text):
        name, equals, value = (part.strip() for part in line.partition("="))
        if not (name and equals and value):
            raise invalid("labels", "must be lines of the form name=value")
        if name in labels:
            raise invalid("labels", "has the same name twice")
        labels[name] = value
    return labels


def changed(known: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str | None]:
    """Give the update that makes `known` labels the `wanted` ones: None takes one away."""
    return {**dict.fromkeys(known), **wanted}


def written_labels(labels: Mapping[str, str]) -> str:
    """Write labels for a text field."""
    return written(f"{name}={value}" for name, value in labels.items())


def by_field(errors: Mapping[str, str], fields: Iterable[str], prefixes: Iterable[str] = ()) -> dict[str, str]:
    """Put what is wrong beside the form's fields: by what is behind a prefix, up to the first dot.

    What belongs to no field of the form stands above it, under the empty name.
    """
    known = set(fields)
    found: dict[str, str] = {}
    for name, told in errors.items():
        inner = next((name[len(prefix) :] for prefix in prefixes if name.startswith(prefix)), name)
        field = inner if inner in known else inner.partition(".")[0]
        found.setdefault(field if field in known else "", told)
    return found
