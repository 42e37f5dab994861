"""Generated bad input: whatever a file holds, a command ends with exit code 0, 2, 3 or 4 and says why in plain lines.

Hypothesis makes the input: random trees and bytes as configs, good configs and tables with something changed, files of
arrays, models and checkpoints with damaged bytes. `check` is what must be true of every command. The examples are the
same in every run; MLP_EXAMPLES=50 makes fifty times as many, new ones each time.
"""

import atexit
import copy
import functools
import io
import os
import tempfile
import warnings
import zipfile
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import yaml
from click.testing import CliRunner
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.configuration import set_hypothesis_home_dir

from mlp.cli.commands import cli
from mlp.experiments.config.load import load_config
from mlp.experiments.config.yaml_text import FLOAT, INT, dump_yaml, parse_yaml

HYPOTHESIS_FILES = tempfile.TemporaryDirectory()  # its plugin for pytest would make a folder in the checkout
atexit.register(HYPOTHESIS_FILES.cleanup)
set_hypothesis_home_dir(HYPOTHESIS_FILES.name)

TIMES = int(os.environ.get("MLP_EXAMPLES", "1"))
MOST_LINES = 21  # of a config: twenty mistakes and how many more there are
LONGEST_LINE = 500

CONFIG = {
    "data": {"path": "d.csv", "target": "y", "split": {"valid": 0.25, "test": 0.25}},
    "task": "classification",
    "network": {"layers": [{"units": 3, "activation": "tanh"}, {"units": 2, "initialization": {"uniform": 0.5}}]},
    "optimizer": {"name": "sgd", "learning_rate": 0.1, "momentum": 0.9},
    "training": {
        "epochs": 2,
        "batch_size": 4,
        "seed": 0,
        "early_stopping": {"patience": 1},
        "schedule": {"name": "cosine", "epochs": 2},
    },
}
TABLE = b"a,b,y\n" + b"".join(b"%d,%.1f,%d\n" % (i, i * i % 7 - 2.5, i % 2) for i in range(12))
ROWS = [line.split(",") for line in TABLE.decode().splitlines()]


def examples(count):
    return settings(
        max_examples=count * TIMES,
        derandomize=TIMES == 1,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


@contextmanager
def folder(files):
    """A working directory of its own that holds these files."""
    home = os.getcwd()
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        try:
            for path, content in files.items():
                Path(path).parent.mkdir(exist_ok=True)
                Path(path).write_bytes(content)
            yield
        finally:
            os.chdir(home)


def contents():
    return {str(path): path.read_bytes() if path.is_file() else None for path in Path().rglob("*")}


def check(*args):
    """Run a command; whatever it read, it ends well or says in plain lines what is wrong, and damages nothing."""
    before = contents()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")  # where pytest makes errors of them, the code could catch these
        done = CliRunner().invoke(cli, args)
    assert done.exit_code in (0, 2, 3, 4), (done.output, done.exception)
    assert not warned, [str(warning.message) for warning in warned]
    assert "Traceback" not in done.output
    after = contents()
    if done.exit_code in (0, 4):
        assert {path: after[path] for path in before if path != "run" and not path.startswith("run/")} == {
            path: before[path] for path in before if path != "run" and not path.startswith("run/")
        }
    else:
        assert after == before
        assert done.stdout == ""
        lines = done.stderr.removesuffix("\n").split("\n")
        assert len(lines) <= (MOST_LINES if done.exit_code == 2 else 1), done.stderr
        for line in lines:
            assert line.isprintable(), done.stderr
            assert len(line) < LONGEST_LINE, done.stderr
            assert "Warning" not in line
            if done.exit_code == 2:
                assert line.startswith(("c.yaml:", "--set ", "and ")), done.stderr
    if done.exit_code == 4:
        assert done.stderr.splitlines()[-1].startswith("diverged: ")
    return done


def small(config, overrides=()):
    """Whether a config, if it is a valid one, asks for a training of milliseconds."""
    try:
        loaded = load_config(config, overrides).config
    except Exception:  # the command will meet the same
        return True
    return loaded.training.epochs <= 3 and units(loaded.network.model_dump()["layers"]) <= 100


def units(entries):
    return sum(entry.get("units") or units(entry["recompute"]) for entry in entries)


def yaml_bytes(data, flow=None):
    return yaml.safe_dump(data, default_flow_style=flow, sort_keys=False).encode()


# What the strategies draw from

WORDS = [
    *("data", "path", "target", "inputs", "split", "valid", "valid_path", "test_path", "delimiter", "header"),
    *("task", "network", "layers", "units", "activation", "initialization", "output", "loss", "optimizer", "name"),
    *("sgd", "adam", "learning_rate", "nesterov", "weight_decay", "training", "epochs", "l2", "clip", "schedule"),
    *("cosine", "step", "every", "decay", "warm_up", "early_stopping", "patience", "train_loss", "recompute", "seed"),
    *("classification", "regression", "squared_error", "logistic_cross_entropy", "stratified", "file_order", "zeros"),
    *("relu", "epoch", "learing_rate", "true", "off", "null", "0", "010", "1e-3", ".inf", "a.b", "<<", "&a", "*a"),
]
TEXTS = [
    *("", " ", "-", "~", "~nobody-of-this-name/d.csv", "/", ".", "..", "d.csv", "./d.csv", "gone.csv", "d.npz"),
    *("$HOME", "a\nb", "a\r\nb", "\t", ";", '"', "'", "\\", "#", "%", "@", "`", "{", "[", "!!python/name:a [x]"),
    *("\x1b[31mred\x1b[0m", "\x1b]0;title\x07", "\b\b\b", "\x7f", "\x85", "\x9b1m", "\u2028", "\u202e", "\ufeff", "\0"),
    *("é", "名前", "😀", "e\u0301", "\ud800", "\udfff", "\udc80", "x" * 600, "name " * 200, "\x1b" * 300),
]  # fmt: skip
NUMBERS = [
    *(0, -1, 1, 2, 3, 10**9, 2**31, 2**63, 2**64, 2**128, 10**30, 10**310, -(10**400)),
    *(0.0, -0.0, 0.5, 1.0, 2.5, -1e-3, 1e-320, 1e39, -1e39, 1e300, float("inf"), float("-inf"), float("nan")),
]
words = st.sampled_from(WORDS) | st.sampled_from(TEXTS)
texts = words | st.text(max_size=20)
scalars = st.none() | st.booleans() | st.sampled_from(NUMBERS) | st.integers() | st.floats() | texts
trees = st.recursive(
    scalars, lambda below: st.lists(below, max_size=4) | st.dictionaries(texts, below, max_size=4), max_leaves=15
)
mappings = st.dictionaries(texts, trees, min_size=1, max_size=6)
keys_of_other_kinds = st.dictionaries(scalars, scalars, min_size=1, max_size=2)


def places(data):
    """Every (container, key) in a tree."""
    found = []
    if isinstance(data, (dict, list)):
        for key in list(data) if isinstance(data, dict) else range(len(data)):
            found += [(data, key), *places(data[key])]
    return found


@st.composite
def changed(draw, good):
    """A tree with one to three things deleted, renamed, replaced, added or swapped."""
    tree = copy.deepcopy(good)
    for _ in range(draw(st.integers(1, 3))):
        found = places(tree)
        if not found:
            break
        at, key = draw(st.sampled_from(found))
        kind = draw(st.sampled_from(["replace", "replace", "delete", "rename", "add", "swap"]))
        if kind == "replace":
            at[key] = draw(scalars | trees)
        elif kind == "delete":
            del at[key]
        elif kind == "rename" and isinstance(at, dict):
            at[draw(texts)] = at.pop(key)
        elif kind == "add":
            if isinstance(at, dict):
                at[draw(texts)] = draw(scalars | trees)
            else:
                at.insert(key, draw(scalars | trees))
        elif kind == "swap":
            other, name = draw(st.sampled_from(found))
            at[key], other[name] = copy.deepcopy(other[name]), copy.deepcopy(at[key])
    return tree


@st.composite
def damaged(draw, good):
    """Bytes of which up to four stretches are flipped, overwritten, removed, repeated, or begin something else."""
    content = good
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.integers(1, 16)))
        kind = draw(st.sampled_from(["flip", "flip", "overwrite", "insert", "remove", "repeat", "cut"]))
        if kind == "flip":
            mask = draw(st.integers(1, 255))
            content = content[:start] + bytes(byte ^ mask for byte in content[start : start + 1]) + content[start + 1 :]
        elif kind == "overwrite":
            content = content[:start] + draw(st.binary(min_size=end - start, max_size=end - start)) + content[end:]
        elif kind == "insert":
            content = content[:start] + draw(st.binary(min_size=1, max_size=8)) + content[start:]
        elif kind == "remove":
            content = content[:start] + content[end:]
        elif kind == "repeat":
            content = content[:end] + content[start:]
        else:
            content = content[:start]
    return content


# Configs


def check_config(content, *overrides):
    arguments = [argument for override in overrides for argument in ("--set", override)]
    with folder({"c.yaml": content}):
        assume(small("c.yaml", overrides))
    with folder({"c.yaml": content, "d.csv": TABLE}):
        check("summary", "c.yaml", *arguments)
        check("train", "c.yaml", "--out", "run", "--no-plot", "--quiet", *arguments)


@examples(120)
@given(mappings | mappings | trees | keys_of_other_kinds, st.booleans())
def test_random_trees(tree, flow):
    check_config(yaml_bytes(tree, flow))


YAML_PIECES = ["data: ", "task: ", "\n", "\n  ", "- ", "? ", ": ", ", ", "[", "]", "{", "}", "&a ", "*a", "!a ",
               "!!int ", "|", ">", "'", '"', "#", "---\n", "...\n", "%YAML 1.2\n", "%TAG ! b\n", "<<", "\t", "\\x",
               "\\uD800", '"\\UFFFFFFFF"', "0x", "1e5", "~", "\x1b", "\x85", "\ufeff", "\u2028", "a", "b"]  # fmt: skip


@examples(120)
@given(
    st.binary(max_size=60)
    | st.text(max_size=60).map(lambda text: text.encode(errors="replace"))
    | st.lists(st.sampled_from(YAML_PIECES), max_size=5).map(lambda pieces: "".join(pieces).encode())
    | st.lists(st.sampled_from(YAML_PIECES), max_size=25).map(lambda pieces: "".join(pieces).encode())
)
def test_random_text_and_bytes_as_a_config(content):
    check_config(content)


@examples(150)
@given(changed(CONFIG), st.booleans())
def test_changed_configs(tree, flow):
    check_config(yaml_bytes(tree, flow))


@examples(90)
@given(st.booleans().flatmap(lambda flow: damaged(yaml_bytes(CONFIG, flow))))
def test_damaged_configs(content):
    check_config(content)


plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
plain |= (
    st.sampled_from([text for text in (*WORDS, *TEXTS) if text.isascii()]) | st.from_regex(FLOAT) | st.from_regex(INT)
)


@examples(300)
@given(st.dictionaries(st.text(), plain | st.lists(plain)))
def test_what_is_written_is_read_back(tree):
    assert parse_yaml(dump_yaml(tree).encode(), "c.yaml").data == tree


KEYS = ["training.epochs", "training.schedule", "training.seed", "optimizer", "optimizer.name", "network.layers",
        "network.layers.0", "network.layers.0.units", f"network.layers.{'9' * 5000}", "data.path", "data.target",
        "data.delimiter", "data.split.valid", "task.a", "a" + ".a" * 2000]  # fmt: skip


values = scalars.map(str) | trees.map(lambda tree: yaml_bytes(tree, flow=True).decode())
overrides = st.builds(
    "{}={}".format, st.sampled_from(KEYS) | st.lists(texts, min_size=1, max_size=4).map(".".join), values
)


@examples(90)
@given(st.lists(overrides, min_size=1, max_size=2) | texts.map(lambda text: [text]))
def test_random_overrides(chosen):
    check_config(yaml_bytes(CONFIG), *chosen)


# Tables


@functools.cache
def trained(task, name):
    """The files of a run, trained on a table of that kind."""
    with folder({"c.yaml": yaml_bytes(config_for(task, name)), "d.csv": TABLE, **array_files()}):
        done = CliRunner().invoke(cli, ["train", "c.yaml", "--out", "run", "--no-plot", "--quiet"])
        assert done.exit_code == 0, done.output
        return {path: content for path, content in contents().items() if content is not None}


def config_for(task, name, **data):
    return {
        "data": {"path": name, "target": {"d.npy": "2"}.get(name, "y"), **data},
        "task": task,
        "network": {"layers": [{"units": 2}]},
        "training": {"epochs": 1, "seed": 0},
    }


@functools.cache
def array_files():
    """TABLE as a .npy and a .npz file."""
    matrix = np.array(ROWS[1:], dtype=float)
    return {"d.npy": npy_bytes(matrix), "d.npz": npz_bytes(X=matrix[:, :2], y=matrix[:, 2])}


def npy_bytes(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def npz_bytes(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def zip_bytes(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


tasks = st.sampled_from(["classification", "regression"])


def check_table(task, name, content, **data):
    """Train on it, and with a trained model evaluate it and answer it."""
    with folder({**trained(task, name), "c.yaml": yaml_bytes(config_for(task, name, **data)), "new" + name: content}):
        check("evaluate", "run", "new" + name)
        check("predict", "run", "new" + name)
        Path(name).write_bytes(content)
        check("train", "c.yaml", "--out", "other", "--no-plot", "--quiet")
        check("evaluate", "run")


CELLS = [*"abypq01", "-2.5", "1e400", "-1e39", "1e-400", "nan", "inf", "NA", "?", "1_0", "1,5", "1;5", "0x1", "²", "٣",
         "", " ", '"', '""', "#", "x" * 300, "9" * 400, "\x1b[31m", "\u202e", "\ufeff", "\0", "\r", "\n"]  # fmt: skip
cells = st.sampled_from(CELLS) | st.floats().map(repr) | st.text(max_size=5)


@st.composite
def tables(draw):
    """TABLE with cells replaced, rows and columns taken away or added, and written with some delimiter."""
    rows = copy.deepcopy(ROWS)
    for _ in range(draw(st.integers(0, 4))):
        row = draw(st.integers(0, len(rows) - 1))
        kind = draw(st.sampled_from(["cell", "cell", "name", "row", "short", "long", "column", "blank"]))
        if kind in ("cell", "name"):
            chosen = rows[0 if kind == "name" else row]
            if chosen:
                chosen[draw(st.integers(0, len(chosen) - 1))] = draw(cells)
        elif kind == "row":
            rows = rows[:row] + rows[row + 1 :] or [[]]
        elif kind == "short":
            rows[row] = rows[row][:-1]
        elif kind == "long":
            rows[row] = rows[row] + [draw(cells)]
        elif kind == "column":
            name, value = draw(cells), draw(cells)
            rows = [[*row, value if number else name] for number, row in enumerate(rows)]
        else:
            rows.insert(row, [])
    delimiter = draw(st.sampled_from([",", ",", ";", "\t", "|", " "]))
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    return "".join(delimiter.join(row) + end for row in rows).encode()


SIGNS = [*',,,;\t|"" \n\n\n\r#0123456789.eE+-aby', "\ufeff", "\0", "\x1b", "\x85", "\u2028", "é"]
csv_contents = (
    st.binary(max_size=80)
    | st.lists(st.sampled_from(SIGNS), max_size=80).map(lambda signs: "".join(signs).encode())
    | st.lists(st.sampled_from(SIGNS), max_size=60).map(
        lambda signs: b"a,b,y\n1,2,0\n3,5,1\n" + "".join(signs).encode()
    )
    | tables()
    | damaged(TABLE)
)
delimiters = st.sampled_from([",", ",", ",", ";", "\t", " ", "|", "1", "a", ".", "'", "\\", "é", "\x1b", '"', "\n"])
headers = st.sampled_from([None, None, True, False])


@examples(90)
@given(tasks, csv_contents, delimiters, headers)
def test_random_and_damaged_csv(task, content, delimiter, header):
    check_table(task, "d.csv", content, delimiter=delimiter, header=header)


DTYPES = ["<f8", "<f4", "<f2", "<f16", ">i8", "|b1", "|u1", "<U3", "|S3", "<c16", "<M8[s]", "|O", "|V0", "<U0",
          "<U9999999"]  # fmt: skip
SIZES = [0, 1, 2, 3, 12, -1, 10**6, 2**31, 2**40, 2**62, 10**30]
SHAPES = [(12, 3), (12, 2), (12,), (12, 1), (12, 0), (1, 12), (0, 2), (2, 12), (12, 2, 2), ()]


@st.composite
def written_by_hand(draw):
    """A .npy file whose header may promise what does not follow, or be as no NumPy of today writes it."""
    shape = repr(tuple(draw(st.lists(st.sampled_from(SIZES), max_size=3))))
    descr = draw(st.sampled_from(DTYPES) | st.just([("a", "<f8"), ("b", "<U2")]))
    header = f"{{'descr': {descr!r}, 'fortran_order': {draw(st.booleans())}, 'shape': {shape}, }}".encode()
    old = header.replace(b",", b"L,").replace(b"'L", b"'").replace(b"eL", b"e")  # as Python 2 wrote integers
    header = draw(st.just(header) | st.just(old) | st.just(header.replace(b"<", b"\\p")) | damaged(header)) + b"\n"
    return b"\x93NUMPY\x01\0" + len(header).to_bytes(2, "little") + header + draw(st.binary(max_size=100))


@st.composite
def arrays(draw):
    """A small array of any type, with anything in one place."""
    shape = draw(st.sampled_from(SHAPES))
    array = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    kinds = ["f8", "f4", "f2", "g", "g", "i8", "?", "U3", "U3", "S3", "c16", "M8[s]"]
    array = array.astype(draw(st.sampled_from(kinds)))
    if array.size and array.dtype.kind in "fU":
        place = draw(st.integers(0, array.size - 1))
        number = st.floats() | st.just(np.finfo("g").max)
        with np.errstate(over="ignore"):
            array.flat[place] = draw(number if array.dtype.kind == "f" else st.text(max_size=3) | st.just("\ud800"))
    return array


@examples(72)
@given(
    tasks,
    arrays().map(npy_bytes)
    | written_by_hand()
    | st.binary(max_size=80)
    | st.deferred(lambda: damaged(array_files()["d.npy"])),
)
def test_random_and_damaged_npy(task, content):
    check_table(task, "d.npy", content)


NAMES = st.sampled_from(["X.npy", "y.npy", "y", "\x1b.npy"])
inputs = st.just(np.arange(24.0).reshape(12, 2)) | arrays()


@examples(120)
@given(
    tasks,
    st.builds(npz_bytes, X=inputs, y=arrays())
    | st.dictionaries(NAMES, written_by_hand(), max_size=3).map(zip_bytes)
    | st.deferred(lambda: damaged(array_files()["d.npz"])),
)
def test_random_and_damaged_npz(task, content):
    check_table(task, "d.npz", content)


# Models and checkpoints


@examples(90)
@given(tasks.flatmap(lambda task: st.tuples(st.just(task), damaged(trained(task, "d.csv")["run/model.npz"]))))
def test_damaged_models(drawn):
    task, content = drawn
    with folder({**trained(task, "d.csv"), "run/model.npz": content}):
        check("predict", "run", "d.csv")
        check("evaluate", "run")


@examples(90)
@given(tasks.flatmap(lambda task: st.tuples(st.just(task), damaged(trained(task, "d.csv")["run/last.npz"]))))
def test_damaged_checkpoints(drawn):
    task, content = drawn
    with folder({**trained(task, "d.csv"), "run/last.npz": content}):
        check("resume", "run", "--set", "training.epochs=2", "--no-plot", "--quiet")
