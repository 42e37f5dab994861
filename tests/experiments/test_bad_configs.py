"""Wrong configs: what a person reads, the exit code, and that nothing on disk was made, changed or lost."""

import os
import re
import shutil
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from unprivileged import run_unprivileged

from mlp.cli.commands import cli

CONFIG = """\
data:
  path: toy.csv
  target: class
  split: {valid: 0.25, test: 0.25}
task: classification
network:
  layers:
    - {units: 4, activation: tanh}
optimizer: {name: sgd, learning_rate: 0.1}
training: {epochs: 2, batch_size: 4, seed: 0}
"""
LAYERS = "layers:\n    - {units: 4, activation: tanh}"
OPTIMIZER = "{name: sgd, learning_rate: 0.1}"
TASK = "task: classification"
NAMES = {
    "LAYERS": LAYERS,
    "OPTIMIZER": OPTIMIZER,
    "TASK": TASK,
    "ACTIVATIONS": "identity, logistic, tanh, relu, leaky_relu, elu, selu, softplus, softsign, silu, mish, gelu",
    "SCHEMES": "glorot_uniform, glorot_normal, he_uniform, he_normal, lecun_uniform, lecun_normal, zeros",
}
HUGE = "123456789012345678901234567890"
posix = pytest.mark.skipif(os.name != "posix", reason="needs pipes and permissions")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A working directory with three small tables: two classes, three classes, one class."""
    monkeypatch.chdir(tmp_path)
    for name, labels in (("toy", "ab"), ("three", "abc"), ("one", "a")):
        rows = [f"{i * 7 % 24 / 10},{i * 5 % 24 / 10},{labels[i % len(labels)]}\n" for i in range(24)]
        Path(f"{name}.csv").write_text("x1,x2,class\n" + "".join(rows))
    return tmp_path


def listing():
    """Everything in the working directory, with what would show a change."""
    paths = {path: path.lstat() for path in Path().rglob("*") if path.name != ".lock"}  # filelock may touch that
    return {path: (found.st_mode, found.st_size, found.st_mtime_ns) for path, found in paths.items()}


def refused(*args, exit_code=2, lines=1, stdin=None):
    """Run a command that must fail with so many lines on stderr and nothing else; returns the lines."""
    before = listing()
    done = CliRunner().invoke(cli, args, prog_name="mlp", input=stdin)
    assert done.exit_code == exit_code, done.output
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert listing() == before
    found = done.stderr.splitlines()
    assert len(found) == lines, done.stderr
    for line in found:
        assert line.isprintable()
        assert len(line) < 500
    return found


def write_config(*changes, name="bad.yaml"):
    """CONFIG with some of its text replaced."""
    text = CONFIG
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    Path(name).write_text(text, "utf-8")


def check_refused(old, new, place, words, exit_code=2):
    """With `old` replaced by `new`, the one line starts with the file and this place and has all the words."""
    write_config((old, new))
    (line,) = refused("train", "bad.yaml", exit_code=exit_code)
    if place is not None:
        assert line.startswith(f"bad.yaml:{place}: "), line
    for word in words:
        assert word in line, line


def cases(table):
    """The lines of a table as (old, new, start of the message, words in it), the names in it replaced."""
    for line in filter(None, table.splitlines()):
        for name, text in NAMES.items():
            line = line.replace(name, text)
        old, new, place, words = (cell.strip(" ") for cell in line.split("=>"))
        yield pytest.param(old, re.sub(" ?/ ", "\n", new), place, words.split(" & "), id=new.strip() or "nothing")


def trained(*changes):
    """Run a config that must work; returns what it says on stderr."""
    write_config(*changes, name="good.yaml")
    done = CliRunner().invoke(cli, ["train", "good.yaml", "--no-plot", "--out", "good"], prog_name="mlp")
    assert done.exit_code == 0, done.output
    return done.stderr


def test_the_config_that_the_cases_spoil_is_good():
    trained()


def test_the_optimizer_has_a_default_name():
    trained(("name: sgd, ", ""))


def test_repeated_and_unknown_keys_are_told_at_once():
    write_config(("task: classification", "task: classification\ntask: regression\nextra: 1"))
    overrides = ["data.foo=1", "optimizer={name: sgd, nesterov: true, momentum: 0.5, bar: 2}"]
    arguments = [argument for override in overrides for argument in ("--set", override)]
    found = refused("train", "bad.yaml", *arguments, lines=4)
    for words in ["task: repeated key", "extra: unknown key", "data.foo: unknown key", "optimizer.bar: unknown key"]:
        assert any(words in line for line in found), words
    # the place of a key that --set brought is --set, not the file
    assert len([line for line in found if line.startswith("--set optimizer=")]) == 1


def test_contradictions_are_told_at_once():
    write_config((TASK, "task: regression\nloss: softmax_cross_entropy"), ("target: class", "target: [class, class]"))
    found = refused("train", "bad.yaml", "--set", "data.split={valid: 0.7, test: 0.6}", lines=3)
    for words in [
        "data.split: valid and test together",
        "data.target: a column is listed twice",
        "loss: softmax_cross",
    ]:
        assert any(words in line for line in found), words


@pytest.mark.parametrize("key", ["valid_path", "test_path"])
def test_training_rows_are_not_validated_on(key):
    write_config()
    (line,) = refused("train", "bad.yaml", "--set", f"data.{key}=toy.csv", "--set", "data.split={}")
    assert f"data.{key}: is data.path" in line


# The file and its syntax


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("none.yaml", ["none.yaml: ", "No such file"]),  # missing
        ("folder.yaml", ["folder.yaml: ", "is a directory", "expected a YAML file"]),  # a directory
        ("toy.csv/bad.yaml", ["toy.csv/bad.yaml: ", "Not a directory"]),  # cannot be opened
    ],
)
def test_a_file_that_cannot_be_read(path, words):
    Path("folder.yaml").mkdir()
    (line,) = refused("train", path)
    for word in words:
        assert word in line


@posix
def test_a_file_without_permission_to_read():
    write_config()
    os.chmod("bad.yaml", 0)
    before = listing()
    done = run_unprivileged("train", "bad.yaml")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "bad.yaml: Permission denied\n")
    assert listing() == before


@posix
@pytest.mark.parametrize("command", ["train", "summary", "check"])
@pytest.mark.parametrize("path", ["pipe.yaml", "/dev/null", "/dev/zero"])
def test_what_could_be_read_for_ever(path, command):
    os.mkfifo("pipe.yaml")
    (line,) = refused(command, path)
    for word in (path, "pipe", "device", "expected a YAML file", "'-' is standard input"):
        assert word in line


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("x" * 5000, ["xxx ... xxx", "too long"]),
        ("a\0b.yaml", ["a\\x00b.yaml: ", "is not a path", "null"]),
        ("\ud800.yaml", ["\\ud800.yaml: ", "is not a path"]),
        ("\udcff.yaml", ["\\udcff.yaml: ", "No such file"]),  # a byte that is no UTF-8
        ("a\nb\x1b[31m.yaml", ["a\\nb\\x1b[31m.yaml: ", "No such file"]),
    ],
    ids=["long", "NUL", "half of a character", "a byte", "a line end and an escape code"],
)
def test_paths_that_are_none(path, words):
    (line,) = refused("train", path)
    for word in words:
        assert word in line


@pytest.mark.parametrize(
    ("text", "start", "words"),
    [
        ("", "bad.yaml: ", ["config is empty"]),
        ("\n\n", "bad.yaml: ", ["config is empty"]),
        ("# nothing\n# but comments\n", "bad.yaml: ", ["config is empty"]),
        ("---\n", "bad.yaml: ", ["config is empty"]),
        ("- data\n- task\n", "bad.yaml:1:1: ", ["expected a mapping", "a list of 2"]),
        ("hello\n", "bad.yaml:1:1: ", ["expected a mapping", "'hello'"]),
        ("3\n", "bad.yaml:1:1: ", ["expected a mapping", "got 3"]),
        ("data:\n\tpath: toy.csv\n", "bad.yaml:2:1: ", ["tab", "spaces"]),
        ("data: {path: toy.csv\ntask: regression\n", "bad.yaml:2:5: ", ["expected ',' or '}'"]),
        ("data: [1, 2}\n", "bad.yaml:1:12: ", ["expected ',' or ']'", "'}'"]),
        ("data: 'toy\n", "bad.yaml:2:1: ", ["unexpected end"]),
        ("task: a: b\n", "bad.yaml:1:8: ", ["mapping values are not allowed here"]),
        ("@task: a\n", "bad.yaml:1:1: ", ["'@'"]),
    ],
)
def test_a_file_that_is_no_mapping(text, start, words):
    Path("bad.yaml").write_text(text)
    (line,) = refused("train", "bad.yaml")
    assert line.startswith(start), line
    for word in words:
        assert word in line


@pytest.mark.parametrize("text", ["", "- 1\n", "task: a: b\n", "a: &a [*a]\n"])
def test_standard_input_is_named_as_such(text):
    (line,) = refused("train", "-", stdin=text)
    assert line.startswith("standard input:")


# Keys and values

# One change of CONFIG a line: what is replaced => by what => the place and the key => words of the message.
# " / " stands for a line end.
CHANGES = """
TASK => TASK / task: regression => 6:1: task: => repeated & bad.yaml:5:1
epochs: 2 => epochs: 2, epochs: 3 => 10:23: training.epochs: => repeated & 10:12
units: 4 => units: 4, units: 4 => 8:18: network.layers.0.units: => repeated & 8:8
learning_rate => learing_rate => 9:24: optimizer.learing_rate: => unknown key & did you mean 'learning_rate'?
batch_size => batch-size => 10:23: training.batch-size: => did you mean 'batch_size'?
activation: => activaton: => 8:18: network.layers.0.activaton: => unknown key & did you mean 'activation'?
seed: 0 => seed: 0, colour: red => 10:47: training.colour: => unknown key & epochs, batch_size, l2, clip, seed
seed: 0 => seed: 0, keep_every: 2 => 10:47: training.keep_every: => unknown key
epochs: => epoch: => 10:12: training.epoch: => unknown key & did you mean 'epochs'?
task: => taks: => 5:1: taks: => unknown key & did you mean 'task'?
TASK => # => 1:1: task: => required key is missing
epochs: 2, => => 10:1: training.epochs: => required key is missing

learning_rate: 0.1 => learning_rate: 0 => 9:24: optimizer.learning_rate: => must be > 0 & got 0
learning_rate: 0.1 => learning_rate: 0.0 => 9:24: optimizer.learning_rate: => must be > 0 & got 0.0
learning_rate: 0.1 => learning_rate: -0.1 => 9:24: optimizer.learning_rate: => must be > 0 & got -0.1
learning_rate: 0.1 => learning_rate: .nan => 9:24: optimizer.learning_rate: => expected a finite number & got nan
learning_rate: 0.1 => learning_rate: .inf => 9:24: optimizer.learning_rate: => expected a finite number & got inf
learning_rate: 0.1 => learning_rate: -.inf => 9:24: optimizer.learning_rate: => got -inf
learning_rate: 0.1 => learning_rate: 1e400 => 9:24: optimizer.learning_rate: => expected a finite number
learning_rate: 0.1 => learning_rate: true => 9:24: optimizer.learning_rate: => expected a number & got true
learning_rate: 0.1 => learning_rate: null => 9:24: optimizer.learning_rate: => expected a number & null
learning_rate: 0.1 => learning_rate: [0.1] => 9:24: optimizer.learning_rate: => expected a number & a list of 1
OPTIMIZER => /   learning_rate: 0,5 => 10:3: optimizer.learning_rate: => expected a number & '0,5'

LAYERS => layers: [0] => 7:12: network.layers.0: => expected a mapping & got 0
LAYERS => layers: [2.5] => 7:12: network.layers.0: => expected a mapping & got 2.5
LAYERS => layers: [null] => 7:12: network.layers.0: => expected a mapping & null
LAYERS => layers: [[]] => 7:12: network.layers.0: => expected a mapping & a list of 0
LAYERS => layers: '32' => 7:3: network.layers: => expected a list & '32'
LAYERS => layers: 32 => 7:3: network.layers: => expected a list & got 32
LAYERS => layers: null => 7:3: network.layers: => expected a list & null
LAYERS => layers: [{}] => 7:12: network.layers.0.units: => required key is missing
LAYERS => layers: [{unit: 3}] => 7:13: network.layers.0.unit: => did you mean 'units'?
LAYERS => layers: [{width: 3, b: 0}] => 7:12: network.layers.0: => one of the keys units, gain & 'width', 'b'
LAYERS => layers: [{units: 0}] => 7:13: network.layers.0.units: => must be >= 1 & got 0
LAYERS => layers: [{units: -3}] => 7:13: network.layers.0.units: => must be >= 1 & got -3
LAYERS => layers: [{units: 2.5}] => 7:13: network.layers.0.units: => whole number & got 2.5
LAYERS => layers: [{units: '32'}] => 7:13: network.layers.0.units: => whole number & '32'
LAYERS => layers: [{units: 1000000001}] => 7:13: network.layers.0.units: => must be <= 1,000,000,000 & got 1000000001
LAYERS => layers: [{recompute: []}] => 7:13: network.layers.0.recompute: => expected at least one
LAYERS => layers: [{recompute: 2}] => 7:13: network.layers.0.recompute: => expected a list & got 2
LAYERS => layers: [{recompute: [2]}] => 7:25: network.layers.0.recompute.0: => expected a mapping & got 2
LAYERS => layers: [{recompute: [{units: 0}]}] => 7:26: network.layers.0.recompute.0.units: => must be >= 1
LAYERS => layers: [{recompute: [{units: 1, a: 2}]}] => 7:36: network.layers.0.recompute.0.a: => unknown key & units
LAYERS => layers: [{recompute: [{units: 1}], units: 2}] => 7:13: network.layers.0.recompute: => unknown key

tanh => rleu => 8:18: network.layers.0.activation: => 'rleu' & did you mean 'relu'?
tanh => ReLU => 8:18: network.layers.0.activation: => 'ReLU' & did you mean 'relu'?
tanh => softmax => 8:18: network.layers.0.activation: => 'softmax' & ACTIVATIONS
tanh => 12 => 8:18: network.layers.0.activation: => 12 & ACTIVATIONS
tanh => null => 8:18: network.layers.0.activation: => null & ACTIVATIONS
tanh => false => 8:18: network.layers.0.activation: => false & ACTIVATIONS
sgd => adm => 9:13: optimizer.name: => 'adm' & did you mean 'adam'?
sgd => lbfgs => 9:13: optimizer.name: => 'lbfgs' & choose from sgd, adam
sgd => null => 9:13: optimizer.name: => null & choose from sgd, adam
OPTIMIZER => adam => 9:1: optimizer: => expected a mapping & 'adam'
TASK => TASK / loss: mse => 6:1: loss.name: => 'mse' & squared_error & logistic_cross_entropy & softmax_cross_entropy
TASK => task: classify => 5:1: task: => 'classify' & did you mean 'classification'?
TASK => task: both => 5:1: task: => 'both' & classification, regression
tanh => tanh, initialization: xavier => 8:36: network.layers.0.initialization: => 'xavier' & SCHEMES
tanh => tanh, initialization: {uniform: -0.5} => 8:36: network.layers.0.initialization: => {normal: s} & > 0 & -0.5
seed: 0 => seed: 0, schedule: {name: cosin, epochs: 2} => 10:58: training.schedule.name: => did you mean 'cosine'?
seed: 0 => seed: 0, schedule: {warm_up: 2} => 10:47: training.schedule.name: => required key is missing
test: 0.25 => test: 0.25, method: random => 4:36: data.split.method: => 'random' & stratified, shuffled, file_order

TASK => TASK / loss: squared_error => 6:1: loss: => does not fit task: classification & choose softmax_cross_entropy
TASK => task: regression / loss: softmax_cross_entropy => 6:1: loss: => choose squared_error
TASK => task: regression / loss: logistic_cross_entropy => 6:1: loss: => choose squared_error
target: class => target: [class, x1] => 3:3: data.target: => 2 target columns & loss: logistic_cross_entropy
target: class => target: class /   inputs: [x1, x1] => 4:3: data.inputs: => a column is listed twice
target: class => target: class /   inputs: [class, x1] => 4:3: data.inputs: => 'class' is also the target

rate: 0.1 => rate: 0.1, momentum: 1 => 9:44: optimizer.momentum: => must be < 1 & got 1
rate: 0.1 => rate: 0.1, momentum: 1.5 => 9:44: optimizer.momentum: => must be < 1 & got 1.5
rate: 0.1 => rate: 0.1, momentum: -0.1 => 9:44: optimizer.momentum: => must be >= 0 & got -0.1
rate: 0.1 => rate: 0.1, momentum: .nan => 9:44: optimizer.momentum: => got nan
rate: 0.1 => rate: 0.1, momentum: true => 9:44: optimizer.momentum: => a number & true
rate: 0.1 => rate: 0.1, nesterov: true => 9:44: optimizer.nesterov: => needs a momentum above 0
rate: 0.1 => rate: 0.1, nesterov: 1 => 9:44: optimizer.nesterov: => true or false & got 1
rate: 0.1 => rate: 0.1, weight_decay: -1 => 9:44: optimizer.weight_decay: => must be >= 0 & got -1
OPTIMIZER => {name: adam, beta1: 1} => 9:25: optimizer.beta1: => must be < 1 & got 1
OPTIMIZER => {name: adam, beta2: -0.5} => 9:25: optimizer.beta2: => must be >= 0 & got -0.5
OPTIMIZER => {name: adam, epsilon: 0} => 9:25: optimizer.epsilon: => must be > 0 & got 0
seed: 0 => seed: 0, l2: -1 => 10:47: training.l2: => must be >= 0 & got -1
seed: 0 => seed: 0, clip: 0 => 10:47: training.clip: => must be > 0 & got 0
seed: 0 => seed: 0, early_stopping: {patience: 2}, monitor: epoch => 10:47: training.early_stopping: => not epoch
seed: 0 => seed: 0, plateau: {patience: 2}, monitor: epoch => 10:47: training.plateau: => not epoch
seed: 0 => seed: 0, plateau: {factor: 1} => 10:57: training.plateau.factor: => must be < 1
seed: 0 => seed: 0, monitor: acuracy => 10:47: training.monitor: => one of loss, epoch, accuracy & acuracy
seed: 0 => seed: 0, ties: both => 10:47: training.ties: => choose from first, last
OPTIMIZER => {name: sgd, rate_factors: {s: 2}} => 9:24: optimizer.rate_factors: => no parameter is called s & W1, b1
OPTIMIZER => {name: sgd, rate_factors: {b: 0}} => 9:39: optimizer.rate_factors.b: => must be > 0 & got 0
TASK => task: classification / loss: {name: squared_error, label_smoothing: 0.1} => 6:1: loss: => does not fit
TASK => task: classification / loss: {name: softmax_cross_entropy, label_smoothing: 1} => 6:37: loss.label_smoothing: =>
TASK => task: regression / loss: {name: huber, delta: 0} => 6:1: loss: => delta must be a number > 0 & got 0
TASK => task: regression / loss: {name: huber, delta: one} => 6:1: loss: => delta: expected a number, or & 'one'
TASK => task: regression / loss: {name: huber, dleta: 1} => 6:1: loss: => dleta: unknown key & delta
TASK => task: classification / loss: {name: softmax_cross_entropy, delta: 1} => 6:1: loss: => delta: unknown key
LAYERS => layers: [{periodic: 2}, {periodic: 2}] => 7:3: network.layers: => layer 2: periodic embeds numbers
LAYERS => layers: [{units: 2}, {embedding: 2}] => 7:3: network.layers: => layer 2: embedding is for categories
LAYERS => layers: [{gain: false}] => 7:13: network.layers.0.gain: => expected true & got false
LAYERS => layers: [{units: 2, bias: one}] => 7:23: network.layers.0.bias: => expected one of SCHEMES
seed: 0 => seed: 0, early_stopping: {patience: 0} => 10:64: training.early_stopping.patience: => must be >= 1
seed: 0 => seed: 0, schedule: {name: cosine, epochs: 2, floor: 2} => 10:83: training.schedule.floor: => must be <= 1
valid: 0.25 => valid: 1 => 4:11: data.split.valid: => must be < 1 & got 1
valid: 0.25 => valid: -0.1 => 4:11: data.split.valid: => must be >= 0 & got -0.1
valid: 0.25 => valid: 0.75 => 4:3: data.split: => valid and test & training
seed: 0 => seed: -1 => 10:38: training.seed: => must be >= 0 & got -1
seed: 0 => seed: 1.0 => 10:38: training.seed: => whole number & got 1.0
seed: 0 => seed: 340282366920938463463374607431768211456 => 10:38: training.seed: => must be < 2^128
seed: 0 => seed: lucky => 10:38: training.seed: => whole number & 'lucky'
seed: 0 => seed: '1' => 10:38: training.seed: => whole number & '1'
seed: 0 => seed: true => 10:38: training.seed: => whole number & true
seed: 0 => seed: .nan => 10:38: training.seed: => whole number & nan

target: class => target: class /   delimiter: '"' => 4:3: data.delimiter: => no cell is quoted with & got '"'
target: class => target: class /   delimiter: "\\n" => 4:3: data.delimiter: => no line ends with & got '\\n'
target: class => target: class /   delimiter: "\\r" => 4:3: data.delimiter: => no line ends with & got '\\r'
target: class => target: class /   delimiter: '' => 4:3: data.delimiter: => expected one character
target: class => target: class /   delimiter: ', ' => 4:3: data.delimiter: => expected one character & got ', '

seed: 0 => seed: !!python/object/apply:os.mkdir [hacked] => 10:44: => tags are not allowed & !!python/object
sgd => !!python/name:os.system sgd => 9:19: => tags are not allowed & !!python/name:os.system
classification => !!str classification => 5:7: => tags are not allowed & !!str
classification => !mine classification => 5:7: => tags are not allowed & !mine
"""


@pytest.mark.parametrize(("old", "new", "start", "words"), [*cases(CHANGES)])
def test_one_mistake(old, new, start, words):
    check_refused(old, new, start.removesuffix(":"), words)


def test_all_missing_keys_at_once():
    Path("bad.yaml").write_text("data: {}\nnetwork: {}\ntraining: {}\n")
    lines = refused("train", "bad.yaml", lines=5)
    keys = ["data.path", "data.target", "task", "network.layers", "training.epochs"]
    for line, key in zip(lines, keys, strict=True):
        assert re.match(rf"bad\.yaml:\d+:\d+: {re.escape(key)}: .*missing", line), line


def test_all_mistakes_at_once():
    write_config(("tanh", "tahn"), ("learning_rate", "learing_rate"), ("epochs: 2", "epochs: 0"))
    lines = refused("train", "bad.yaml", lines=3)
    assert [line.split(": ")[:2] for line in lines] == [
        ["bad.yaml:8:18", "network.layers.0.activation"],
        ["bad.yaml:9:24", "optimizer.learing_rate"],
        ["bad.yaml:10:12", "training.epochs"],
    ]


@pytest.mark.parametrize("old", ["name: sgd", "seed: 0, schedule: {name: cosine, epochs: 2}"])
def test_a_key_that_is_also_the_name_of_a_kind(old):
    """pydantic puts the kind of an optimizer or schedule into the path of its mistakes."""
    kind = old.split("name: ")[1].split(",")[0].strip("}")
    new = old.replace(f"name: {kind}", f"name: {kind}, {kind}: 1, colour: red")
    write_config((old, new) if old in CONFIG else ("seed: 0", new))
    section = "optimizer" if kind == "sgd" else "training.schedule"
    places = [line.split(": ")[1] for line in refused("train", "bad.yaml", lines=2)]
    assert places == [f"{section}.{kind}", f"{section}.colour"]


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("a\\nb", "a\\nb: unknown key"),  # in YAML's double quotes a line end
        ("\\e[31mred\\e[0m", "\\x1b[31mred\\x1b[0m: unknown key"),
        ("\\x9b1m\\a\\b", "\\x9b1m\\x07\\x08: unknown key"),
        ("\\u202edetrevni", "\\u202edetrevni: unknown key"),
        ("\\L\\N\\r", "\\u2028\\x85\\r: unknown key"),
        ("x" * 1000, "xxx ... "),
    ],
    ids=["line end", "escape codes", "control characters", "right to left", "line separators", "long"],
)
def test_keys_that_no_terminal_obeys(key, told):
    write_config((TASK, f'{TASK}\n"{key}": 1'))
    (line,) = refused("train", "bad.yaml")
    assert line.startswith("bad.yaml:6:1: ")
    assert told in line
    assert line.endswith("(the keys here are data, task, network, loss, optimizer, training)")


@pytest.mark.parametrize("unknown", [20, 21, 9000])
def test_the_first_mistakes_of_many(unknown):
    write_config((TASK, "\n".join([TASK, *(f"key{i}: 1" for i in range(unknown))])))
    *told, last = refused("train", "bad.yaml", lines=min(unknown, 21))
    assert told[0].startswith("bad.yaml:6:1: key0: unknown key")
    assert last.startswith("bad.yaml:25:1: key19: ") if unknown == 20 else last == f"and {unknown - 20:,} more mistakes"


@pytest.mark.parametrize(
    ("override", "words"),
    [
        (f"network.layers.{'9' * 5000}.units=1", ["network.layers is a list of 1", "999"]),
        ("a." * 2000 + "b=1", ["too deeply nested", "100 levels"]),
        ("task=\ud800", ["--set task=\\ud800: not UTF-8"]),
        ("\udcff=1", ["--set \\udcff=1: not UTF-8"]),  # a byte that is no UTF-8
        ("a\nb=1", ["a\\nb: unknown key"]),
        (f"data.inputs=[{'x,' * 5000}]", ["data.inputs: a column is listed twice", "--set data.inputs=[x,x,"]),
    ],
    ids=["long index", "deep", "half of a character", "a byte", "line end", "long value"],
)
def test_hostile_overrides(override, words):
    write_config()
    (line,) = refused("train", "bad.yaml", "--set", override)
    for word in words:
        assert word in line


def test_what_an_override_replaced_is_one_line_too():
    write_config()
    done = CliRunner().invoke(cli, ["summary", "bad.yaml", "--set", "\ntraining.epochs=2\n# \u202e"])
    (note,) = [line for line in done.output.splitlines() if "--set" in line]
    assert note == "note: training.epochs = 2\\n# \\u202e by --set (before: 2)"


@pytest.mark.parametrize(
    ("written", "number"),
    [("1e-3", "0.001"), ("1E-3", "0.001"), ("+.001", "0.001"), ("1.e-3", "0.001"), ("1", "1.0"), ("010", "10.0")],
)
def test_every_way_to_write_a_number(written, number):
    trained(("learning_rate: 0.1", f"learning_rate: {written}"))
    assert f"learning_rate: {number}\n" in Path("good/config.yaml").read_text()


@pytest.mark.parametrize("value", ["'1e-3'", "0.1s", "1_000", "one", "nan", "inf", "1.2.3", "1e", "1e-3x"])
def test_text_for_a_number(value):
    words = ["expected a number", f"'{value.strip(chr(39))}'", "1e-3", "without quotes"]
    check_refused("learning_rate: 0.1", f"learning_rate: {value}", "9:24: optimizer.learning_rate", words)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("0", ["must be >= 1", "got 0"]),
        ("-1", ["must be >= 1", "got -1"]),
        ("2.5", ["whole number", "got 2.5"]),
        ("5.0", ["whole number", "got 5.0"]),
        ("ten", ["whole number", "'ten'"]),
        ("'5'", ["whole number", "'5'"]),
        ("true", ["whole number", "true"]),
        ("null", ["whole number", "null"]),
        (HUGE, ["must be <= ", HUGE]),
        ("9" * 900, ["must be <= ", "999..."]),  # not all 900 digits
    ],
)
@pytest.mark.parametrize(
    ("old", "place"),
    [
        ("epochs: 2", "10:12: training.epochs"),
        ("batch_size: 4", "10:23: training.batch_size"),
    ],
)
def test_epochs_and_batch_sizes(old, place, value, words):
    check_refused(old, f"{old.split()[0]} {value}", place, words)


def test_a_batch_larger_than_the_training_rows_is_clipped_and_said():
    stderr = trained(("batch_size: 4", "batch_size: 1000"))
    (note,) = [line for line in stderr.splitlines() if "batch_size" in line]
    assert "1000" in note
    assert "12 training rows" in note
    assert "clipped to 12" in note


def test_no_hidden_layers_are_a_linear_model():
    assert "6 parameters" in trained((LAYERS, "layers: []"))


@pytest.mark.parametrize(
    ("table", "old", "new", "words"),
    [
        (  # cross-entropy of a quantity
            "toy.csv",
            "target: class",
            "target: x1\n  inputs: [x2]",
            ["'x1'", "'0.4'", "but not in the training rows"],
        ),
        ("toy.csv", TASK, "task: regression", ["toy.csv:2: ", "'class'", "expected a number", "'a'"]),
        (  # three classes for one output
            "three.csv",
            TASK,
            f"{TASK}\nloss: logistic_cross_entropy",
            ["'class'", "3 classes", "'a', 'b', 'c'", "loss: softmax_cross_entropy"],
        ),
        ("one.csv", "seed: 0", "seed: 1", ["'class'", "only one class", "'a'"]),  # a softmax of one output
    ],
)
def test_a_loss_that_does_not_fit_the_table(table, old, new, words):
    write_config(("toy.csv", table), (old, new))
    (line,) = refused("train", "bad.yaml", exit_code=3)
    for word in (table, *words):
        assert word in line, line


@pytest.mark.parametrize(("value", "meant"), [("off", "false"), ("no", "false"), ("on", "true"), ("yes", "true")])
@pytest.mark.parametrize(
    ("old", "place"),
    [
        ("tanh", "8:18: network.layers.0.activation"),
        ("sgd", "9:13: optimizer.name"),
        ("classification", "5:1: task"),
    ],
)
def test_words_that_were_booleans_in_yaml_1_1(old, place, value, meant):
    check_refused(old, value, place, [f"'{value}'", "YAML 1.1", meant, "choose from"])


def test_the_largest_seed():
    assert f"seed {2**128 - 1};" in trained(("seed: 0", f"seed: {2**128 - 1}"))


@pytest.mark.parametrize(("old", "new"), [("seed: 0", "seed: null"), ("seed: 0", "seed:"), (", seed: 0", "")])
def test_without_a_seed_one_is_drawn_printed_and_stored(old, new):
    found = re.search(r"^seed (\d+);", trained((old, new)), re.MULTILINE)
    assert found
    assert f"  seed: {found[1]}\n" in Path("good/config.yaml").read_text()
    assert f'"seed": {found[1]},' in Path("good/run.json").read_text()


# Hostile or foreign YAML


@pytest.mark.parametrize(
    ("text", "place", "got"),
    [
        ("a: &a [*a]\n", "1:4", "&a"),
        ("data: {path: *d}\n", "1:14", "*d"),
        ("- &layer {units: 4}\n- *layer\n", "1:3", "&layer"),
        ("a: &a [lol, lol, lol]\nb: &b [*a, *a, *a]\n", "1:4", "&a"),
    ],
)
def test_anchors_and_aliases(text, place, got):
    Path("bad.yaml").write_text(text)
    (line,) = refused("train", "bad.yaml")
    assert line.startswith(f"bad.yaml:{place}: anchors and aliases are not allowed, got {got} (")


@pytest.mark.parametrize(
    "text",
    ["[" * 4000 + "]" * 4000, "[" * 2000, "{a: " * 2000 + "1" + "}" * 2000, "- " * 2000 + "1", "? " * 2000 + "1"],
    ids=["brackets", "open brackets", "braces", "dashes", "keys"],
)
def test_nesting(text):
    Path("bad.yaml").write_text(text)
    (line,) = refused("train", "bad.yaml")
    assert line == "bad.yaml: too deeply nested: more than 100 levels"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- 1\n" * 249_000, ["20,000 values"]),
        ("[" + ("[" * 90 + "]" * 90 + ",") * 5000 + "]", ["20,000 values"]),
        ("? a\n" * 249_000, ["20,000 values"]),  # one key again and again
        ("[" * 999_000, ["too deeply nested"]),
    ],
    ids=["items", "nested items", "repeated keys", "brackets"],
)
def test_a_megabyte_is_refused_in_a_moment(text, words):
    Path("bad.yaml").write_text(text)
    start = time.monotonic()
    (line,) = refused("train", "bad.yaml")
    assert time.monotonic() - start < 10  # a second or less; half a minute if all of it were parsed first
    for word in ("bad.yaml: ", *words):
        assert word in line


@pytest.mark.parametrize("size", [1_000_001, 1_000_000_000])
def test_a_config_of_a_gigabyte_is_not_read(size):
    write_config()
    os.truncate("bad.yaml", size)  # sparse: takes no room on disk
    (line,) = refused("train", "bad.yaml")
    assert line.startswith("bad.yaml: ")
    assert "1,000,000" in line
    if size > 1_000_001:
        assert "1,000,001" not in line  # what was read before giving up is not the size of the file


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + CONFIG.encode(),  # a byte order mark
        CONFIG.replace("\n", "\r\n").encode(),
    ],
    ids=["mark", "crlf"],
)
def test_utf_8_of_other_editors_is_accepted(content):
    Path("other.yaml").write_bytes(content)
    done = CliRunner().invoke(cli, ["train", "other.yaml", "--no-plot", "-q"])
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    ("content", "start", "words"),
    [
        (CONFIG.encode("utf-16"), "bad.yaml:1: ", ["0xff", "save", "UTF-8"]),
        (b"\xfe\xff" + CONFIG.encode("utf-16-be"), "bad.yaml:1: ", ["0xfe", "save", "UTF-8"]),
        (CONFIG.encode("utf-32"), "bad.yaml:1: ", ["0xff", "save", "UTF-8"]),
        (CONFIG.replace("class\n", "größe\n").encode("latin-1"), "bad.yaml:3: ", ["0xf6", "save", "UTF-8"]),
        (CONFIG.replace("class\n", "cl\0ass\n").encode(), "bad.yaml:", ["#x0000"]),
        (CONFIG.replace("class\n", "cl\x07ass\n").encode(), "bad.yaml:", ["#x0007"]),
        (CONFIG.replace("class\n", '"\\U00110000"\n').encode(), "bad.yaml:3:", ["not YAML", "too large"]),
        (CONFIG.replace("class\n", '"\\UAAAAAAAA"\n').encode(), "bad.yaml:3:", ["not YAML", "too large"]),
        (f"%YAML {'1' * 5000}.1\n---\n{CONFIG}".encode(), "bad.yaml:1:", ["not YAML", "version", "too large"]),
    ],
    ids=["utf-16", "utf-16-be", "utf-32", "latin-1", "nul", "bell", "no character", "no integer", "version"],
)
def test_other_encodings(content, start, words):
    Path("bad.yaml").write_bytes(content)
    (line,) = refused("train", "bad.yaml")
    assert line.startswith(start), line
    for word in words:
        assert word in line


@pytest.mark.parametrize("second", [CONFIG, "", "a: 1\n"], ids=["same", "empty", "other"])
def test_two_documents(second):
    Path("bad.yaml").write_text(f"{CONFIG}---\n{second}")
    (line,) = refused("train", "bad.yaml")
    assert line.startswith("bad.yaml:11:1: ")
    assert "expected a single document" in line


def test_one_document_between_its_marks():
    Path("marked.yaml").write_text(f"---\n{CONFIG}...\n")
    assert CliRunner().invoke(cli, ["summary", "marked.yaml"]).exit_code == 0


# What does not fit the disk, the machine or the table


def test_data_paths_are_relative_to_the_config(tmp_path, monkeypatch):
    Path("project/configs").mkdir(parents=True)
    shutil.move("toy.csv", "project/table.csv")
    write_config(("toy.csv", "../table.csv"), name="project/configs/good.yaml")
    done = CliRunner().invoke(cli, ["train", "project/configs/good.yaml", "--no-plot", "--out", "made/run"])
    assert done.exit_code == 0, done.output
    assert "data: project/table.csv: " in done.stderr
    assert "path: ../../project/table.csv\n" in Path("made/run/config.yaml").read_text()
    monkeypatch.chdir(tmp_path / "made")
    assert CliRunner().invoke(cli, ["evaluate", "run"]).exit_code == 0


def test_a_missing_table_says_what_its_path_is_relative_to():
    Path("configs").mkdir()
    write_config(name="configs/bad.yaml")
    (line,) = refused("train", "configs/bad.yaml", exit_code=3)
    assert "configs/toy.csv: No such file or directory" in line
    assert "configs/bad.yaml" in line or "data.path" in line


def test_home_is_expanded_and_variables_are_not(tmp_path, monkeypatch):
    (tmp_path / "home").mkdir()
    shutil.move("toy.csv", "home/toy.csv")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    write_config(("toy.csv", "~/toy.csv"))
    assert CliRunner().invoke(cli, ["summary", "bad.yaml"]).exit_code == 0
    write_config(("toy.csv", "$HOME/toy.csv"))
    (line,) = refused("train", "bad.yaml", exit_code=3)
    assert "$HOME/toy.csv" in line


@pytest.mark.parametrize(
    ("value", "exit_code", "place", "words"),
    [
        ("''", 2, "2:3: data.path", ["not empty"]),
        ("null", 2, "2:3: data.path", ["expected text", "null"]),
        ("3", 2, "2:3: data.path", ["expected text", "got 3"]),
        ('"a\\0b.csv"', 2, "2:3: data.path", ["NUL"]),
        ("~nobody-of-this-name/toy.csv", 2, "2:3: data.path", ["~nobody-of-this-name"]),
        ("gone.csv", 3, None, ["gone.csv: No such file"]),
        (".", 3, None, ["is a directory", "expected a"]),
        ("x" * 5000, 3, "2:3: data.path", ["xxx ... xxx", "too long"]),
        ('"\\e[31m.csv"', 3, "2:3: data.path", ["\\x1b[31m.csv: No such file"]),
        ('"\\ud800.csv"', 2, "2:21", ["an escape that is no character"]),
        ('"\\ud83d\\ude00.csv"', 2, "2:27", ["an escape that is no character"]),  # as JSON writes it
    ],
)
def test_data_paths(value, exit_code, place, words):
    check_refused("toy.csv", value, place, words, exit_code)


def test_a_table_cannot_come_from_standard_input():  # a run could not read it again
    write_config(("toy.csv", "'-'"))
    (line,) = refused("train", "bad.yaml", stdin=Path("toy.csv").read_text())
    assert "data.path" in line
    assert "'-'" in line


@pytest.mark.parametrize("out", ["toy.csv", "bad.yaml", "link.csv"])
def test_a_run_directory_that_is_a_file(out):
    Path("link.csv").symlink_to("toy.csv")
    write_config()
    (line,) = refused("train", "bad.yaml", "--out", out)
    assert f"--out {out}: " in line
    assert "is a file" in line


def test_a_run_directory_that_holds_the_data():
    write_config()
    (line,) = refused("train", "bad.yaml", "--out", ".")
    assert "not empty" in line


@pytest.mark.parametrize("out", ["toy.csv", "./toy.csv", "link.csv", "hard.csv"])
def test_answers_do_not_overwrite_their_questions(out):
    trained()
    Path("link.csv").symlink_to("toy.csv")
    Path("hard.csv").hardlink_to("toy.csv")
    (line,) = refused("predict", "good", "toy.csv", "--out", out)
    assert f"--out {Path(out)}: " in line
    assert "choose another file" in line


@pytest.mark.parametrize(
    ("old", "value", "words"),
    [
        ("activation: tanh", "tanh, initialization: {uniform: 1" + "0" * 400 + "}", ["8:36: ", "{uniform: 1000"]),
        ("learning_rate: 0.1", "9" * 900, ["9:24: optimizer.learning_rate: ", "999..."]),
        ("epochs: 2", "9" * 1001, ["10:20: ", "1001 digits"]),
        ("epochs: 2", "9" * 100_000, ["10:20: ", "100000 digits"]),
        ("epochs: 2", "0x" + "f" * 5000, ["10:"]),
        ("epochs: 2", "0o" + "7" * 5000, ["10:"]),
    ],
    ids=["scale", "float", "1001 digits", "many digits", "hexadecimal", "octal"],
)
def test_numbers_beyond_any_range(old, value, words):
    write_config((old, f"{old.split()[0]} {value}"))
    (line,) = refused("train", "bad.yaml")
    assert line.startswith("bad.yaml:")
    assert len(line) < 300
    assert "expected a number" not in line  # it is one
    for word in words:
        assert word in line, line


@pytest.mark.parametrize("command", ["train", "summary"])
def test_other_columns_than_the_config_says(command):
    write_config(("network:", "network:\n  inputs: 5"))
    (line,) = refused(command, "bad.yaml")
    assert re.match(r"bad\.yaml:7:3: network\.inputs: ", line), line
    for word in ("5", "toy.csv", "2 input columns"):
        assert word in line


def test_as_many_columns_as_the_config_says():
    trained(("network:", "network:\n  inputs: 2"))
