"""YAML text to plain Python, strictly: YAML 1.2 scalars, no tags, no repeated keys, and the place of everything.

PyYAML scans and composes; the values are built here, because its own constructors follow YAML 1.1 (where 1e-3 is text,
010 is eight and `off` is false) and let a repeated key overwrite the first. Rules: YAML 1.2.2, sec. 10.3 (core schema).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from mlp.errors import ConfigError

MAX_BYTES = 1_000_000
MAX_NODES = 20_000
MAX_DEPTH = 100

KeyPath = tuple[str | int, ...]
CORE = "tag:yaml.org,2002:"
PLAIN, QUOTED = "plain", "quoted"
INT = re.compile(r"[-+]?[0-9]+")
OCTAL_OR_HEX = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
INFINITE = re.compile(r"[-+]?\.(inf|Inf|INF)")
NAN = re.compile(r"\.(nan|NaN|NAN)")
HALF = re.compile("[\ud800-\udfff]")  # of a character beyond U+FFFF in UTF-16; alone it is no text


@dataclass
class Tree:
    """Plain dicts, lists and scalars, and for each path the place (such as "a.yaml:3:5") of its key and its value.

    `mistakes` has a line for each key that is repeated; the first one counts.
    """

    source: str
    data: Any = None
    keys: dict[KeyPath, str] = field(default_factory=dict)
    values: dict[KeyPath, str] = field(default_factory=dict)
    mistakes: list[str] = field(default_factory=list)


class Loader(yaml.SafeLoader):
    """Leaves scalars as text, marked PLAIN or QUOTED, so that `Builder` decides; any other tag was written out.

    What is too much for a config is refused as soon as it is met, before it has taken time and memory.
    """

    def __init__(self, text: str, source: str) -> None:
        super().__init__(text)
        self.source = source
        self.nodes = 0
        self.depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self.nodes += 1
        self.depth += 1
        check_size(self.source, self.nodes, self.depth)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        if kind is yaml.ScalarNode:
            return PLAIN if implicit[0] else QUOTED
        return CORE + ("seq" if kind is yaml.SequenceNode else "map")


def parse_yaml(content: bytes, source: str) -> Tree:
    """Parse one YAML document. Raises ConfigError, with the place, for anything but plain data."""
    text = decode(content, source)
    loader = None
    try:
        loader = Loader(text, source)
        node = loader.get_single_node()
    except ConfigError:
        raise
    except (ValueError, OverflowError):  # PyYAML converts "\UFFFFFFFF" and %YAML 1111.1 without a check of their size
        what = "not YAML: an escape or a version with a number that is too large"
        raise ConfigError(f"{source if loader is None else at(source, loader.get_mark())}: {what}") from None
    except yaml.composer.ComposerError as error:
        what = "expected a single document" if "single document" in str(error) else str(error.problem)
        raise ConfigError(f"{at(source, error.problem_mark)}: {what}") from None
    except yaml.MarkedYAMLError as error:
        what = str(error.problem)
        if "'\\t'" in what:
            what = "a tab; YAML is indented with spaces"
        raise ConfigError(f"{at(source, error.problem_mark)}: not YAML: {what}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{source}: not YAML: {str(error).splitlines()[0]}") from None
    finally:
        if loader is not None:
            loader.dispose()
    tree = Tree(source)
    if node is not None:
        tree.data = Builder(tree).build(node, ())
    return tree


def check_size(source: str, nodes: int, depth: int) -> None:
    if nodes > MAX_NODES:
        raise ConfigError(f"{source}: more than {MAX_NODES:,} values, counting what aliases repeat")
    if depth > MAX_DEPTH:
        raise ConfigError(f"{source}: too deeply nested: more than {MAX_DEPTH} levels")


def decode(content: bytes, source: str) -> str:
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{source}: more than {MAX_BYTES:,} bytes: not a config")
    if content.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
        raise ConfigError(f"{source}: the encoding is UTF-32; save the config as UTF-8")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ConfigError(f"{source}: the encoding is UTF-16; save the config as UTF-8")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            f"{source}:{line}: not UTF-8 (byte 0x{content[error.start]:02x}); save the config as UTF-8"
        ) from None
    if "\0" in text:
        raise ConfigError(f"{source}: contains NUL characters: not a text file")
    return text


class Builder:
    """Turns composed nodes into plain data, noting places in `tree` and counting what aliases expand to."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.count = 0
        self.open: set[int] = set()

    def build(self, node: yaml.Node, path: KeyPath) -> Any:
        place = at(self.tree.source, node.start_mark)
        self.count += 1
        check_size(self.tree.source, self.count, len(path) + 1)
        if id(node) in self.open:
            raise ConfigError(f"{place}: an alias that contains itself")
        self.tree.values[path] = place
        if isinstance(node, yaml.ScalarNode):
            return scalar_value(node, place)
        if node.tag not in (CORE + "map", CORE + "seq"):
            raise ConfigError(f"{place}: tags are not allowed, got {node.tag.replace(CORE, '!!')}")
        self.open.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            built: Any = [self.build(child, (*path, i)) for i, child in enumerate(node.value)]
        else:
            built = {}
            for key_node, child in node.value:
                key_place = at(self.tree.source, key_node.start_mark)
                key = scalar_value(key_node, key_place) if isinstance(key_node, yaml.ScalarNode) else None
                if not isinstance(key, str):
                    raise ConfigError(f"{key_place}: a key must be text, got {key!r}")
                if key in built:
                    dotted = ".".join(map(str, (*path, key)))
                    first = self.tree.keys[(*path, key)]
                    self.tree.mistakes.append(f"{key_place}: {dotted}: repeated key, first at {first}")
                    continue
                self.tree.keys[(*path, key)] = key_place
                built[key] = self.build(child, (*path, key))
        self.open.remove(id(node))
        return built


def scalar_value(node: yaml.ScalarNode, place: str) -> Any:
    """A scalar by the core schema of YAML 1.2; quoted text is text."""
    if node.tag not in (PLAIN, QUOTED):
        raise ConfigError(f"{place}: tags are not allowed, got {node.tag.replace(CORE, '!!')}")
    text: str = node.value
    half = HALF.search(text)
    if half:
        raise ConfigError(
            f"{place}: half of a character, \\u{ord(half[0]):04x}; write the whole one, as itself or as \\U0001f600"
        )
    return plain_value(text, place) if node.tag == PLAIN else text


def plain_value(text: str, place: str = "") -> Any:
    """What an unquoted scalar means: 010 is ten, 1e-3 a number; off, no and 1_000 are text."""
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in ("true", "True", "TRUE"):
        return True
    if text in ("false", "False", "FALSE"):
        return False
    if len(text) > 1000 and (INT.fullmatch(text) or OCTAL_OR_HEX.fullmatch(text)):
        raise ConfigError(f"{place}: a number of {len(text)} digits")
    if INT.fullmatch(text):
        return int(text)
    if OCTAL_OR_HEX.fullmatch(text):
        return int(text, 0)
    if FLOAT.fullmatch(text):
        return float(text)
    if INFINITE.fullmatch(text):
        return float(text.replace(".", ""))
    return float("nan") if NAN.fullmatch(text) else text


class Dumper(yaml.SafeDumper):
    """Writes what `parse_yaml` reads back: text that YAML 1.2 would take for something else is quoted."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
        return CORE + {yaml.ScalarNode: "str", yaml.SequenceNode: "seq"}.get(kind, "map")

    def ignore_aliases(self, data: Any) -> bool:
        return True


def represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar(CORE + "str", text, style=None if isinstance(plain_value(text), str) else "'")


def represent_plain(dumper: yaml.SafeDumper, value: Any) -> yaml.ScalarNode:
    names = {None: "null", True: "true", False: "false"}
    text = names[value] if value is None or isinstance(value, bool) else repr(value)
    return dumper.represent_scalar(CORE + "str", text)


Dumper.add_representer(str, represent_text)
for kind in (type(None), bool, int, float):
    Dumper.add_representer(kind, represent_plain)


def dump_yaml(data: Any) -> str:
    """Block-style YAML 1.2 of plain data with finite numbers, keys in their order."""
    return yaml.dump(data, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=120)


def at(source: str, mark: yaml.Mark | None) -> str:
    return source if mark is None else f"{source}:{mark.line + 1}:{mark.column + 1}"
