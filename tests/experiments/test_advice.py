"""Advice: each note where a person would want it, with its numbers, and none close by where there is nothing to say."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from shipped import CONFIGS

from mlp import Layer, Network, Progress
from mlp.evaluation import evaluate
from mlp.experiments.advice import FIRST_ROWS, closing_advice, first_loss
from mlp.experiments.advice import columns as notes_on_columns
from mlp.experiments.advice.columns import FEW, row_hashes
from mlp.experiments.assemble import columns_of, make_network, prepare
from mlp.experiments.config.load import load_config

LONGEST = 450  # characters of a note
SPLIT = "split: {test: 0.25}"
IN_ORDER = "split: {test: 0.25, method: file_order}"


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write_csv(path, columns):
    rows = zip(*columns.values(), strict=True)
    Path(path).write_text("\n".join(",".join(map(str, row)) for row in (columns, *rows)) + "\n", encoding="utf-8")


def experiment(columns, *settings, task="classification", data="", target="y", layers="[{units: 4}]"):
    """A run on a table of these columns; `data` goes into that section of the config."""
    write_csv("d.csv", columns)
    Path("c.yaml").write_text(
        f"data: {{path: d.csv, target: {target}, {data}}}\ntask: {task}\nnetwork: {{layers: {layers}}}\n"
        "training: {epochs: 7, batch_size: 4, seed: 0}\n"
    )
    return prepare(load_config("c.yaml", settings))


def notes(*arguments, **options):
    found = experiment(*arguments, **options).notes
    assert all("\n" not in note and len(note) <= LONGEST for note in found)
    return found


def said(found, *words):
    """There is one note, and it has the words."""
    (note,) = found
    for word in words:
        assert word in note
    return True


def but_rare_classes(found):
    """The other notes than those that a class of one row brings."""
    return [note for note in found if "can hardly be learnt" not in note]


def table(n=40, **columns):
    """Two columns of noise, a target of noise, and what else is given."""
    rng = np.random.default_rng(0)
    return {"a": rng.normal(size=n), "b": rng.normal(size=n), **columns, "y": columns.get("y", rng.permutation(n) % 2)}


def numbers(n=40, **columns):
    """The same, with numbers for a target."""
    return table(n, y=np.random.default_rng(1).normal(size=n), **columns)


# The shipped configs

TOLD = {"penguins": ["2 of 344 rows have no value in 'body_mass_g', and are left out"]}  # facts about the table


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_shipped_configs_are_silent_before_and_after_training(path):
    run, progress = prepare(load_config(path)), Progress()
    assert list(run.notes) == TOLD.get(path.stem, [])
    for _ in run.epochs(progress):
        pass
    assert closing_advice(run, run.best_model(progress)) == []


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_first_loss_of_shipped_configs_is_silent_for_many_seeds(path):
    run = prepare(load_config(path))
    n_in, n_out = run.model.coding.size, run.model.target.size
    for seed in range(20):
        columns = columns_of(run.model.coding)
        network = make_network(run.loaded.config.network, n_in, n_out, np.random.default_rng(seed), columns)
        assert list(first_loss(replace(run, model=replace(run.model, network=network)))) == []


# Columns


def test_a_constant_target_is_told():
    said(notes(table(y=[5] * 40), task="regression"), "target 'y' is constant", "data.target")
    both = {**table(z=[1] * 40), "y": [2] * 40}
    said(notes(both, task="regression", target="[y, z]"), "targets 'y', 'z' are constant")
    assert notes(table(y=[5] * 39 + [6]), task="regression") == []


def test_constant_inputs_are_told():
    said(notes(table(c=[7] * 40)), "1 input column is constant", "('c')", "leave it out with data.exclude")
    said(notes(table(c=[7] * 40, d=[7] * 40)), "2 input columns are constant", "('c', 'd')", "them out")
    assert notes(table(c=[7] * 39 + [8])) == []


def test_columns_of_nothing_but_0_are_silent():
    sparse = {f"x{k}": np.where(np.arange(40) % 3 == k % 3, np.arange(40) * (k + 1.5), 0) for k in range(6)}
    assert notes(table(**sparse, blank=[0] * 40)) == []
    said(notes(table(**sparse, blank=[0] * 40, c=[7] * 40)), "1 input column is constant", "('c')")


def test_very_many_columns_are_one_short_note():
    columns = numbers()
    columns |= {f"copy \x1b[31m {k} " + "x" * 50: columns["y"] for k in range(50)} | {"y": columns["y"]}
    said(notes(columns, task="regression"), "the answer is among", "and 45 more", "\\x1b[31m", "data.exclude")


@pytest.mark.parametrize("data", ["", "standardize: false"])
def test_a_column_equal_to_the_target_is_told(data):
    columns = numbers(c=np.arange(40))
    columns["leak"] = columns["y"]
    found = notes(columns, task="regression", data=data)
    said(
        found,
        "the answer is among the inputs",
        "'leak' = 'y'",
        "all 40 training rows",
        "leave it out with data.exclude",
    )
    columns["leak"] = [*columns["y"][:39], 0.0]
    assert notes(columns, task="regression", data=data) == []


@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "logistic_cross_entropy"])
def test_a_column_that_tells_the_class_is_told(loss):
    labels = np.array(["no", "yes"])[np.random.default_rng(2).permutation(40) % 2]
    columns = table(y=labels, leak=np.where(labels == "no", 3.5, -1))
    said(notes(columns, f"loss={loss}"), "the answer is among the inputs", "'leak' has one value for each class of 'y'")
    columns["leak"][7] = 3.6
    assert notes(columns, f"loss={loss}") == []


def test_a_column_that_leaves_two_classes_together_is_silent():
    labels = np.random.default_rng(2).permutation(60) % 3
    assert notes(table(60, y=labels, c=(labels > 0).astype(int))) == []
    said(notes(table(60, y=labels, c=(labels + 1) % 3)), "'c' has one value for each class of 'y'")


def test_each_target_column_is_compared():
    columns = numbers(z=np.random.default_rng(3).permutation(40) % 2)
    columns |= {"y": np.random.default_rng(4).permutation(40) % 2, "leak": 5 - columns["z"]}
    options = {"target": "[y, z]", "layers": "[]"}
    said(notes(columns, "loss=logistic_cross_entropy", **options), "'leak' has one value for each class of 'z' in")
    columns["leak"] = columns["z"]
    said(notes(columns, task="regression", **options), "'leak' = 'z' in")


def test_a_task_that_is_to_copy_its_inputs_is_silent():
    columns = numbers()
    assert notes({"x": columns["y"], "y": columns["y"]}, task="regression") == []
    columns |= {"y": columns["a"], "z": columns["b"]}
    assert notes(columns, task="regression", target="[y, z]") == []
    said(notes(columns, task="regression", target="[y]", data="inputs: [a, b]"), "'a' = 'y'")


def test_columns_are_compared_with_the_target_to_the_last_row():
    y = np.random.default_rng(2).permutation(600) % 3
    columns = table(600, y=y, c=y + 1)
    said(notes(columns), "'c' has one value for each class of 'y' in all 600 training rows")
    columns["c"][599] = 7
    assert notes(columns) == []


def test_a_column_that_tells_the_answer_of_few_rows_is_silent():
    bits = np.array([0, 0, 1, 1, 0, 1])
    assert notes({"a": bits, "b": [0, 1, 0, 1, 1, 0], "y": 1 - bits}) == []
    for rare in (FEW - 1, FEW):
        y = (np.arange(40) < rare).astype(int)
        assert len(notes(table(c=y, y=y))) == (rare == FEW)
        assert len(notes(table(c=y * 1.5, y=y * 1.5), task="regression")) == (rare == FEW)


def test_columns_of_an_npz_array_are_left_out_of_the_array():
    y = np.arange(40) % 2
    np.savez("d.npz", X=np.c_[np.random.default_rng(0).normal(size=(40, 3)), y], y=y)
    Path("c.yaml").write_text(
        "data: {path: d.npz, target: y}\ntask: classification\nnetwork: {layers: []}\ntraining: {epochs: 1, seed: 0}\n"
    )
    said(prepare(load_config("c.yaml")).notes, "'3' has one value", "leave it out of the array in data.path")


# Rows


def test_a_class_that_a_split_lacks_is_told():
    columns = table(y=["q"] + ["p", "r"] * 19 + ["p"])
    found = but_rare_classes(notes(columns, data=IN_ORDER))
    said(found, "the 10 test rows lack class 'q' of target 'y'", "try data.split.method: stratified")
    said(
        but_rare_classes(notes(columns, data=SPLIT)), "the 10 test rows lack class 'q'", "try a larger data.split.test"
    )
    columns["y"] = ["q"] + ["p", "r"] * 19 + ["q"]
    assert but_rare_classes(notes(columns, data=IN_ORDER)) == []


def test_a_class_that_another_file_lacks_is_told():
    write_csv("test.csv", {"a": [9, 8], "b": [5, 6], "y": [0, 2]})
    columns = table(y=np.arange(40) % 5)
    said(notes(columns, data="test_path: test.csv"), "the 2 test rows lack class '1', '3', '4'", "data.test_path")
    write_csv("valid.csv", {"a": range(5), "b": range(5), "y": range(5)})
    assert notes(columns, data="valid_path: valid.csv") == []


def test_classes_that_logistic_outputs_lack_are_told_together():
    columns = {**table(z=["u"] + ["t"] * 19 + ["u"] + ["t"] * 19), "y": ["n"] + ["m"] * 39}
    found = but_rare_classes(notes(columns, "loss=logistic_cross_entropy", target="[y, z]", data=IN_ORDER))
    said(found, "the 10 test rows lack class 'n' of target 'y', class 'u' of target 'z', and")


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (["Yes", "yes", "No", "no"] * 10, ["'No', 'no', 'Yes', 'yes' are different classes", "data.query"]),
        (["a b", "ab", "c", "c"] * 10, ["'a b', 'ab' are different classes"]),
        (["01", "1", "1.0", "2"] * 10, ["'01', '1', '1.0' are different classes"]),
        (["p", "q"] * 19 + ["p", "r"], ["one training row alone has the class 'r'"]),
    ],
)
def test_labels_that_may_be_meant_otherwise_are_told(labels, words):
    said(notes(table(y=labels)), *words)


def test_quantities_that_are_taken_for_classes_are_told():
    found = notes(table(n=420, y=[k % 140 * 7 for k in range(420)]))
    said(found, "'y' has 140 classes that are all numbers: task: regression")


def test_texts_and_gaps_that_are_only_in_other_rows_are_told():
    columns = table(c=["u", "v"] * 20)
    columns["c"][-1] = "w"
    said(
        notes(columns, data=IN_ORDER), "in the test rows, column 'c': 1 rows have a text that no training row has ('w')"
    )


def test_very_many_levels_are_told():
    found = notes(table(n=480, c=[f"level {k % 120}" for k in range(480)]))
    said(found, "column 'c' has 120 levels", "min_count: 20")


def test_rows_shared_between_training_and_test_are_told():
    columns = table()
    write_csv(
        "test.csv",
        {name: [*column[:3], 99, 98] for name, column in columns.items() if name != "y"} | {"y": [0, 1] * 2 + [0]},
    )
    said(notes(columns, data="test_path: test.csv"), "3 of the 5 test rows", "remove repeated rows from data.test_path")
    write_csv("test.csv", {"a": columns["b"][:4], "b": columns["a"][:4], "y": [0, 1, 0, 1]})
    assert notes(columns, data="test_path: test.csv") == []


def test_rows_shared_by_a_split_of_repeated_rows_are_told():
    columns = {name: [*column, *column] for name, column in table().items()}
    found = notes(columns, data="split: {valid: 0.25, test: 0.25, method: file_order}")
    said(found, "20 of the 20 valid rows and 20 of the 20 test rows", "remove repeated rows from data.path")
    assert notes(columns) == []


def test_few_combinations_of_values_are_bound_to_come_again_and_are_silent():
    bits = np.random.default_rng(0).integers(2, size=(3, 200))
    options = {"task": "regression", "data": SPLIT}
    assert notes({"a": bits[0], "b": bits[1], "y": np.arange(200)}, **options) == []
    columns = {"a": np.arange(200) % 100, "y": np.arange(200)}  # 150 training rows, more than half of them distinct
    said(notes(columns, **options), "of the 50 test rows")


def test_less_than_one_shared_row_in_a_hundred_is_silent():
    columns = table(700)
    tests = np.random.default_rng(5).normal(size=(2, 201))
    tests[:, :2] = columns["a"][:2], columns["b"][:2]
    for n, count in ((201, 0), (200, 1)):
        write_csv("test.csv", {"a": tests[0, :n], "b": tests[1, :n], "y": np.arange(n) % 2})
        assert len(notes(columns, data="test_path: test.csv")) == count


# The first loss


def scaled(run, size):
    """The same run with outputs that are constant: zero, but `size` for the first one."""
    network = run.model.network
    n_in, K = network.layers[-1].n_in, run.model.target.size
    b = np.zeros((K, 1), np.float32)
    b[0] = size
    last = Layer(np.zeros((K, n_in), np.float32), b, "identity")
    return replace(run, model=replace(run.model, network=Network([*network.layers[:-1], last])))


def cost(run):
    return evaluate(run.model.network, run.model.loss, run.splits["train"])["loss"]


def test_chance_is_what_a_model_gets_that_knows_nothing():
    two = numbers(z=np.arange(40) % 2) | {"y": np.arange(40) % 4 // 2}
    for columns, options in (
        (table(y=np.arange(40) % 5), {}),
        (table(), {"loss": "logistic_cross_entropy"}),
        (two, {"loss": "logistic_cross_entropy", "target": "[y, z]"}),
        (two, {"loss": "squared_error", "task": "regression", "target": "[y, z]"}),
    ):
        loss = options.pop("loss", "softmax_cross_entropy")
        run = experiment(columns, f"loss={loss}", **options)
        assert run.model.loss.chance(run.splits["train"][1].T) == pytest.approx(cost(scaled(run, 0)), rel=1e-6)


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        ("softmax_cross_entropy", "chance, log K = 0.6931"),
        ("logistic_cross_entropy", "chance, K log 2 = 0.6931"),
        ("squared_error", "half the variance of the targets = 0.5"),
    ],
)
def test_the_first_loss_is_told_beyond_its_limit_and_not_before(loss, words):
    task = "regression" if loss == "squared_error" else "classification"
    run = experiment(table(), f"loss={loss}", task=task)
    factor = run.model.loss.far
    size = np.sqrt(factor) if task == "regression" else 2 * factor * np.log(2)
    near, far = scaled(run, 0.99 * size), scaled(run, 1.01 * size)
    assert list(first_loss(near)) == []
    said(first_loss(far), f"is {cost(far):.4g}, far above {words}: try", "network.output.initialization: zeros")


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_unscaled_inputs_are_told_and_standardizing_is_the_remedy(task):
    columns = table()
    columns["a"] = columns["a"] * 500 + 900
    found = notes(columns, task=task, data="standardize: false")
    said(found, "the loss before training is", "try data.standardize: true")
    assert notes(columns, task=task, data="standardize: true") == []
    assert notes(table(), task=task, data="standardize: false") == []


def test_unscaled_targets_are_told():
    columns = numbers()
    columns["y"] += 1000
    said(notes(columns, task="regression", data="standardize_target: false"), "try data.standardize_target: true")
    columns["y"] -= 1000
    assert notes(columns, task="regression", data="standardize_target: false") == []


def test_a_large_initialization_is_told():
    for data, hint in (("", "try a smaller"), ("standardize: false", "try data.standardize: true, or a smaller")):
        layers = "[{units: 50, initialization: {normal: 50}}]"
        said(notes(table(), layers=layers, data=data), f"{hint} initialization, such as network.output")
    assert notes(table(), layers="[{units: 50}, {units: 50, initialization: he_normal}]") == []


@pytest.mark.parametrize("loss", ["softmax_cross_entropy", "squared_error"])
def test_a_first_loss_that_is_no_number_is_told(loss):
    run = experiment(table(), f"loss={loss}", task="regression" if loss == "squared_error" else "classification")
    said(first_loss(scaled(run, np.nan)), "the loss before training is nan, far above")


@pytest.mark.parametrize("size", ["1e30", "3e38"])
def test_a_first_loss_that_is_not_finite_is_told(size):
    columns = table()
    columns["a"] = [f"{value:.3f}{size[1:]}" for value in columns["a"]]
    (note,) = notes(columns, task="regression", data="standardize: false")
    assert re.search("the loss before training is (inf|nan), far above", note)
    assert "data.standardize: true" in note


def test_the_first_loss_is_of_rows_from_the_whole_table():
    n = FIRST_ROWS + 2000
    columns = table(n)
    columns["a"][n - 100 :] = 1e6
    said(notes(columns, data="standardize: false"), "the loss before training is")


# Training


def test_a_learning_rate_of_zero_is_told():
    schedule = "training.schedule={name: cosine, epochs: 5}"
    said(notes(table(), schedule), "learning rate is 0 after epoch 5 of 7", "training.schedule.epochs")
    for name in ("cycles", "one_cycle"):
        said(notes(table(), f"training.schedule={{name: {name}, epochs: 5}}"), "learning rate is 0 after epoch 5 of 7")
    for name in ("cosine", "cycles", "one_cycle"):  # which follow training.epochs
        assert notes(table(), f"training.schedule={{name: {name}}}") == []
    assert notes(table(), schedule.replace("5", "7")) == []
    assert notes(table(), schedule.replace("5", "5, floor: 0.1")) == []


def test_a_clipped_batch_is_told():
    said(notes(table(), "training.batch_size=41"), "training.batch_size 41", "clipped to 40")
    assert notes(table(), "training.batch_size=40") == []


# After training


def with_layers(run, *layers):
    """Closing advice on a network with these (W, b, activation)."""
    network = Network([Layer(np.float32(W), np.float32(b).reshape(-1, 1), g) for W, b, g in layers])
    return closing_advice(run, replace(run.model, network=network))


def dead_layers(dead, units, activation="relu"):
    """A hidden layer of which some units are never above 0, and outputs that tell the sign of the first input."""
    W, b = np.zeros((units, 2)), np.zeros(units)
    W[:, 0], b[:dead] = 1, -100
    return (W, b, activation), (np.array([[-1.0] * units, [1.0] * units]), [0.5, -0.5], "identity")


def test_dead_units_are_told_beyond_three_quarters_of_a_layer():
    columns = table()
    columns["y"] = (columns["a"] > 0).astype(int)
    run = experiment(columns, "network.layers.0.units=8")
    said(
        with_layers(run, *dead_layers(7, 8)),
        "dead units",
        "7 of 8 in layer 1",
        "below 0.003",
        "network.layers.0.activation: leaky_relu",
    )
    assert with_layers(run, *dead_layers(6, 8)) == []


@pytest.mark.parametrize("row", [5, 2500])
def test_units_that_only_one_training_row_wakes_are_not_dead(row):
    columns = table(3000)
    columns["a"][row] = 200
    columns["y"] = (columns["a"] > 0).astype(int)
    run = experiment(columns, "network.layers.0.units=8")
    (W, _, g), last = dead_layers(0, 8)
    assert with_layers(run, (W, [-20] * 7 + [0], g), last) == []  # the row is 52 deviations from the mean
    said(with_layers(run, (W, [-60] * 7 + [0], g), last), "7 of 8 in layer 1")


def test_units_are_dead_where_their_slope_is_zero_and_not_where_they_are():
    columns = table()
    columns["y"] = (columns["a"] > 0).astype(int)
    W = np.zeros((8, 2))
    W[0, 0] = 1
    for activation, b, dead in (("relu", 0, True), ("tanh", 0, False), ("tanh", 30, True), ("leaky_relu", -9, False)):
        run = experiment(columns, layers=f"[{{units: 8, activation: {activation}}}]")
        biases = np.r_[0, np.full(7, b)]
        outputs = np.r_[1, np.zeros(7)]
        found = with_layers(run, (W, biases, activation), ([-outputs, outputs], [0.1, 0], "identity"))
        assert len(found) == dead, activation


@pytest.mark.parametrize("rate", [1, 0.02])
def test_a_dying_network_is_told_after_training_and_a_healthy_one_is_not(rate):
    overrides = [f"optimizer.learning_rate={rate}", "training.clip=null", "training.epochs=6"]
    run, progress = prepare(load_config(Path(CONFIGS[0]).parent / "digits.yaml", overrides)), Progress()
    for _ in run.epochs(progress):
        pass
    found = closing_advice(run, run.best_model(progress))
    if rate == 1:
        assert "64 of 64 in layer 2" in found[0]
        assert "below 1, or network.layers." in found[0]
        assert "most frequent class" in found[1]
    else:
        assert found == []


def constant_answer(run, answer):
    return with_layers(run, (np.zeros((run.model.target.size, 2)), answer, "identity"))


def test_a_model_that_does_not_beat_the_majority_is_told():
    y = [0] * 15 + [1] * 15 + [0] * 6 + [1] * 4
    run = experiment(table(y=y), data=IN_ORDER, layers="[]")
    found = constant_answer(run, [1, 0])
    said(found, "on the 10 test rows", "the most frequent class ('y': accuracy 0.6 against 0.6)", "try a hidden layer")
    said(constant_answer(run, [0, 1]), "accuracy 0.4 against 0.6")
    run = experiment(table(y=y), data=IN_ORDER)
    said(constant_answer(run, [1, 0]), "more training.epochs than 7, or an optimizer.learning_rate other than 0.003")


def test_a_model_that_beats_the_majority_by_one_row_is_silent():
    columns = table(y=[0] * 15 + [1] * 15 + [0] * 6 + [1] * 4)
    columns["a"] = np.r_[np.linspace(-1, 1, 30), [-1] * 6, -1, -1, -1, 1] + 0.01 * columns["b"]
    run = experiment(columns, data=IN_ORDER, layers="[]")
    assert with_layers(run, ([[-1, 0], [1, 0]], [0, 0], "identity")) == []
    columns["a"][39] = -1
    run = experiment(columns, data=IN_ORDER, layers="[]")
    found = with_layers(run, ([[-1, 0], [1, 0]], [0, 0], "identity"))
    said(found, "accuracy 0.6 against 0.6", "it does on the training rows, so try training.l2 above 0 or more rows")
    run = experiment(columns, data=IN_ORDER)
    found = with_layers(run, ([[-1, 0], [1, 0]], [0, 0], "relu"), (np.eye(2), [0, 0], "identity"))
    said(found, "training.l2 above 0, fewer units in network.layers or more rows")


def test_the_last_split_there_is_decides():
    columns = table(y=[0] * 15 + [1] * 15 + [0] * 6 + [1] * 4)
    said(constant_answer(experiment(columns, layers="[]"), [1, 0]), "on the 40 train rows", "0.525 against 0.525")
    valid = IN_ORDER.replace("test", "valid")
    said(
        constant_answer(experiment(columns, data=valid, layers="[]"), [1, 0]), "on the 10 valid rows", "0.6 against 0.6"
    )


def test_where_one_answer_is_always_right_there_is_nothing_to_beat():
    run = experiment(table(y=[0] * 15 + [1] * 15 + [0] * 10), data=IN_ORDER, layers="[]")
    assert constant_answer(run, [1, 0]) == []


def test_each_logistic_column_is_compared_with_its_own_majority():
    columns = {**table(z=([0] * 4 + [1] * 6) * 4), "y": [0, 1] * 20}
    columns["a"] = np.where(columns["y"], 1, -1) + 0.01 * columns["b"]
    run = experiment(columns, "loss=logistic_cross_entropy", data=IN_ORDER, target="[y, z]", layers="[]")
    found = with_layers(run, ([[1, 0], [0, 0]], [0, 1], "identity"))
    said(found, "('z': accuracy 0.6 against 0.6)")


def test_a_model_that_does_not_beat_the_mean_is_told():
    rng = np.random.default_rng(3)
    columns = numbers(z=rng.normal(size=40))
    columns["z"] = columns["a"] + 0.1 * columns["z"]
    run = experiment(columns, task="regression", data=SPLIT, target="[y, z]", layers="[]")
    found = with_layers(run, ([[0, 0], [1, 0]], [1, 0], "identity"))
    X, Y = run.splits["test"]
    R2 = 1 - ((1 - Y[:, 0]) ** 2).sum() / ((Y[:, 0] - Y[:, 0].mean()) ** 2).sum()
    said(found, "on the 10 test rows the model does not beat the mean", f"('y': R^2 {R2:.4g} against 0)")
    b = 0.9 * Y[:, 0].mean()  # closer to the split's mean than nothing is, but no better than that mean
    assert "'y'" in constant_answer(run, [b, 0])[0]
    w = 0.1 * np.cov(X[:, 0], Y[:, 0])[0, 1]
    assert with_layers(run, ([[w, 0], [1, 0]], [Y[:, 0].mean() - w * X[:, 0].mean(), 0], "identity")) == []


def test_a_target_that_is_constant_in_the_split_has_no_mean_to_beat():
    run = experiment(numbers() | {"y": [*range(30), *[4] * 10]}, task="regression", data=IN_ORDER, layers="[]")
    assert constant_answer(run, [0]) == []


# Advice never ends a run


def test_advice_that_fails_is_a_note(monkeypatch):
    def broken(*arguments):
        yield "the first of\nthem"
        raise KeyError("y")

    monkeypatch.setattr(notes_on_columns, "missing_classes", broken)
    first, last = notes(table())
    assert first == "the first of\\nthem"
    assert last == "no more advice, because of an unexpected KeyError: 'y'"


# Equality


def test_equal_rows_have_equal_hashes_whatever_their_type_and_order_in_memory():
    X = np.random.default_rng(0).integers(3, size=(500, 4))
    hashes = row_hashes(X).tolist()
    assert len(set(hashes)) == len(np.unique(X, axis=0))
    for same in (X.astype(np.float64), X.astype(np.float32), X.astype(np.int8), np.asfortranarray(X)):
        assert row_hashes(same).tolist() == hashes
    assert row_hashes(np.array([[0.0, -0.0]])) == row_hashes(np.array([[-0.0, 0.0]]))
