"""Headers that a stranger made: they describe a model, or are refused with the key that is wrong."""

import json
from pathlib import Path

import numpy as np
import pytest
from model_files import MODEL, TARGETS, contents, header_bytes, make_model, refusal, rewrite

from mlp.experiments.model import load_model


def header_text(run):
    return contents(run / "model.npz")[1], json.dumps(contents(run / "model.npz")[0])


JSON_ATTACKS = {
    "NaN": (('"epoch": 2', '"epoch": NaN'), "epoch: "),
    "Infinity": (('"epoch": 2', '"epoch": Infinity'), "epoch: "),
    "minus Infinity": (('"epoch": 2', '"epoch": -Infinity'), "epoch: "),
    "1e999": (('"epoch": 2', '"epoch": 1e999'), "epoch: "),
    "a million digits": (('"epoch": 2', f'"epoch": {"9" * 10**6}'), "header is not JSON"),
    "41 digits": (('"epoch": 2', f'"epoch": {"9" * 41}'), "epoch: "),
    "a million nines": (('"epoch": 2', f'"epoch": 0.{"9" * 10**6}'), "epoch: "),
    "deep lists": (('"epoch": 2', f'"epoch": {"[" * 100_000}{"]" * 100_000}'), "recursion"),
    "deep mappings": (
        ('"epoch": 2', f'"epoch": {"{" + chr(34) + "a" + chr(34) + ":"}' * 100_000),
        "header is not JSON",
    ),
    "deep but not too deep": (('"epoch": 2', f'"epoch": {"[" * 300}{"]" * 300}'), "epoch: "),
    "a comment": (('"epoch": 2', '"epoch": 2 // two'), "header is not JSON"),
    "something after it": (("}}}}", "}}}} x"), "header is not JSON"),
    "half a surrogate pair": (('"a"', '"\\ud800"'), "inputs.columns.0: expected text"),
    "a line end in a kind": (("mlp model", "mlp\\n\\u001b[31m"), "but an 'mlp\\n\\x1b[31m'"),
    "a kind of no kind": (('"mlp model"', '["mlp model"]'), "but an ['mlp model']"),
    "a long kind": (("mlp model", "x" * 10**6), "but an 'xxx"),
}


@pytest.mark.parametrize("attack", JSON_ATTACKS)
def test_a_header_that_mlp_would_not_write_is_refused(run, attack):
    (old, new), words = JSON_ATTACKS[attack]
    arrays, text = header_text(run)
    text += "" if old in text else old
    np.savez("model.npz", header=header_bytes(text.replace(old, new, 1).encode()), **arrays)
    assert words in refusal(most=20_000_000)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig", "latin1"])
def test_a_header_in_another_encoding_is_refused(run, encoding):
    arrays, text = header_text(run)
    np.savez("model.npz", header=header_bytes(text.replace('"a"', '"ä"').encode(encoding)), **arrays)
    assert "header is not JSON" in refusal()


WRONG_VALUES = [None, True, 0, -1, 1.5, 10**10, "", "x", "\ud800", [], [1], ["x", "x"], [[]], {}, {"a": 1}, [{"a": 1}]]
FIELDS = [
    *("layers", "layers.0", "layers.0.n_in", "layers.1.n_out", "layers.1.activation", "layers.0.kind"),
    *(
        "loss",
        "inputs",
        "inputs.columns",
        "inputs.columns.1",
        "inputs.columns.1.kind",
        "target",
        "target.kind",
        "epoch",
    ),
    *("target.columns", "target.columns.y", "target.columns.y.1", "target.columns.u", "target.columns.u.1"),
    *("target.names", "target.names.1"),
    *("config", "config.data", "config.data.path", "config.data.target", "config.data.inputs"),
    *("config.data.delimiter", "config.data.header", "config.training"),
    *("config.more", "more", "layers.0.more", "target.more"),
]
GOOD = {
    "epoch": [0],
    "config": [None],
    "config.data.path": ["x"],  # a name that is not looked for
    "config.data.target": ["x", ["x", "x"]],
    "config.data.inputs": [None, "x", ["x", "x"]],
    "config.data.delimiter": [None, "x"],
    "config.data.header": [None, True],
}
NAME_FIELDS = ("target.columns.y.1", "target.columns.u.1", "target.names.1")


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("target", TARGETS)
def test_a_header_with_a_wrong_value_is_refused_and_the_key_is_named(target, field):
    make_model(*TARGETS[target]).save(Path("good.npz"))
    header, arrays = contents("good.npz")
    *above, last = (int(step) if step.isdecimal() else step for step in field.split("."))
    place = header
    for step in above:
        if not isinstance(step, int) and step not in place:
            return  # a key of another kind of target
        place = place[step]
    if field.startswith("target.") and last not in ("more", 1) and last not in place:
        return
    for value in WRONG_VALUES:
        if isinstance(place, list):
            place[last] = value
        else:
            place |= {last: value}
        rewrite("model.npz", header, arrays)
        good = ["x"] if field in NAME_FIELDS else GOOD.get(field, [])
        if any(value is one or (type(value) is type(one) and value == one) for one in good):
            assert load_model("model.npz").inputs
            continue
        line = refusal()
        assert f"does not hold a model: {field}" in line, value


def nested(layers, depth):
    for _ in range(depth):
        layers = [{"kind": "recompute", "layers": layers}]
    return layers


CATEGORY = {"name": "zone", "kind": "category", "gaps": False, "rare": False}
CONTRADICTIONS = {
    "a layer that does not fit the one below": (
        "classes",
        lambda header: header["layers"][1].update(n_in=4),
        "layer 2, of the arrays 'W2', 'b2': W has shape (3, 5), expected (3, 4)",
    ),
    "a column more than the network takes": (
        "classes",
        lambda header: header["inputs"]["columns"].append({"name": "more", "kind": "number", "gaps": False}),
        "inputs: 5 columns of numbers, but input_mean of shape (4,)",
    ),
    "a category more than the network takes": (
        "classes",
        lambda header: header["inputs"]["columns"].append(CATEGORY | {"levels": ["a", "b", "c"]}),
        "a network of 4 inputs and 6 outputs, but 7 coded input columns",
    ),
    "a category without levels": (
        "classes",
        lambda header: header["inputs"]["columns"].append(CATEGORY | {"levels": []}),
        "inputs.columns.4.levels: expected different texts in their order, and at least one",
    ),
    "a category whose levels are not sorted": (
        "classes",
        lambda header: header["inputs"]["columns"].append(CATEGORY | {"levels": ["b", "a"]}),
        "inputs.columns.4.levels: expected different texts in their order, and at least one",
    ),
    "gaps that the network does not take": (
        "classes",
        lambda header: header["inputs"]["columns"][0].update(gaps=True),
        "a network of 4 inputs and 6 outputs, but 5 coded input columns",
    ),
    "a clip that there is not": (
        "classes",
        lambda header: header["inputs"].update(clip="hard"),
        "inputs.clip: Input should be 'smooth'",
    ),
    "a label less than the network tells": (
        "classes",
        lambda header: header["target"]["columns"]["y"].pop(),
        "a network of 4 inputs and 6 outputs, but 4 coded input columns and 5 outputs for the target",
    ),
    "a column of answers less": (
        "binary",
        lambda header: header["target"]["columns"].pop("u"),
        "4 inputs and 2 outputs, but 4 coded input columns and 1 outputs",
    ),
    "a loss that is a text": (
        "classes",
        lambda header: header.update(loss="softmax_cross_entropy"),
        "loss.name: expected softmax_cross_entropy or",
    ),
    "a loss with a key of another": (
        "classes",
        lambda header: header.update(loss={"name": "softmax_cross_entropy", "delta": 1.0}),
        "loss.delta: Extra inputs are not permitted, got 1.0",
    ),
    "a loss with a key of no value": (
        "quantities",
        lambda header: header.update(loss={"name": "huber", "delta": -1.0}),
        "loss.delta: Input should be greater than 0, got -1.0",
    ),
    "the loss of another kind of target": (
        "classes",
        lambda header: header.update(loss={"name": "logistic_cross_entropy"}),
        "loss.name: expected softmax_cross_entropy or brier, got 'logistic_cross_entropy'",
    ),
    "an input twice": (
        "classes",
        lambda header: header["inputs"]["columns"][1].update(name="a"),
        "inputs.columns: 'a' is listed 2 times",
    ),
    "a label twice": (
        "classes",
        lambda header: header["target"]["columns"]["y"].__setitem__(1, "01"),
        "target.columns.y: '01' is listed 2 times",
    ),
    "a single class": (
        "classes",
        lambda header: header["target"]["columns"].update(y=["x"]),
        "target.columns.y: expected a list of at least 2, got ['x']",
    ),
    "three answers": (
        "binary",
        lambda header: header["target"]["columns"].update(u=["x", "y", "z"]),
        "target.columns.u: 3 labels, expected 2",
    ),
    "two columns of classes": (
        "classes",
        lambda header: header["target"]["columns"].update(z=["x", "y"]),
        "target.columns: 2 columns, expected 1",
    ),
    "no column of classes": (
        "classes",
        lambda header: header["target"].update(columns={}),
        "target.columns: expected a list of at least 1, got []",
    ),
    "a column without a name": (
        "binary",
        lambda header: header["target"]["columns"].update({"": ["x", "y"]}),
        "target.columns.2: expected text that is not empty, got ''",
    ),
    "labels that NumPy would pad to 200 MB": (
        "classes",
        lambda header: header["target"]["columns"].update(y=["x" * 10_000, *map(str, range(5000))]),
        "target.columns.y: 5,001 labels of up to 10,000 characters are too long",
    ),
    "more layers than arrays": (
        "classes",
        lambda header: header.update(layers=60_000 * header["layers"][:1]),
        "layers: List should have at most 10000 items",
    ),
    "a layer within layers that is none": (
        "classes",
        lambda header: header.update(layers=[{"kind": "recompute", "layers": [{"kind": "hinge"}]}]),
        "or residual or recompute, got 'hinge'",
    ),
    "layers within layers without end": (
        "classes",
        lambda header: header.update(layers=nested(header["layers"], 250)),
        "does not hold a model: ",
    ),
    "a layer of a hundred thousand keys": (
        "classes",
        lambda header: header["layers"][0].update(dict.fromkeys(map(str, range(100_000)))),
        "layers.0: 100,003 keys, expected at most 100",
    ),
    "a config of a million mistakes": (
        "classes",
        lambda header: header["config"]["network"].update(layers=100_000 * [{}]),
        "config: more than 40,000 values",
    ),
    "a scale of a weight that no float can hold": (
        "classes",
        lambda header: header["config"]["network"].update(output={"initialization": {"normal": 10**39}, "x": 1}),
        "config.network.output.initialization: expected one of",
    ),
}


@pytest.mark.parametrize("attack", CONTRADICTIONS)
def test_a_header_that_contradicts_itself_is_refused(attack):
    target, change, words = CONTRADICTIONS[attack]
    make_model(*TARGETS[target]).save(Path("good.npz"))
    header, arrays = contents("good.npz")
    change(header)
    rewrite("model.npz", header, arrays)
    assert words in refusal(most=30_000_000)


def test_the_largest_config_that_there_can_be_is_read(run):
    """Its YAML may have 20,000 nodes, and a hidden layer of three nodes has four values when its defaults are there."""
    make_model(*TARGETS["classes"]).save(Path("good.npz"))
    header, arrays = contents("good.npz")
    layer = {"units": 1, "activation": "relu", "initialization": None}
    header["config"]["network"]["layers"] = 20_000 // 3 * [layer]
    rewrite("model.npz", header, arrays)
    assert len(load_model("model.npz").config["network"]["layers"]) == 6666
    header["config"]["network"]["layers"] *= 2
    rewrite("model.npz", header, arrays)
    assert "config: more than 40,000 values" in refusal(most=8_000_000)


@pytest.mark.parametrize(("target", "array"), [("classes", "input_std"), ("quantities", "target_std")])
@pytest.mark.parametrize("value", [0.0, -0.0, -1.0])
def test_a_scale_that_is_not_above_0_is_refused(target, array, value):
    make_model(*TARGETS[target]).save(Path("good.npz"))
    header, arrays = contents("good.npz")
    arrays[array][-1] = value
    rewrite("model.npz", header, arrays)
    assert f"array '{array}' holds values that are not above 0" in refusal()


NASTY = "a\x1b[2J\n\r\0\u202e\x07b"


def test_names_that_a_terminal_would_obey_load_and_are_shown_escaped(run, refused, tmp_path):
    header, arrays = contents(run / "model.npz")
    header["inputs"]["columns"][0]["name"] = NASTY
    header["target"]["columns"] = {NASTY: [NASTY, "q"]}
    header["layers"][0]["activation"] = "tanh"
    rewrite(run / "model.npz", header, arrays)
    assert load_model(run).inputs == (NASTY, "b")
    for command in ("predict", "evaluate"):
        line = refused([command, "run/model.npz", "d.csv"])
        assert "a\\x1b[2J\\n\\r\\x00\\u202e\\x07b" in line
        assert line[:-1].isprintable()
    header["layers"][0]["activation"] = NASTY
    rewrite(run / "model.npz", header, arrays)
    assert "got 'a\\x1b[2J\\n\\r\\x00\\u202e\\x07b'" in refused(MODEL[1])
    header["layers"][0]["activation"] = "tanh"
    rewrite(run / "model.npz", header | {NASTY: 1}, arrays)
    assert "a\\x1b[2J\\n\\r\\x00\\u202e\\x07b: Extra" in refused(MODEL[1])
