"""Data that cannot be used: one line that says where, what and what to do; exit code 3, and nothing left on disk.

Numbers in comments are those of the list of bad inputs that the project was checked against.
"""

import hashlib
import json
import os
import pickle
import re
import time
import warnings

import numpy as np
import pytest
from click.testing import CliRunner
from unprivileged import run_unprivileged

from mlp import SGD, Layer, Network, SquaredError, train
from mlp.cli.commands import cli
from mlp.experiments import assemble as prepare
from mlp.experiments.storage import archive as archives
from mlp.tables import read_table

CONFIG = """
data: {{path: {path}, target: {target}{data}}}
task: {task}
network: {{layers: [{{units: 3, activation: tanh}}]}}
training: {{epochs: 2, batch_size: 4, seed: 0}}
{more}
"""
CLEAN = b"a,b,y\n" + b"".join(b"%d,%.2f,%s\n" % (i, i * i % 7 - 2.5, b"pq"[i % 2 : i % 2 + 1]) for i in range(12))
NUMBERS = b"a,b,y\n1,2,3\n2,1,5\n3,5,4\n"
posix = pytest.mark.skipif(os.name != "posix", reason="needs pipes and permissions")


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def listing(tmp_path):
    def all_files():
        paths = sorted(tmp_path.rglob("*"))
        return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() if p.is_file() else "folder" for p in paths}

    return all_files


@pytest.fixture
def write(tmp_path):
    """Write a table (if there is content) and the config for it, and return the config's name."""

    def write_both(content, *, path="d.csv", target="y", data="", task="classification", more=""):
        if content is not None:
            (tmp_path / path).write_bytes(content)
        data = f", {data}" if data else ""
        config = CONFIG.format(path=path, target=target, data=data, task=task, more=more)
        (tmp_path / "c.yaml").write_text(config, encoding="utf-8")
        return "c.yaml"

    return write_both


@pytest.fixture
def refused(listing):
    """Run a command that must fail in one line and leave the folder as it was; returns the line."""

    def run_command(*arguments, code=3):
        before = listing()
        result = CliRunner().invoke(cli, arguments)
        assert result.exit_code == code, result.output
        assert result.output.count("\n") == 1, result.output
        assert "Traceback" not in result.output
        assert len(result.output) < 500
        assert result.output[:-1].isprintable()
        assert listing() == before
        return result.output

    return run_command


def done(*arguments):
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 0, result.output
    assert "Traceback" not in result.output
    assert "Warning" not in result.output
    return result.output


def trained_arrays(folder):
    with np.load(f"{folder}/model.npz") as model:
        return {name: model[name] for name in model.files if name != "header"}


def has_words(line, *words):
    for word in words:
        assert word in line


CSV = {
    # 29: no rows
    "empty": (b"", "", ["d.csv", "0 rows"]),
    "byte order mark only": (b"\xef\xbb\xbf", "", ["d.csv", "0 rows"]),
    "blank lines only": (b"\n\r\n   \n", "", ["d.csv", "0 rows"]),
    "header only": (b"a,b,y\n", "", ["d.csv", "0 rows", "header"]),
    "header and blank lines": (b"a,b,y\r\n\r\n\r\n", "", ["d.csv", "0 rows", "header"]),
    # 30: ragged rows
    "short row": (NUMBERS + b"4,5\n", "", ["d.csv:5", "2 cells", "3"]),
    "long row": (NUMBERS + b"4,5,6,7\n", "", ["d.csv:5", "4 cells", "3"]),
    "long row in CR lines": (NUMBERS.replace(b"\n", b"\r") + b"4,5,6,7\r", "", ["d.csv:5", "4 cells", "3"]),
    "short row below blank lines": (b"\n\n" + NUMBERS + b"\n4,5\n", "", ["d.csv:8", "2 cells", "3"]),
    "short row below a line break in quotes": (b'a,b,"y\ny"\n1,2,3\n4,5\n', "target", ["d.csv:4", "2 cells", "3"]),
    "long first row, no header": (b"1,2,3,4\n1,2,3\n", "header: false", ["d.csv:2", "3 cells", "4", "first row"]),
    "quote that is not closed": (NUMBERS + b'4,"5,6\n7,8,9\n', "", ["d.csv:"]),
    "text after a quote": (NUMBERS + b'4,"5"x,6\n', "", ["d.csv:5"]),
    # 31: is there a header?
    "no header": (b"1,2,p\n3,4,q\n", "", ["d.csv:1", "header", "data.header: true", "false", "'1', '2'"]),
    "years as a header": (b"2019,2020,z\n3,4,q\n", "", ["d.csv:1", "data.header: true", "'2019', '2020'"]),
    "a header where there should be none": (b"a,b,c\n1,2,3\n", "header: false", ["d.csv:1", "'0'", "'a'", "number"]),
    "no header where there should be one": (b"1,2,p\n3,4,q\n", "header: true", ["d.csv", "'y'", "'1', '2', 'p'"]),
    # 32: text in a numeric column
    "text": (NUMBERS + b"abc,5,6\n", "", ["d.csv:5", "'a'", "expected a number", "'abc'"]),
    "text below a line break in quotes": (b'a,b,"y\ny"\n1,2,3\n4,x y,6\n', "target", ["d.csv:4", "'b'", "'x y'"]),
    "text below CR lines": (NUMBERS.replace(b"\n", b"\r") + b"abc,5,6\r", "", ["d.csv:5", "'a'", "'abc'"]),
    "underscores": (NUMBERS + b"1_000,5,6\n", "", ["d.csv:5", "'a'", "'1_000'"]),
    "hexadecimal": (NUMBERS + b"0x10,5,6\n", "", ["d.csv:5", "'a'", "'0x10'"]),
    "true": (NUMBERS + b"4,true,6\n", "", ["d.csv:5", "'b'", "'true'"]),
    "two points": (NUMBERS + b"4,1.2.3,6\n", "", ["d.csv:5", "'b'", "'1.2.3'"]),
    "a unit": (NUMBERS + b"4,5 kg,6\n", "", ["d.csv:5", "'b'", "'5 kg'"]),
    "a date": (NUMBERS + b"2024-01-31,5,6\n", "", ["d.csv:5", "'a'", "'2024-01-31'"]),
    "a line break in the value": (NUMBERS + b'"4\n4",5,6\n', "", ["d.csv:", "'a'"]),
    "a very long value": (NUMBERS + b"x" * 100_000 + b",5,6\n", "", ["d.csv:5", "'a'", "'xxx"]),
    "a number sign at the start of a line": (NUMBERS + b"#4,5,6\n", "", ["d.csv:5", "'a'", "'#4'"]),  # 39
    "a comment": (NUMBERS + b"# more below\n4,5,6\n", "", ["d.csv:5", "1 cell", "3"]),  # 39
    # 33: missing values, counted for each column
    "blank": (NUMBERS + b",5,6\n1,,6\n,5,6\n", "", ["d.csv", "2 in 'a'", "1 in 'b'"]),
    "spaces": (NUMBERS + b"  ,5,6\n", "", ["d.csv", "1 in 'a'"]),
    "quotes around nothing": (NUMBERS + b'"",5,6\n', "", ["d.csv", "1 in 'a'"]),
    "question marks": (NUMBERS + b"?,5,6\n1,?,6\n?,?,6\n", "", ["d.csv", "2 in 'a'", "2 in 'b'"]),
    "NA": (NUMBERS + b"NA,5,6\nna,5,6\nN/A,5,6\n", "", ["d.csv", "3 in 'a'"]),
    "null": (NUMBERS + b"1,null,6\n1,NULL,6\n", "", ["d.csv", "2 in 'b'"]),
    "a label": (CLEAN + b"1,2,\n1,2,?\n1,2,NA\n", "", ["d.csv:14", "3 in 'y'", "data.missing_target: drop"]),
    "a row of nothing but delimiters": (CLEAN + b",,\n1,2,p\n", "", ["d.csv:14", "1 in 'y'"]),
    # 34: not finite
    "nan": (NUMBERS + b"nan,5,6\n1,NaN,6\n", "", ["d.csv", "1 in 'a'", "1 in 'b'"]),
    "minus nan": (NUMBERS + b"-nan,5,6\n", "", ["d.csv", "'a'"]),
    "inf": (NUMBERS + b"inf,5,6\n", "", ["d.csv:5", "'a'", "'inf'", "finite"]),
    "minus inf": (NUMBERS + b"1,-Infinity,6\n", "", ["d.csv:5", "'b'", "'-Infinity'", "finite"]),
    "1e400": (NUMBERS + b"1,1e400,6\n", "", ["d.csv:5", "'b'", "'1e400'", "finite", "too large"]),
    # 35: the wrong delimiter
    "semicolons": (CLEAN.replace(b",", b";"), 'delimiter: ","', ["d.csv:1", "1 column", "data.delimiter: ';'"]),
    "tabs": (CLEAN.replace(b",", b"\t"), 'delimiter: ","', ["d.csv:1", "1 column", "a tab", "data.delimiter: tab"]),
    "semicolons, no header": (b"1;2;p\n3;4;q\n", "", ["d.csv:1", "header", "'1', '2'"]),
    "commas or semicolons": (b"1,5;2,5\n3,5;4,5\n", "header: false", ["d.csv:1", "',' or ';'", "data.delimiter: ';'"]),
    "commas where semicolons should be": (CLEAN, 'delimiter: ";"', ["d.csv:1", "1 column", "looks like ','"]),
    # 36: decimal commas
    "decimal commas": (b"a;b;y\n1,5;2;p\n", 'delimiter: ";"', ["d.csv:2", "'a'", "'1,5'", "decimal comma"]),
    "decimal commas in quotes": (b'a,b,y\n"1,5",2,p\n', "", ["d.csv:2", "'a'", "'1,5'", "decimal comma"]),
    "decimal commas and semicolons": (b"a;b;y\n1,5;2,5;p\n", "", ["d.csv:2", "'1,5'", 'data.decimal: ","']),
    "thousands": (b'a,b,y\n"1,234",2,p\n"12,345.5",2,p\n', "", ["d.csv:2", "'1,234'", "thousands", "1 more such"]),
    "decimal commas and semicolons, no header": (b"1,5;2,5;p\n1,5;3,5;q\n", "", ["d.csv:1", "';'"]),
    "decimal commas and semicolons, header: false": (
        b"1,5;2,5;p\n3,5;4,5;q\n",
        "header: false",
        ["d.csv:1", "';'"],
    ),
    # 40: columns
    "no such target": (b"a,b,c\n1,2,3\n", "", ["d.csv", "no column 'y'", "target", "'a', 'b', 'c'"]),
    "two targets of one name": (b"a,y,y\n1,2,3\n", "", ["d.csv", "2 columns", "'y'", "target"]),
    "two inputs of one name": (b"a,a,y\n1,2,3\n", "", ["d.csv", "two columns", "'a'"]),
    "no such input": (NUMBERS, "inputs: [a, c]", ["d.csv", "no column 'c'", "input", "'a', 'b', 'y'"]),
    "a listed input twice in the table": (b"a,a,y\n1,2,3\n", "inputs: [a]", ["d.csv", "2 columns", "'a'", "input"]),
    "a column without a name": (b",a,y\n0,1,2\n", "", ["d.csv", "column 1", "no name", "data.exclude"]),
    "no inputs": (b"y\n1\n2\n", "", ["d.csv", "no input columns", "'y'"]),
    # 42: labels
    "a label as long as a page": (CLEAN + b"1,2," + b"x" * 2000 + b"\n", "", ["d.csv:14", "'y'", "2,000 characters"]),
    # 43: classes
    "one class": (b"a,y\n1,p\n2,p\n3,p\n", "", ["d.csv", "'y'", "only one class", "'p'"]),
    # what a terminal would obey, and what fills it
    "a line end in a name": (b'"a\nb",b,y\n1,2,3\nx,2,3\n', "", ["d.csv:4", r"'a\nb'", "'x'"]),
    "escape codes": (b"\x1b[31ma,b,y\n1,2,3\nx\x1b[0m,2,3\n", "", ["d.csv:3", r"'\x1b[31ma'", r"'x\x1b[0m'"]),
    "letters from right to left": ("a\u202e,b,y\n1,2,3\nx,2,3\n".encode(), "", ["d.csv:3", r"'a\u202e'", "'x'"]),
    "a name as long as a page": (b"a" * 5000 + b",b,y\n1,2,3\nx,2,3\n", "", ["d.csv:3", "'aaaa", "...'", "got 'x'"]),
    "a cell that never ends": (b"a,y\n1," + b"1" * 2**25 + b"\n", "", ["d.csv:2", "field larger than"]),
    # not text
    "latin-1": ("a,b,y\n1,2,é\n".encode("latin-1"), "", ["d.csv:2", "UTF-8", "0xe9"]),
    "bytes in a column that nobody asks for": (
        b"a,b,y\n1,\xe9,p\n2,3,q\n",
        "inputs: [a]",
        ["d.csv:2", "UTF-8", "0xe9"],
    ),
    "half a character at the end": (b"a,b,y\n1,3,p\n2,4,q\n1,\xc3", "inputs: [a]", ["d.csv:4", "UTF-8", "0xc3"]),
    "UTF-16 without a mark": ("a,b,y\n1,2,p\n".encode("utf-16-le"), "", ["d.csv", "NUL", "data.encoding: utf-16"]),
    "NUL": (NUMBERS + b"1,\0,3\n", "", ["d.csv", "NUL"]),
}


@pytest.mark.parametrize(("content", "data", "words"), CSV.values(), ids=CSV)
def test_bad_csv_is_refused(write, refused, content, data, words):  # 29 to 43
    target = {"header: false": "2", "target": '"y\\ny"'}.get(data, "y")
    config = write(content, target=target, data="" if data == "target" else data)
    has_words(refused("train", config), *words)


@pytest.mark.parametrize("name", ["d.csv", "d.npy", "d.npz"])
def test_missing_tables_and_folders_are_refused(write, refused, tmp_path, name):  # 29
    config = write(None, path=name)
    has_words(refused("train", config), name, "No such file")
    (tmp_path / name).mkdir()
    has_words(refused("train", config), name, "is a directory")


@pytest.mark.parametrize("key", ["valid_path", "test_path"])
def test_a_missing_table_of_another_set_is_refused(write, refused, key):  # 29
    has_words(refused("train", write(CLEAN, data=f"{key}: other.csv")), "other.csv", "No such file")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("x" * 5000, ["xxx ... xxx", "too long"]),
        ("a\0b", [r"a\x00b: is not a path"]),
        ("\ud800", [r"\ud800: is not a path"]),
        ("\udcff.csv", [r"\udcff.csv: No such file"]),  # a byte that is no UTF-8
        ("a\n\x1b[31m.csv", [r"a\n\x1b[31m.csv: No such file"]),
    ],
    ids=["long", "NUL", "half of a character", "a byte", "a line end and an escape code"],
)
@pytest.mark.parametrize("command", ["evaluate", "predict"])
def test_paths_that_are_none(write, refused, command, path, words):  # 29
    done("train", write(CLEAN), "--out", "run", "--no-plot")
    has_words(refused(command, "run", path), *words)


@posix
@pytest.mark.parametrize("name", ["d.csv", "d.npy", "d.npz"])
def test_a_table_without_permission_to_read(write, listing, name):  # 29
    config = write(CLEAN, path=name)
    os.chmod(name, 0)
    before = listing()
    found = run_unprivileged("train", config)
    assert (found.returncode, found.stdout) == (3, "")
    assert found.stderr.count("\n") == 1
    has_words(found.stderr, "c.yaml:2:8: data.path: ", f"{name}: Permission denied")
    assert listing() == before


@posix
@pytest.mark.parametrize("key", ["path", "valid_path"])
@pytest.mark.parametrize("name", ["pipe.csv", "pipe.npz", "/dev/zero", "/dev/null"])
def test_what_cannot_be_read_again_is_not_trained_on(write, refused, name, key):  # 29
    if name.startswith("pipe"):
        os.mkfifo(name)
    config = write(None, path=name) if key == "path" else write(CLEAN, data=f"{key}: {name}")
    has_words(refused("train", config), name, "pipe", "device", "resume")


@posix
@pytest.mark.parametrize("name", ["/dev/zero", "/dev/null"])
def test_a_device_may_have_no_end(write, refused, name):  # 29
    done("train", write(CLEAN), "--out", "run", "--no-plot")
    has_words(refused("predict", "run", name), name, "device", "no end")


@posix
def test_a_pipe_is_answered(write):
    done("train", write(CLEAN), "--out", "run", "--no-plot")
    reading, writing = os.pipe()
    os.write(writing, CLEAN)
    os.close(writing)
    try:
        assert done("predict", "run", f"/dev/fd/{reading}") == done("predict", "run", "d.csv")
    finally:
        os.close(reading)


def test_a_table_of_very_many_columns_takes_a_moment(write, refused):  # 40
    names = ",".join(f"column{i}" for i in range(90_000))
    start = time.monotonic()
    has_words(refused("train", write(f"{names},y\n".encode())), "d.csv", "0 rows")
    has_words(refused("train", write(f"{names},column0,y\n".encode())), "two columns", "'column0'")
    assert time.monotonic() - start < 10  # half a second; minutes if every name were looked for among all


def test_identifiers_are_no_classes(write, refused):  # 43
    rows = b"".join(b"1,%d\n" % i for i in range(40_000))
    line = refused("train", write(b"a,y\n" + rows))
    has_words(line, "d.csv", "'y'", "40,000 classes in 40,000 training rows", "identifier")


@pytest.mark.parametrize("cell", ["x", "1,5"])
def test_text_in_a_target_of_numbers_is_refused(write, refused, cell):  # 32
    line = refused("train", write(NUMBERS + f'4,5,"{cell}"\n'.encode(), task="regression"))
    has_words(line, "d.csv:5", "'y'", "expected a number", f"'{cell}'", "task: classification takes texts")


@pytest.mark.parametrize(
    ("cell", "words"), [("", ["1 in 'y'"]), ("NA", ["1 in 'y'"]), ("1e400", ["d.csv:5", "'1e400'"])]
)
def test_a_target_that_is_missing_or_infinite_is_refused(write, refused, cell, words):  # 33, 34
    line = refused("train", write(NUMBERS + f"4,5,{cell}\n".encode(), task="regression"))
    has_words(line, "d.csv", "'y'", *words)


def test_a_header_of_numbers_is_a_header_when_the_config_says_so(write):  # 31
    body = CLEAN.split(b"\n", 1)[1]
    assert "12 rows" in done("summary", write(b"2019,2020,2021\n" + body, target="2021", data="header: true"))
    assert "12 rows" in done("summary", write(body, target="2", data="header: false"))


def lines(content, end):
    return content.replace(b"\n", end)


ACCEPTED = {
    "byte order mark": (b"\xef\xbb\xbf" + CLEAN, ""),  # 37
    "CRLF": (lines(CLEAN, b"\r\n"), ""),  # 37
    "CR": (lines(CLEAN, b"\r"), ""),  # 37
    "trailing delimiters": (lines(CLEAN, b",\n"), ""),  # 37
    "trailing delimiters, no header": (lines(CLEAN, b",\n").split(b"\n", 1)[1], "header: false"),  # 37
    "blank last lines": (CLEAN + b"\n\n\r\n  \n", ""),  # 37
    "no last line end": (CLEAN.rstrip(b"\n"), ""),  # 37
    "spaces": (lines(CLEAN.replace(b",", b" ,  "), b" \n "), ""),  # 37
    "all of these": (b"\xef\xbb\xbf" + lines(CLEAN.replace(b",", b" , "), b" , \r\n\r\n"), ""),  # 37
    "no header": (CLEAN.split(b"\n", 1)[1], "header: false"),
    "semicolons": (CLEAN.replace(b",", b";"), 'delimiter: ";"'),
    "quotes": (b"\n".join(b'"' + line.replace(b",", b'","') + b'"' for line in CLEAN.split()), ""),  # 38
    "number signs in names": (CLEAN.replace(b"a,b,y", b"#a,b#,y"), ""),  # 39
    "number signs in labels": (CLEAN.replace(b"p", b"#p").replace(b"q", b"#q"), ""),  # 39
    "a column of notes": (b"a,b,y,note\n" + lines(CLEAN.split(b"\n", 1)[1], b",# no\n"), "inputs: [a, b]"),  # 39
}


@pytest.mark.parametrize(("content", "data"), ACCEPTED.values(), ids=ACCEPTED)
def test_what_is_accepted_trains_the_weights_of_the_clean_table(write, content, data):  # 37, 38, 39
    done("train", write(CLEAN), "--out", "clean", "--no-plot")
    config = write(content, data=data, target="2" if data == "header: false" else "y")
    done("train", config, "--out", "other", "--no-plot")
    clean, other = trained_arrays("clean"), trained_arrays("other")
    assert clean.keys() == other.keys()
    for name, array in clean.items():
        assert np.array_equal(array, other[name])


def test_a_target_that_is_also_an_input_is_a_mistake_of_the_config(write, refused):  # 40
    line = refused("train", write(CLEAN, data="inputs: [a, y]"), code=2)
    has_words(line, "c.yaml:2:", "data.inputs", "'y'", "target", "leak")


@pytest.mark.parametrize("data", ["inputs: [a, a]", "inputs: [b, a, b]"])
def test_a_column_listed_twice_is_a_mistake_of_the_config(write, refused, data):  # 40
    has_words(refused("train", write(CLEAN, data=data), code=2), "c.yaml:2:", "data.inputs", "twice")


NEW = {
    "empty": (b"", ["0 rows"]),  # 29
    "header only": (b"a,b,y\n", ["0 rows"]),  # 29
    "short row": (b"a,b,y\n1,2,p\n1,2\n", ["new.csv:3", "2 cells", "3"]),  # 30
    "text": (b"a,b,y\n1,2,p\nx,2,p\n", ["new.csv:3", "'a'", "'x'"]),  # 32
    "inf": (b"a,b,y\n1,inf,p\n", ["new.csv:2", "'b'", "'inf'"]),  # 34
    "a column missing": (b"a,c,y\n1,2,p\n", ["no column 'b'", "'a', 'c', 'y'"]),  # 40
    "a column twice": (b"a,b,b,y\n1,2,2,p\n", ["2 columns", "'b'"]),  # 40
    "too large": (b"a,b,y\n1,2,p\n1e300,2,p\n", ["'a'", "1e+300", "too large"]),  # 45
}


@pytest.mark.parametrize("command", ["evaluate", "predict"])
@pytest.mark.parametrize(("content", "words"), NEW.values(), ids=NEW)
def test_a_bad_new_table_is_refused(write, refused, tmp_path, command, content, words):
    done("train", write(CLEAN), "--out", "run", "--no-plot")
    (tmp_path / "new.csv").write_bytes(content)
    has_words(refused(command, "run", "new.csv"), "new.csv", *words)


def test_predictions_that_fail_leave_the_file_that_was_there(write, refused, tmp_path):
    done("train", write(CLEAN), "--out", "run", "--no-plot")
    (tmp_path / "new.csv").write_bytes(b"a,b\n1,x\n")
    (tmp_path / "answers.csv").write_bytes(b"older answers")
    refused("predict", "run", "new.csv", "--out", "answers.csv")


# Array files


NPZ = {
    "no rows": ({"X": np.zeros((0, 3)), "y": np.zeros(0, int)}, ["0 rows"]),  # 29
    "no columns": ({"X": np.ones((3, 0)), "y": np.arange(3)}, ["0 input columns"]),
    "no y": ({"X": np.ones((3, 2))}, ["no array named 'y'", "'X'"]),  # 40
    "no X": ({"x": np.ones((3, 2)), "y": np.arange(3)}, ["no array named 'X'", "'x', 'y'"]),  # 40
    "more y than X": ({"X": np.ones((3, 2)), "y": np.arange(4)}, ["'X'", "3 rows", "'y'", "4"]),  # 41
    "y on its side": ({"X": np.ones((3, 2)), "y": np.ones((1, 3))}, ["'X'", "3 rows", "'y'", "(1, 3)"]),  # 41, 51
    "X on its side": (
        {"X": np.ones((2, 3)), "y": np.arange(3)},
        ["(2, 3)", "2 rows", "(3, 1)", "in columns, turn"],
    ),  # 51
    "X of three dimensions": ({"X": np.ones((3, 2, 2)), "y": np.arange(3)}, ["'X'", "(3, 2, 2)"]),
    "y of no columns": ({"X": np.ones((3, 2)), "y": np.ones((3, 0))}, ["'X'", "3 rows", "'y'", "(3, 0)"]),
    "y of three dimensions": ({"X": np.ones((3, 2)), "y": np.ones((3, 1, 1))}, ["'y'", "(3, 1, 1)"]),
    "nan": (
        {"X": np.array([[1, 2], [np.nan, 3]]), "y": np.arange(2)},
        ["missing values: 1 in '0'", "data.missing"],
    ),  # 34
    "inf": ({"X": np.array([[1, 2], [3, np.inf]]), "y": np.arange(2)}, ["'X'", "inf", "row 1", "'1'"]),  # 34
    "text": ({"X": np.array([["1", "2"]]), "y": np.arange(1)}, ["'X'", "expected real numbers"]),  # 32
    "complex": ({"X": np.ones((2, 2)) * 1j, "y": np.arange(2)}, ["'X'", "complex"]),  # 48
    "complex labels": ({"X": np.ones((2, 2)), "y": np.array([1j, 2j])}, ["'y'", "complex"]),  # 48
    "nan as a label": ({"X": np.ones((3, 2)), "y": np.array([1, np.nan, 2])}, ["'y'", "nan"]),  # 33
    "an empty label": ({"X": np.ones((3, 2)), "y": np.array(["p", "", "q"])}, ["'y'", "missing"]),  # 33
    "nan as text": ({"X": np.ones((3, 2)), "y": np.array(["p", "nan", "q"])}, ["'y'", "missing"]),  # 33
    "a label that is half of a character": ({"X": np.ones((2, 2)), "y": np.array(["p", "\ud800"])}, ["'y'", "U+D800"]),
    "a label that is no text": (
        {"X": np.ones((1, 2)), "y": np.array([2**31 - 1], "<i4").view("<U1")},
        ["'y'", "U+7FFFFFFF"],
    ),
    "a label as long as a page": (
        {"X": np.ones((2, 2)), "y": np.array(["p", "x" * 2000])},
        ["'y'", "2,000 characters"],
    ),
    "nan as a label of many digits": ({"X": np.ones((2, 2)), "y": np.array([1, np.nan], "g")}, ["'y'", "nan"]),  # 33
    "too large for a float": ({"X": np.full((2, 2), np.finfo("g").max), "y": np.arange(2)}, ["'X'", "inf", "row 0"]),
    "one class": ({"X": np.ones((3, 2)), "y": np.ones(3)}, ["'y'", "only one class", "'1'"]),  # 43
}
NPY = {
    "no rows": (np.zeros((0, 3)), ["0 rows"]),  # 29
    "one dimension": (np.ones(3), ["(3,)", "one example a row"]),
    "no dimension": (np.array(1.0), ["()", "one example a row"]),
    "nan": (np.array([[1, 2, 0], [3, np.nan, 1]]), ["missing values: 1 in '1'", "data.missing"]),  # 34
    "inf": (np.array([[1, 2, 0], [3, -np.inf, 1]]), ["-inf", "row 1", "'1'"]),  # 34
    "text": (np.array([["1", "2", "p"]]), ["expected real numbers"]),  # 32
    "complex": (np.ones((2, 3)) * 1j, ["complex"]),  # 48
    "no such column": (np.ones((2, 2)), ["no column '2'", "'0', '1'"]),  # 40
}
PROMISES = {
    "a thousand billion columns of no rows": ((0, 10**12), ["0 rows", "1000000000000 input columns"]),
    "a thousand billion rows of no columns": ((10**12, 0), ["1000000000000 rows", "0 input columns"]),
    "more than follows": ((10**6, 3), ["not a readable .npy file"]),
    "more than any memory": ((2**40, 2**20), ["not a readable .npy file"]),
    "more than an integer": ((2**70, 3), ["not a readable .npy file"]),
    "less than nothing": ((-3, 3), []),  # NumPy before 2.3 takes it for no rows, which are refused in other words
}


@pytest.mark.parametrize(("arrays", "words"), NPZ.values(), ids=NPZ)
def test_bad_npz_is_refused(write, refused, arrays, words):
    np.savez("d.npz", **arrays)
    has_words(refused("train", write(None, path="d.npz")), "d.npz", *words)


@pytest.mark.parametrize(("matrix", "words"), NPY.values(), ids=NPY)
def test_bad_npy_is_refused(write, refused, matrix, words):
    np.save("d.npy", matrix)
    has_words(refused("train", write(None, path="d.npy", target="2")), "d.npy", *words)


def npy_with_header(header):
    text = header.encode("latin-1") + b"\n"
    return b"\x93NUMPY\x01\0" + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize(("shape", "words"), PROMISES.values(), ids=PROMISES)
def test_a_shape_that_the_file_does_not_hold_is_refused_at_once(write, refused, shape, words):  # 29
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}"
    config = write(npy_with_header(header), path="d.npy", target="2")
    has_words(refused("train", config), "d.npy", *words)


def test_nothing_but_the_line_is_said_of_a_damaged_header(write, refused):
    """NumPy warns of headers that are not as it writes them, and Python of what it parses in them."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for header in (
            "{'descr': '<f8', 'fortran_order': False, 'shape': (0L, 3L), }",
            r"{'desc\p': '<f8'}",
            "{1if 1:2}",
        ):
            refused("train", write(npy_with_header(header), path="d.npy", target="2"))
        refused("train", write(npy_with_header("{" + " " * 20_000 + "}"), path="d.npy", target="2"))
    assert not caught


class Planted:
    """Unpickling it would make a folder."""

    def __reduce__(self):
        import os

        return os.mkdir, ("planted",)


def npy_bytes(matrix):
    np.save("other.npy", matrix)
    with open("other.npy", "rb") as file:
        return file.read()


def npz_bytes(*, compressed):
    rng = np.random.default_rng(0)
    (np.savez_compressed if compressed else np.savez)("other.npz", X=rng.normal(size=(50, 2)), y=np.arange(50) % 2)
    with open("other.npz", "rb") as file:
        return file.read()


def flipped(content, place):
    return content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]


DAMAGED = {
    "empty": lambda: b"",
    "text": lambda: CLEAN,
    "pickle": lambda: pickle.dumps(Planted()),  # 50
    "object array": lambda: npy_bytes(np.array([[Planted()] * 3], dtype=object)),  # 50
    "header cut short": lambda: npy_bytes(np.ones((5, 3)))[:100],
    "npy cut short": lambda: npy_bytes(np.ones((5, 3)))[:-8],
    "npz cut short": lambda: npz_bytes(compressed=False)[:400],
    "compressed npz cut short": lambda: npz_bytes(compressed=True)[:400],
    "npz with a flipped byte": lambda: flipped(npz_bytes(compressed=False), 300),
    "compressed npz with a flipped byte": lambda: flipped(npz_bytes(compressed=True), 60),
}


@pytest.mark.parametrize("name", ["d.npy", "d.npz"])
@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_damaged_array_files_are_refused_and_never_unpickled(write, refused, tmp_path, name, content):
    (tmp_path / name).write_bytes(content())
    target = "2" if name == "d.npy" else "y"
    has_words(refused("train", write(None, path=name, target=target)), name)
    assert not (tmp_path / "planted").exists()


@pytest.mark.parametrize("name", ["X", "y"])
def test_object_arrays_inside_npz_are_refused_and_never_unpickled(write, refused, tmp_path, name):  # 50
    arrays = {"X": np.ones((2, 1)), "y": np.arange(2)}
    arrays[name] = np.array([[Planted()], [Planted()]])
    np.savez("d.npz", **arrays)
    has_words(refused("train", write(None, path="d.npz")), "d.npz", f"'{name}'", "cannot be read")
    assert not (tmp_path / "planted").exists()


def memory_mapped(array):
    name = f"{array.shape[1]}_columns.npy"
    np.save(name, array)
    return np.load(name, mmap_mode="r")


MEMORY = {
    "Fortran order": np.asfortranarray,
    "every other row of twice as many": lambda array: np.repeat(array, 2, axis=0)[::2],
    "read-only": lambda array: np.frombuffer(array.tobytes()).reshape(array.shape),
    "memory-mapped": memory_mapped,
}


@pytest.mark.parametrize("arrange", MEMORY.values(), ids=MEMORY)
def test_arrays_in_any_place_of_memory_train_the_same_weights(arrange):  # 49
    def trained_weights(X, Y):
        rng = np.random.default_rng(0)
        network = Network([Layer.initialize(3, 4, "tanh", rng=rng), Layer.initialize(4, 2, "identity", rng=rng)])
        for _ in train(network, SquaredError(), SGD(0.1), (X, Y), rng=rng, epochs=3, batch_size=4):
            pass
        return network.parameters()

    X, Y = np.random.default_rng(1).normal(size=(10, 3)), np.random.default_rng(2).normal(size=(10, 2))
    expected, found = trained_weights(X, Y), trained_weights(arrange(X), arrange(Y))
    assert all(np.array_equal(W, found[name]) for name, W in expected.items())


def test_an_array_file_under_the_name_of_the_other_kind_is_refused(write, refused, tmp_path):
    (tmp_path / "d.npy").write_bytes(npz_bytes(compressed=False))
    has_words(refused("train", write(None, path="d.npy", target="2")), "d.npy", ".npz")
    (tmp_path / "d.npz").write_bytes(npy_bytes(np.ones((5, 3))))
    has_words(refused("train", write(None, path="d.npz")), "d.npz", ".npy")


# Sets that do not fit each other


@pytest.mark.parametrize("key", ["valid_path", "test_path"])
def test_another_set_with_other_columns_is_refused(write, refused, tmp_path, key):  # 41
    np.savez("d.npz", X=np.ones((4, 3)), y=np.arange(4) % 2)
    np.savez("other.npz", X=np.ones((4, 2)), y=np.arange(4) % 2)
    has_words(refused("train", write(None, path="d.npz", data=f"{key}: other.npz")), "other.npz", "2 input", "3")
    (tmp_path / "other.csv").write_bytes(b"a,y\n1,p\n")
    has_words(refused("train", write(CLEAN, data=f"{key}: other.csv")), "other.csv", "no column 'b'")


@pytest.mark.parametrize("key", ["valid_path", "test_path"])
def test_a_class_of_another_table_that_training_lacks_is_named(write, refused, tmp_path, key):  # 43
    (tmp_path / "other.csv").write_bytes(b"a,b,y\n1,2,p\n3,4,z\n")
    line = refused("train", write(CLEAN, data=f"{key}: other.csv"))
    has_words(line, "other.csv", "'y'", "'z'", key.removesuffix("_path"), "training", "'p', 'q'")


@pytest.mark.parametrize(("name", "fraction"), [("valid", 0.2), ("test", 0.2)])
def test_a_class_that_the_split_leaves_out_of_training_is_named(write, refused, name, fraction):  # 43
    data = f"split: {{{name}: {fraction}, method: file_order}}"
    line = refused("train", write(CLEAN + b"1,2,z\n", data=data))
    has_words(line, "d.csv", "'y'", "'z'", name, "training", "'p', 'q'")


def test_more_targets_than_the_model_has_are_refused(write, refused):  # 41
    np.savez("d.npz", X=np.arange(8.0).reshape(4, 2), y=np.arange(4.0))
    done("train", write(None, path="d.npz", task="regression"), "--out", "run", "--no-plot")
    np.savez("new.npz", X=np.ones((4, 2)), y=np.ones((4, 3)))
    has_words(refused("evaluate", "run", "new.npz"), "new.npz", "3", "1")


def test_a_class_that_training_lacks_is_named_when_it_is_evaluated(write, refused, tmp_path):  # 43
    done("train", write(CLEAN), "--out", "run", "--no-plot")
    (tmp_path / "new.csv").write_bytes(b"a,b,y\n1,2,p\n3,4,z\n")
    has_words(refused("evaluate", "run", "new.csv"), "new.csv", "'y'", "'z'", "'p', 'q'")


def test_three_classes_for_a_loss_of_two_are_refused(write, refused):
    line = refused("train", write(CLEAN + b"1,2,z\n", more="loss: logistic_cross_entropy"))
    has_words(line, "d.csv", "'y'", "3 classes", "softmax_cross_entropy")


@pytest.mark.parametrize(
    ("written", "labels"),
    [
        (["1", "2", "3"], ["1", "2", "3"]),
        (["10", "9", "-2"], ["-2", "9", "10"]),
        (["0", "5", "7"], ["0", "5", "7"]),
        (["1.0", "2.0", "3.0"], ["1.0", "2.0", "3.0"]),
        (["007", "1", "x"], ["007", "1", "x"]),
        (["b c", '"d, e"', "é"], ["b c", "d, e", "é"]),
    ],
)
def test_labels_of_all_kinds_are_kept_in_the_model_and_in_the_answers(write, written, labels):  # 42
    rows = "".join(f"{i},{i % 5},{written[i % 3]}\n" for i in range(12))
    done("train", write(f"a,b,y\n{rows}".encode()), "--out", "run", "--no-plot")
    with np.load("run/model.npz") as model:
        header = json.loads(model["header"].tobytes())
    assert header["target"]["columns"] == {"y": labels}
    answers = done("predict", "run", "d.csv").splitlines()
    assert len(answers) == 13
    assert all(f"probability_{label}" in answers[0] for label in labels)
    assert {re.sub(r'^"(.*)",[^"]*$|^([^,]*),.*$', r"\1\2", line) for line in answers[1:]} <= set(labels)


# Few rows


@pytest.mark.parametrize(("valid", "test", "empty"), [(0.1, 0, "valid"), (0, 0.1, "test"), (0.5, 0.4, "train")])
def test_a_split_that_leaves_no_row_is_refused(write, refused, valid, test, empty):  # 46
    line = refused("train", write(NUMBERS, data=f"split: {{valid: {valid}, test: {test}}}", task="regression"))
    has_words(line, f"0 of 3 rows for {empty}", "more rows", f"valid {valid}", f"test {test}")


def test_one_row(write, refused):  # 46
    one = b"a,b,y\n1,2,3\n"
    has_words(refused("train", write(one)), "d.csv", "'y'", "only one class", "'3'")
    output = done("train", write(one, task="regression"), "--out", "run", "--no-plot")
    has_words(output, "note", "constant", "training.batch_size 4", "1 training rows: clipped to 1")
    assert done("predict", "run", "d.csv") == "y\n3.0\n"


# Columns without spread, and columns with too much


def test_a_constant_column_is_noted_and_harmless(write):  # 44
    output = done("train", write(re.sub(rb"(\d+),-?[\d.]+,", rb"\1,0.1,", CLEAN)), "--out", "run", "--no-plot")
    has_words(output, "note", "constant", "'b'")
    assert "'a'" not in output
    arrays = trained_arrays("run")
    assert arrays["input_std"][1] == 1
    assert all(np.isfinite(array).all() for array in arrays.values())
    assert "nan" not in done("predict", "run", "d.csv")


def test_columns_that_are_constant_in_training_only_are_noted_and_harmless(write):  # 44
    content = b"a,b,y\n" + b"".join(b"5,%d,%d\n" % (i, i % 2) for i in range(8)) + b"6,7,0\n1e6,8,1\n"
    data = "split: {test: 0.2, method: file_order}"
    has_words(done("train", write(content, data=data), "--out", "run", "--no-plot"), "constant", "'a'")
    assert "nan" not in done("predict", "run", "d.csv")


def test_a_constant_target_is_noted_and_harmless(write):  # 44
    content = b"a,y\n1,5\n2,5\n3,5\n"
    has_words(done("train", write(content, task="regression"), "--out", "run", "--no-plot"), "constant", "'y'")
    answers = [float(line) for line in done("predict", "run", "d.csv").splitlines()[1:]]
    assert len(answers) == 3
    assert np.isfinite(answers).all()


@pytest.mark.parametrize("exponent", ["e300", "e-300"])  # 45
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_huge_and_tiny_inputs_are_standardized(write, exponent, task):
    content = "a,b,y\n" + "".join(f"{i}.5{exponent},{i % 3},{i % 2}\n" for i in range(8))
    done("train", write(content.encode(), task=task), "--out", "run", "--no-plot")
    assert all(np.isfinite(array).all() for array in trained_arrays("run").values())
    assert "nan" not in done("predict", "run", "d.csv")


@pytest.mark.parametrize("exponent", ["e300", "e-300"])  # 45
def test_huge_and_tiny_targets_are_standardized_and_scored_in_their_units(write, exponent):
    content = "a,b,y\n" + "".join(f"{i},{i % 3},{i}.5{exponent}\n" for i in range(8))
    done("train", write(content.encode(), task="regression"), "--out", "run", "--no-plot")
    scores = json.loads(done("evaluate", "run", "d.csv", "--json"))
    for name in ("rmse", "mae"):
        assert 0.01 < scores[name] / float(f"1{exponent}") < 100
    assert scores["r2"] is not None


HUGE = b"a,b,y\n1,1e300,0\n2,3,1\n3,5,0\n4,4,1\n"


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_what_is_too_large_for_the_network_needs_standardizing(write, refused, task):  # 45
    line = refused("train", write(HUGE, data="standardize: false", task=task))
    has_words(line, "d.csv", "'b'", "1e+300", "too large", "data.standardize: true")


def test_a_target_that_is_too_large_for_the_network_needs_standardizing(write, refused):  # 45
    content = b"a,b,y\n1,2,1e300\n2,3,1\n3,5,0\n"
    line = refused("train", write(content, data="standardize_target: false", task="regression"))
    has_words(line, "d.csv", "'y'", "1e+300", "too large", "data.standardize_target: true")


def test_a_spread_that_overflows_is_refused(write, refused):  # 45
    content = b"a,b,y\n1,1.7e308,0\n2,1.7e308,1\n3,-1.7e308,0\n"
    has_words(refused("train", write(content)), "d.csv", "'b'", "1.7e+308", "rescale")


@pytest.mark.parametrize("key", ["valid_path", "test_path"])
def test_another_set_that_is_too_large_is_refused(write, refused, tmp_path, key):  # 45
    (tmp_path / "other.csv").write_bytes(b"a,b,y\n1,2,p\n1,1e300,q\n")
    has_words(refused("train", write(CLEAN, data=f"{key}: other.csv")), "other.csv", "'b'", "1e+300", "too large")


@pytest.mark.parametrize(
    ("header", "target", "more"),
    [
        (b"a,b,probability_p", "probability_p", ""),
        (b"a,b,probability_q", "probability_q", ""),
        (b"a,probability_y_q,y", "[probability_y_q, y]", "loss: logistic_cross_entropy"),
    ],
)
def test_a_target_named_as_a_column_of_probabilities_would_be(write, refused, header, target, more):
    """Its answers would be overwritten, without a word."""
    content = CLEAN.replace(b"a,b,y", header)
    if more:
        content = header + b"\n" + b"".join(b"%d,%d,%s\n" % (i, i % 2, b"pq"[i % 2 : i % 2 + 1]) for i in range(12))
    line = refused("train", write(content, target=target, more=more))
    has_words(line, "d.csv: target 'probability_", "probability_<label>", "rename it")


def test_a_table_that_changes_while_it_is_read(write, refused, tmp_path, monkeypatch):  # 53
    """The rows that were read and the hash that is recorded would not be of one file."""
    config = write(CLEAN)

    def read_slowly(path, **options):
        table = read_table(path, **options)
        (tmp_path / "d.csv").write_bytes(CLEAN + b"7,7,p\n")
        return table

    monkeypatch.setattr(prepare, "read_table", read_slowly)
    result = CliRunner().invoke(cli, ["train", config])
    assert result.exit_code == 3
    assert result.output == "d.csv: changed while it was read; try again when nothing writes to it\n"
    assert not (tmp_path / "runs").exists()


def test_a_table_that_changed_before_a_resume(write, refused, tmp_path):  # 53
    done("train", write(CLEAN), "--out", "run", "--no-plot")
    (tmp_path / "d.csv").write_bytes(CLEAN + b"7,7,p\n")
    for command in (["resume", "run", "--set", "training.epochs=4"], ["evaluate", "run"], ["train", "--replay", "run"]):
        has_words(refused(*command), "d.csv: has changed since the run started", "SHA-256")


def test_data_files_that_came_or_went_since_the_run_started(write, refused, tmp_path):  # 53
    done("train", write(CLEAN), "--out", "run", "--no-plot")
    (tmp_path / "other.csv").write_bytes(CLEAN)
    config = (tmp_path / "run/config.yaml").read_text()
    (tmp_path / "run/config.yaml").write_text(config.replace("test_path: null", "test_path: ../other.csv"))
    has_words(refused("evaluate", "run", code=2), "data.test_path", "has changed since the run was trained")
    has_words(refused("resume", "run"), "run: the config names other.csv, with which the run did not start")


def test_two_files_of_one_name_that_change_places_have_changed(write, refused, tmp_path):  # 53
    other = CLEAN + b"7,7,p\n"
    (tmp_path / "valid").mkdir()
    (tmp_path / "valid/d.csv").write_bytes(other)
    done("train", write(CLEAN, data="valid_path: valid/d.csv"), "--out", "run", "--no-plot")
    done("evaluate", "run", "--split", "valid")
    done("evaluate", "run", "--split", "train")
    (tmp_path / "valid/d.csv").write_bytes(CLEAN)
    (tmp_path / "d.csv").write_bytes(other)
    for command in (
        ["resume", "run"],
        ["evaluate", "run", "--split", "valid"],
        ["evaluate", "run", "--split", "train"],
    ):
        has_words(refused(*command), "d.csv: has changed since the run started", "SHA-256")


def test_arrays_whose_columns_would_have_one_name(write, refused, tmp_path):
    """The second of "y" and the array "y_1": their model would have been refused when it was saved."""
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "d.npz", X=rng.normal(size=(12, 2)), y=rng.normal(size=(12, 2)), y_1=rng.normal(size=12))
    line = refused("train", write(None, path="d.npz", target="[y, y_1]", task="regression"))
    has_words(line, "d.npz: two target columns have one name among 'y_0', 'y_1', 'y_1'")


def test_a_model_that_could_not_be_saved_is_not_trained(write, refused, monkeypatch):
    monkeypatch.setattr(archives, "MAX_HEADER", 100)
    has_words(refused("train", write(CLEAN)), "mlp model", "cannot be saved")
