"""Check what a model file, which may be a stranger's, says of names and labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from reprlib import repr as brief
from typing import Any

from mlp.text import quoted

MAX_LABELS = 2**24  # characters in a column's labels, each padded to the longest, as NumPy holds them: 64 MiB


def check_keys(key: str, value: Any, keys: Collection[str]) -> None:
    """A mapping with exactly these keys."""
    if not isinstance(value, dict):
        raise wrong(key, value, f"a mapping with {', '.join(sorted(keys))}")
    absent, unknown = sorted(set(keys) - value.keys()), sorted(value.keys() - set(keys))
    for what, found in (("is missing", absent), ("is unknown", unknown)):
        if found:
            raise ValueError(f"{key}{'.' if key else ''}{found[0]}: {what}")


def check_names(key: str, value: Any, least: int = 1) -> None:
    """A list of different texts, none of them empty, that can be written as UTF-8."""
    if not isinstance(value, list) or len(value) < least:
        raise wrong(key, value, f"a list of at least {least} text{'s' * (least > 1)}")
    for number, text in enumerate(value):
        if not isinstance(text, str) or not text or not is_unicode(text):
            raise wrong(f"{key}.{number}", text, "text that is not empty")
    name, count = Counter(value).most_common(1)[0]
    if count > 1:
        raise ValueError(f"{key}: {quoted(name)} is listed {count} times")


def check_columns(key: str, value: Any, most_columns: int | None, most_labels: int | None) -> None:
    """A list of columns of classes: each has a name of its own and at least two labels."""
    if not isinstance(value, list) or not value or (most_columns is not None and len(value) > most_columns):
        raise wrong(key, value, f"a list of {'one' if most_columns == 1 else 'at least one'} column")
    for number, column in enumerate(value):
        check_keys(f"{key}.{number}", column, {"name", "labels"})
        check_labels(f"{key}.{number}.labels", column["labels"], most_labels)
    check_names(key, [column["name"] for column in value])


def check_labels(key: str, value: Any, most: int | None) -> None:
    check_names(key, value, least=2)
    if most is not None and len(value) > most:
        raise ValueError(f"{key}: {len(value)} labels, expected {most}")
    longest = max(map(len, value))
    if len(value) * longest > MAX_LABELS:
        raise ValueError(f"{key}: {len(value):,} labels of up to {longest:,} characters are too long")


def is_unicode(text: str) -> bool:
    """Whether there are no halves of surrogate pairs, which nothing can be written with."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def wrong(key: str, value: Any, expected: str) -> ValueError:
    return ValueError(f"{key}: expected {expected}, got {brief(value)}")
