"""Parse YAML strictly: scalars of YAML 1.2, no tags or aliases, no repeated keys, and the place of everything.

PyYAML scans and parses. The values are built here, because its own constructors follow YAML 1.1 (where 1e-3 is text,
010 is eight and `off` is false) and let a repeated key overwrite the first. Rules: YAML 1.2.2, sec. 10.3 (core schema).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from mlp.errors import ConfigError
from mlp.text import shown

MAX_BYTES = 1_000_000
MAX_NODES = 20_000
MAX_DEPTH = 100
MAX_DIGITS = 1000

KeyPath = tuple[str | int, ...]
WORDS: dict[str, Any] = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
WORDS |= {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


@dataclass
class Tree:
    """Plain dicts, lists and scalars, and for each path the place (such as "a.yaml:3:5") of its key and its value.

    A key is text as it is written. `written` has what stands in the text for each scalar that is not text itself.
    `mistakes` has a line for each key that is repeated; the first one counts.
    """

    source: str
    data: Any = None
    keys: dict[KeyPath, str] = field(default_factory=dict)
    values: dict[KeyPath, str] = field(default_factory=dict)
    written: dict[KeyPath, str] = field(default_factory=dict)
    mistakes: list[str] = field(default_factory=list)

    def located(self, path: KeyPath, message: str) -> str:
        """`place: dotted.key: message`, with the place of the nearest key above that the text has."""
        above = [path[:length] for length in range(len(path), -1, -1)]
        places = (self.keys.get(each) or self.values.get(each) for each in above)
        return f"{next(filter(None, places), self.source)}: {'.'.join(map(str, path))}: {message}"


def parse_yaml(content: bytes, source: str) -> Tree:
    """Parse one YAML document. Raises ConfigError, with the place, for anything but plain data."""
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{source}: more than {MAX_BYTES:,} bytes: not a config")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        what = f"not UTF-8 (byte 0x{content[error.start]:02x}); save the config as UTF-8"
        raise ConfigError(f"{source}:{line}: {what}") from None
    reader = None
    try:
        reader = Reader(text, source)
        return reader.document()
    except yaml.MarkedYAMLError as error:
        what = "a tab; YAML is indented with spaces" if "'\\t'" in str(error.problem) else f"not YAML: {error.problem}"
        raise ConfigError(f"{at(source, error.problem_mark)}: {what}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{source}: not YAML: {str(error).splitlines()[0]}") from None
    except ConfigError:
        raise
    except (ValueError, OverflowError):  # "\UFFFFFFFF" or "\ud800" in quotes, or %YAML 1.1111... with as many digits
        what = "not YAML: an escape that is no character, or a version with a number that is too large"
        raise ConfigError(f"{at(source, reader.loader.get_mark()) if reader else source}: {what}") from None


class Reader:
    """Builds plain data from PyYAML's events, and notes places.

    What is too much for a config is refused as soon as it is met, before it has taken time and memory.
    """

    def __init__(self, text: str, source: str) -> None:
        self.loader: Any = yaml.SafeLoader(text)
        self.tree = Tree(source)
        self.nodes = 0

    def document(self) -> Tree:
        self.loader.get_event()  # the start of the stream
        for number, start in enumerate(self.until(yaml.StreamEndEvent)):
            if number:
                raise ConfigError(f"{self.place(start)}: expected a single document")
            self.tree.data = self.value(self.loader.get_event(), ())
            self.loader.get_event()  # the end of the document
        return self.tree

    def until(self, end: type[yaml.Event]) -> Iterator[Any]:
        """The events up to one that ends something, each of which is to be read before the next is asked for."""
        while not isinstance(event := self.loader.get_event(), end):
            yield event

    def value(self, event: Any, path: KeyPath) -> Any:
        """The whole node that the event begins."""
        place = self.place(event)
        self.check(event, place, path)
        self.tree.values.setdefault(path, place)
        if isinstance(event, yaml.ScalarEvent):
            event.value.encode()  # half of a character raises UnicodeEncodeError
            value = plain_value(event.value, place) if event.implicit[0] else event.value
            if not isinstance(value, str):
                self.tree.written.setdefault(path, event.value)
            return value
        if isinstance(event, yaml.SequenceStartEvent):
            items: list[Any] = []
            for child in self.until(yaml.SequenceEndEvent):
                items.append(self.value(child, (*path, len(items))))
            return items
        mapping: dict[str, Any] = {}
        for child in self.until(yaml.MappingEndEvent):
            key, key_place = self.key(child, path), self.place(child)
            below = (*path, key)
            if key in mapping:
                dotted = ".".join(map(str, below))
                self.tree.mistakes.append(f"{key_place}: {dotted}: repeated key, first at {self.tree.keys[below]}")
            self.tree.keys.setdefault(below, key_place)
            mapping.setdefault(key, self.value(self.loader.get_event(), below))
        return mapping

    def key(self, event: Any, path: KeyPath) -> str:
        """A key of a mapping, as it is written: 01, no and 1e3 are names of columns or labels there."""
        value = self.value(event, (*path, "?"))
        if not isinstance(event, yaml.ScalarEvent):
            raise ConfigError(f"{self.place(event)}: a key must be text, got {shown(value)}")
        return event.value

    def check(self, event: Any, place: str, path: KeyPath) -> None:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            raise ConfigError(f"{self.tree.source}: more than {MAX_NODES:,} values")
        if len(path) >= MAX_DEPTH:
            raise ConfigError(f"{self.tree.source}: too deeply nested: more than {MAX_DEPTH} levels")
        if event.anchor is not None:
            name = ("*" if isinstance(event, yaml.AliasEvent) else "&") + event.anchor
            hint = "repeat the value; text that begins so is quoted"
            raise ConfigError(f"{place}: anchors and aliases are not allowed, got {name} ({hint})")
        if event.tag is not None:
            raise ConfigError(f"{place}: tags are not allowed, got {event.tag.replace('tag:yaml.org,2002:', '!!')}")

    def place(self, event: yaml.Event) -> str:
        return at(self.tree.source, event.start_mark)


def at(source: str, mark: Any) -> str:
    return source if mark is None else f"{source}:{mark.line + 1}:{mark.column + 1}"


def plain_value(text: str, place: str) -> Any:
    """The meaning of an unquoted scalar: 010 is ten, 1e-3 a number; off, no and 1_000 are text."""
    if text in WORDS:
        return WORDS[text]
    if INT.fullmatch(text):
        if len(text) > MAX_DIGITS:
            raise ConfigError(f"{place}: a number of {len(text)} digits")
        return int(text, 0 if text[:2] in ("0o", "0x") else 10)
    if FLOAT.fullmatch(text):
        return float(text.replace(".", "") if text[-1].isalpha() else text)
    return text


class Dumper(yaml.SafeDumper):
    """Writes what `parse_yaml` reads back: text that only YAML 1.2 takes for something else is quoted too."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    other = INT.fullmatch(text) or FLOAT.fullmatch(text) or "\x85" in text  # a line end, which PyYAML leaves as it is
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"' if other else None)


Dumper.add_representer(str, represent_text)


def dump_yaml(data: Any) -> str:
    """Block-style YAML 1.2 of plain data with finite numbers, keys in their order."""
    return yaml.dump(data, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=120)
