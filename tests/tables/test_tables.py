"""read_table on good input: the same numbers, names and labels whichever way a table is written.

Numbers in comments are those of the list of bad inputs that the project was checked against.
"""

import io
import sys

import numpy as np
import pytest

from mlp.errors import DataError
from mlp.tables import Reading, read_table

PLAIN = b"a,b,y\n1,2.5,red\n-3,0.25,blue\n0,1e3,red\n"
X = np.array([[1, 2.5], [-3, 0.25], [0, 1000]])
LABELS = np.array([["red"], ["blue"], ["red"]])

SAME_TABLE = {
    "plain": PLAIN,
    "no line end at the end": PLAIN.rstrip(b"\n"),
    "byte order mark": b"\xef\xbb\xbf" + PLAIN,  # 37
    "CRLF": PLAIN.replace(b"\n", b"\r\n"),  # 37
    "CR": PLAIN.replace(b"\n", b"\r"),  # 37
    "mixed line ends": b"a,b,y\r\n1,2.5,red\n-3,0.25,blue\r0,1e3,red",  # 37
    "trailing delimiters": PLAIN.replace(b"\n", b",\n"),  # 37
    "trailing delimiters below the header": b"a,b,y\n1,2.5,red,\n-3,0.25,blue,\n0,1e3,red,\n",  # 37
    "a trailing delimiter in the header": b"a,b,y,\n1,2.5,red\n-3,0.25,blue\n0,1e3,red\n",  # 37
    "trailing delimiters and spaces": PLAIN.replace(b"\n", b" , \n"),  # 37
    "blank lines at the end": PLAIN + b"\n\r\n  \n",  # 37
    "blank lines everywhere": b"\n\n" + PLAIN.replace(b"\n", b"\n\n"),  # 37
    "spaces": b" a , b , y \n 1 , 2.5 , red \n -3 , 0.25 , blue \n 0 , 1e3 , red \n",  # 37
    "tabs around cells": b"a\t,\tb,y\n1\t,\t2.5,red\t\n-3,0.25,\tblue\n0,1e3,red\n",  # 37
    "quotes": b'"a","b","y"\n"1","2.5","red"\n"-3","0.25","blue"\n"0","1e3","red"\n',  # 38
    "some quotes": b'a,"b",y\n1,"2.5","red"\n"-3",0.25,blue\n0,1e3,"red"\n',  # 38
    "quotes after spaces": b'a, "b", "y"\n1, "2.5", "red"\n-3, "0.25", "blue"\n0, "1e3", "red"\n',  # 38
    "other ways to write numbers": b"a,b,y\n+1.0,25e-1,red\n-3.,.25,blue\n-0,1000.000,red\n",
}


def write(folder, content, name="table.csv"):
    path = folder / name
    path.write_bytes(content)
    return path


def save_npz(folder, **arrays):
    np.savez(folder / "table.npz", **arrays)
    return folder / "table.npz"


def save_npy(folder, matrix):
    np.save(folder / "table.npy", matrix)
    return folder / "table.npy"


@pytest.mark.parametrize("content", SAME_TABLE.values(), ids=SAME_TABLE)
def test_one_table_written_in_many_ways(tmp_path, content):
    table = read_table(write(tmp_path, content), targets=["y"], labels=True)
    assert table.inputs == ("a", "b")
    assert table.targets == ("y",)
    assert np.array_equal(table.X, X)
    assert table.X.dtype == np.float64
    assert np.array_equal(table.Y, LABELS)
    assert len(table) == 3


@pytest.mark.parametrize("delimiter", [";", "\t", "|", " ", ":"])
@pytest.mark.parametrize("trailing", [False, True])
def test_other_delimiters(tmp_path, delimiter, trailing):
    content = PLAIN.replace(b",", delimiter.encode())
    content = content.replace(b"\n", delimiter.encode() + b"\n") if trailing else content
    table = read_table(write(tmp_path, content), targets=["y"], labels=True, reading=Reading(delimiter=delimiter))
    assert np.array_equal(table.X, X)
    assert np.array_equal(table.Y, LABELS)


def test_spaces_that_align_columns(tmp_path):
    path = write(tmp_path, b"a   b     y\n1   2.5   red\n-3  0.25  blue\n0   1e3   red\n")
    table = read_table(path, targets=["y"], labels=True, reading=Reading(delimiter=" "))
    assert np.array_equal(table.X, X)
    assert np.array_equal(table.Y, LABELS)


def test_commas_quotes_and_line_breaks_inside_quotes(tmp_path):  # 38
    path = write(tmp_path, b'"a, b","line\nbreak","say ""y"""\n1,2,"x, ""y""\nz"\n3,4,";"\n')
    table = read_table(path, targets=['say "y"'], labels=True)
    assert table.inputs == ("a, b", "line\nbreak")
    assert table.X[:].tolist() == [[1, 2], [3, 4]]
    assert table.Y.tolist() == [['x, "y"\nz'], [";"]]


def test_text_of_all_languages_in_names_and_labels(tmp_path):
    path = write(tmp_path, "größe,名前\n1,köln\n2,東京\n".encode())
    table = read_table(path, targets=["名前"], labels=True)
    assert table.inputs == ("größe",)
    assert table.Y.tolist() == [["köln"], ["東京"]]


def test_a_number_sign_is_no_comment(tmp_path):  # 39
    table = read_table(write(tmp_path, b"#a,b,y\n1,2,#1\n3,4,x#y\n"), targets=["y"], labels=True)
    assert table.inputs == ("#a", "b")
    assert table.X[:].tolist() == [[1, 2], [3, 4]]
    assert table.Y.tolist() == [["#1"], ["x#y"]]


def test_labels_stay_as_they_were_written(tmp_path):  # 42
    path = write(tmp_path, b"a,y\n1,007\n2,1.0\n3,-1\n4,1e3\n5,+2\n6,no\n")
    assert read_table(path, targets=["y"], labels=True).Y[:, 0].tolist() == ["007", "1.0", "-1", "1e3", "+2", "no"]


@pytest.mark.parametrize(
    "content",
    [
        b"1,2.5,red\n-3,0.25,blue\n0,1e3,red\n",
        b"1,2.5,red,\n-3,0.25,blue,\n0,1e3,red,\n",  # 37
        b"\xef\xbb\xbf\r\n1, 2.5, red\r\n-3, 0.25, blue\r\n\r\n0, 1e3, red",  # 37
    ],
    ids=["plain", "trailing delimiters", "byte order mark, CRLF, blank lines, spaces"],
)
def test_no_header(tmp_path, content):  # 31
    table = read_table(write(tmp_path, content), targets=["2"], labels=True, reading=Reading(header=False))
    assert table.inputs == ("0", "1")
    assert table.targets == ("2",)
    assert np.array_equal(table.X, X)
    assert np.array_equal(table.Y, LABELS)


@pytest.mark.parametrize("header", [None, True])
def test_a_header_of_names(tmp_path, header):  # 31
    assert np.array_equal(
        read_table(write(tmp_path, PLAIN), targets=["y"], labels=True, reading=Reading(header=header)).X, X
    )


def test_a_header_of_numbers(tmp_path):  # 31
    table = read_table(
        write(tmp_path, b"2019,2020,2021\n1,2,3\n4,5,6\n"), targets=["2021"], reading=Reading(header=True)
    )
    assert table.inputs == ("2019", "2020")
    assert table.X[:].tolist() == [[1, 2], [4, 5]]
    assert table.Y.tolist() == [[3], [6]]


def test_without_a_header_columns_may_be_taken_in_order(tmp_path):
    table = read_table(write(tmp_path, b"1,2\n3,4\n"), inputs=["1", "2"], reading=Reading(header=False))
    assert table.X[:].tolist() == [[1, 2], [3, 4]]
    assert table.Y.shape == (2, 0)


def test_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(PLAIN)))
    table = read_table("-", targets=["y"], labels=True)
    assert table.source == "standard input"
    assert np.array_equal(table.X, X)
    assert np.array_equal(table.Y, LABELS)


def test_listed_inputs_come_in_their_order_and_nothing_else_is_looked_at(tmp_path):
    path = write(tmp_path, b"id,a,y,b,z\nrow 1,1,10,2.5,\nrow 2,-3,20,0.25,?\nrow 3,0,30,1e3,x\n")
    table = read_table(path, targets=["y"], inputs=["b", "a"])
    assert table.inputs == ("b", "a")
    assert np.array_equal(table.X, X[:, ::-1])
    assert table.Y.tolist() == [[10], [20], [30]]


def test_columns_that_are_not_used_may_share_a_name(tmp_path):
    table = read_table(write(tmp_path, b"a,note,note,y\n1,x,x,2\n"), targets=["y"], inputs=["a"])
    assert table.X[:].tolist() == [[1]]


@pytest.mark.parametrize("targets", [["y", "z"], ["z", "y"]])
def test_several_targets_come_in_their_order(tmp_path, targets):
    content = b"y,a,z\n10,1,-1\n20,2,-2\n"
    numbers = read_table(write(tmp_path, content), targets=targets)
    text = read_table(write(tmp_path, content), targets=targets, labels=True)
    assert numbers.inputs == text.inputs == ("a",)
    assert numbers.targets == text.targets == tuple(targets)
    columns = {"y": ["10", "20"], "z": ["-1", "-2"]}
    assert text.Y.T.tolist() == [columns[name] for name in targets]
    assert np.array_equal(numbers.Y, text.Y.astype(float))


def test_no_targets(tmp_path):
    table = read_table(write(tmp_path, b"a,b\n1,2\n3,4\n"))
    assert table.X[:].tolist() == [[1, 2], [3, 4]]
    assert table.targets == ()
    assert table.Y.shape == (2, 0)


DTYPES = ["?", "i1", "u1", "<i4", ">i4", "i8", "f2", "f4", "f8", ">f8"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("labels", [False, True])
def test_the_same_numbers_in_every_format(tmp_path, dtype, labels):  # 48
    matrix = np.array([[1, 0, 1], [0, 1, 0], [1, 1, 1], [0, 0, 1]]).astype(dtype)
    if matrix.dtype.kind == "f":
        matrix[:, :2] += np.array([0.1, -2.7], dtype)
    text = "".join(f"{float(a)!r},{float(b)!r},{int(y)}\n" for a, b, y in matrix.tolist())
    tables = [
        read_table(write(tmp_path, text.encode()), targets=["2"], labels=labels, reading=Reading(header=False)),
        read_table(save_npy(tmp_path, matrix), targets=["2"], labels=labels),
        read_table(save_npz(tmp_path, X=matrix[:, :2], y=matrix[:, 2]), targets=["y"], labels=labels),
        read_table(save_npz(tmp_path, X=matrix[:, :2], y=matrix[:, 2:]), targets=["y"], labels=labels),
    ]
    for table in tables:
        assert table.inputs == ("0", "1")
        assert np.array_equal(np.asarray(table.X, dtype=np.float64), np.asarray(matrix[:, :2], dtype=np.float64))
        assert table.Y.shape == (4, 1)
        if labels:
            assert table.Y[:, 0].tolist() == ["1", "0", "1", "1"]
        else:
            assert np.array_equal(np.asarray(table.Y, dtype=np.float64), np.array([[1.0], [0], [1], [1]]))
    assert [table.targets for table in tables] == [("2",), ("2",), ("y",), ("y",)]


def test_columns_of_a_npy_matrix_are_chosen_by_number(tmp_path):
    path = save_npy(tmp_path, np.arange(12.0).reshape(3, 4))
    table = read_table(path, targets=["0", "2"], inputs=["3", "1"])
    assert table.X[:].tolist() == [[3, 1], [7, 5], [11, 9]]
    assert table.Y.tolist() == [[0, 2], [4, 6], [8, 10]]
    assert table.targets == ("0", "2")


def test_a_matrix_of_targets_in_npz(tmp_path):
    Y = np.array([[1.5, -2], [3, 4], [5, 6]])
    table = read_table(save_npz(tmp_path, X=X, Y=Y), targets=["Y"])
    assert table.targets == ("Y_0", "Y_1")
    assert np.array_equal(table.Y, Y)


def test_several_target_arrays_and_a_named_input_array_in_npz(tmp_path):
    path = save_npz(tmp_path, pixels=X, X=np.zeros((5, 5)), u=np.array([1, 0, 1]), v=np.array([[4.0], [5], [6]]))
    table = read_table(path, targets=["v", "u"], inputs=["pixels"])
    assert np.array_equal(table.X, X)
    assert table.targets == ("v", "u")
    assert table.Y.tolist() == [[4, 1], [5, 0], [6, 1]]


def test_text_labels_in_npz(tmp_path):
    table = read_table(save_npz(tmp_path, X=X, y=np.array(["007", "a, b", "é"])), targets=["y"], labels=True)
    assert table.Y.tolist() == [["007"], ["a, b"], ["é"]]


def test_label_arrays_of_different_kinds_in_npz(tmp_path):
    path = save_npz(tmp_path, X=X, u=np.array(["no", "yes", "no"]), v=np.array([1.0, 2, 1]), w=[True, False, True])
    table = read_table(path, targets=["u", "v", "w"], labels=True)
    assert table.Y.tolist() == [["no", "1", "1"], ["yes", "2", "0"], ["no", "1", "1"]]


def test_compressed_npz(tmp_path):
    np.savez_compressed(tmp_path / "table.npz", X=X, y=LABELS[:, 0])
    table = read_table(tmp_path / "table.npz", targets=["y"], labels=True)
    assert np.array_equal(table.X, X)
    assert np.array_equal(table.Y, LABELS)


def test_the_order_in_memory_makes_no_difference(tmp_path):  # 49
    matrix = np.arange(12.0).reshape(4, 3)
    for version in (np.asfortranarray(matrix), np.repeat(matrix, 2, axis=0)[::2]):
        table = read_table(save_npy(tmp_path, version), targets=["2"])
        assert np.array_equal(table.X, matrix[:, :2])
        assert np.array_equal(table.Y, matrix[:, 2:])


@pytest.mark.parametrize("name", ["table.txt", "table.tsv", "table", "TABLE.CSV"])
def test_any_other_ending_is_text(tmp_path, name):
    assert np.array_equal(read_table(str(write(tmp_path, PLAIN, name)), targets=["y"], labels=True).X, X)


def test_arrays_have_other_columns_too(tmp_path):
    matrix = np.array([[1, 2, 0.5, 7], [3, 4, 1.5, 8]])
    table = read_table(save_npy(tmp_path, matrix), targets=["1"], others={"2": "number", "3": "text"})
    assert table.inputs == ("0",)
    assert table.others["2"].tolist() == [0.5, 1.5]
    assert table.others["3"].written().tolist() == ["7", "8"]
    path = save_npz(tmp_path, X=matrix[:, :2], y=[1, 2], w=[0.5, 2], who=np.array(["a", "b"]))
    table = read_table(path, targets=["y"], others={"w": "number", "who": None})
    assert table.others["w"].tolist() == [0.5, 2]
    assert table.others["who"].written().tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kinds": {"0": "category"}}, "column '0' is a category, but arrays hold numbers"),
        ({"reading": Reading(query="SELECT 1")}, "data.query is for tables"),
        ({"exclude": ["9"]}, "no column '9'"),
        ({"others": {"9": "number"}}, "no column '9'"),
    ],
)
def test_what_arrays_cannot_be_is_told(tmp_path, options, words):
    with pytest.raises(DataError, match=words):
        read_table(save_npy(tmp_path, np.ones((3, 3))), targets=["2"], **options)
    assert read_table(save_npy(tmp_path, np.ones((3, 3))), kinds={"0": "ignore"}).inputs == ("1", "2")
