"""The command line as a person and a shell meet it: what each command prints where, its exit code, what it leaves.

61 to 64 are wrong arguments, contradicting ones, a reader that goes away, and terminals of other kinds.
"""

import csv
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import mlp
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
optimizer: {name: sgd, learning_rate: 0.3}
training: {epochs: 3, batch_size: 4, seed: 0}
"""
MLP = [sys.executable, "-c", "from mlp.cli.commands import main; main()"]
COMMANDS = ["train", "resume", "evaluate", "predict", "plot", "summary"]
RUN_FILES = [".lock", "config.yaml", "last.npz", "loss.png", "metrics.csv", "model.npz", "run.json"]
NO_UTF_8 = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
posix = pytest.mark.skipif(os.name != "posix", reason="needs a POSIX shell")


def rows_of(labels, n=24):
    """Rows of x1, x2 and one of the labels, which x1 tells apart."""
    return [[str(i % len(labels) + i * 7 % n / 100), str(i * 5 % n), labels[i % len(labels)]] for i in range(n)]


def write_csv(path, rows):
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)


def read_csv(content):
    header, *rows = csv.reader(io.StringIO(content.decode("utf-8"), newline=""))
    return header, rows


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A working directory with a table of two classes and a config for it."""
    monkeypatch.chdir(tmp_path)
    write_csv("toy.csv", [["x1", "x2", "class"], *rows_of(["ant", "bee"])])
    Path("toy.yaml").write_text(CONFIG)
    return tmp_path


def run(*args, stdin=None):
    """A command in this process."""
    return CliRunner().invoke(cli, args, prog_name="mlp", input=stdin)


def succeed(*args, stdin=None):
    done = run(*args, stdin=stdin)
    assert done.exit_code == 0, done.output
    return done


def process(*args, env=None, **options):
    """A command in a process of its own."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL} | options
    return subprocess.run([*MLP, *args], env={**os.environ, **(env or {})}, timeout=60, **streams)


def listing():
    """Everything in the working directory, with what would show a change."""
    paths = {path: path.lstat() for path in Path().rglob("*") if path.name != ".lock"}  # filelock may touch that
    return {path: (found.st_mode, found.st_size, found.st_mtime_ns) for path, found in paths.items()}


def refused(*args, exit_code, stdin=None):
    """Run a command that must fail with one line on stderr and nothing else; returns the line."""
    before = listing()
    done = run(*args, stdin=stdin)
    assert done.exit_code == exit_code, done.output
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert listing() == before
    (line,) = done.stderr.splitlines()
    return line


@pytest.fixture
def trained():
    succeed("train", "toy.yaml", "--no-plot", "--quiet")
    return "runs/toy"


# 61: usage


def test_no_arguments_show_the_help():  # 61
    done = run()
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.startswith("Usage: mlp ")
    for command in COMMANDS:
        assert f"\n  {command} " in done.stderr


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help(flag):  # 61
    done = succeed(flag)
    assert done.stderr == ""
    assert done.stdout.startswith("Usage: mlp ")
    for command in COMMANDS:
        assert f"\n  {command} " in done.stdout
    for code in ("0 done", "1 unexpected", "2 usage or config", "3 data or model file", "4\n", "diverged", "130"):
        assert code in done.stdout


@pytest.mark.parametrize("flag", ["-h", "--help"])
@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command(command, flag):  # 61
    done = succeed(command, flag)
    assert done.stderr == ""
    assert done.stdout.startswith(f"Usage: mlp {command} ")


def test_version():  # 61
    done = succeed("--version")
    assert done.stdout.split()[-1] == mlp.__version__
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["trian"], ["No such command", "'trian'"]),  # 61
        (["nothing"], ["No such command", "'nothing'"]),  # 61
        (["--nothing"], ["No such option", "--nothing"]),  # 61
        (["train", "toy.yaml", "--epochs", "5"], ["No such option", "--epochs"]),  # 61
        (["train", "toy.yaml", "--quite"], ["No such option", "--quite", "--quiet"]),  # 61
        (["train"], ["Missing argument 'CONFIG'"]),  # 61
        (["resume"], ["Missing argument 'RUN'"]),  # 61
        (["evaluate"], ["Missing argument 'RUN'"]),  # 61
        (["predict", "runs/toy"], ["Missing argument 'DATA'"]),  # 61
        (["plot"], ["Missing argument 'RUNS...'"]),  # 61
        (["summary"], ["Missing argument 'TABLE|CONFIG|RUN'"]),  # 61
        (["train", "toy.yaml", "other.yaml"], ["unexpected extra argument", "other.yaml"]),  # 61
        (["evaluate", "runs/toy", "--split", "tset"], ["'--split'", "'tset'", "'train', 'valid', 'test'"]),  # 61
    ],
)
def test_wrong_arguments(args, words):
    before = listing()
    done = run(*args)
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.startswith("Usage: mlp ")
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    for word in words:
        assert word in line, line
    assert listing() == before


def test_a_flag_without_its_value():  # 61
    assert "'--set' requires an argument" in refused("train", "toy.yaml", "--set", exit_code=2)


@pytest.mark.parametrize("args", [["--help"], ["train", "--help"], []])
def test_help_is_quick(args):
    """It loads neither matplotlib nor pydantic nor yaml."""
    code = (
        "import sys\n"
        "from mlp.cli.commands import main\n"
        "try:\n"
        "    main()\n"
        "finally:\n"
        "    print('loaded:', *sorted({'matplotlib', 'pydantic', 'yaml'} & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, *args], capture_output=True, text=True, timeout=60)
    assert done.stderr.splitlines()[-1] == "loaded:"
    assert "mlp" in done.stdout + done.stderr


# 62: contradictions, and what --set replaces


def test_a_split_of_another_table(trained):  # 62
    line = refused("evaluate", trained, "toy.csv", "--split", "test", exit_code=2)
    assert "--split" in line
    assert "DATA" in line


def test_the_last_of_plot_and_no_plot_wins():  # 62
    succeed("train", "toy.yaml", "--plot", "--no-plot")
    assert not Path("runs/toy/loss.png").exists()
    succeed("resume", "runs/toy", "--no-plot", "--plot", "--set", "training.epochs=4")
    assert Path("runs/toy/loss.png").exists()


def test_set_overrides_the_config_and_says_so():  # 62
    overrides = ["--set", "training.epochs=2", "--set", "network.layers.0.units=7", "--set", "training.epochs=1"]
    done = succeed("train", "toy.yaml", "--no-plot", *overrides)
    notes = [line for line in done.stderr.splitlines() if "--set" in line]
    assert len(notes) == 3
    for note, words in zip(notes, [("epochs", "2", "3"), ("units", "7", "4"), ("epochs", "1", "2")], strict=True):
        for word in words:  # the key, what it is now, what it was
            assert word in note
    config = Path("runs/toy/config.yaml").read_text()
    assert "epochs: 1\n" in config
    assert "units: 7\n" in config
    assert "the last one wins" in " ".join(succeed("train", "--help").stdout.split())


def test_set_makes_a_section_that_the_config_leaves_out():  # 62
    done = succeed("summary", "toy.yaml", "--set", "training.early_stopping.patience=2")
    assert "training.early_stopping.patience = 2 by --set (before: not set)" in done.output


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("training.epochs", ["expected key=value", "training.epochs=5"]),  # 62
        ("=5", ["expected key=value"]),  # 62
        ("training..epochs=5", ["expected key=value"]),  # 62
        ("training.epoch=5", ["training.epoch: ", "unknown key", "did you mean 'epochs'?"]),  # 62
        ("training.epochs=ten", ["training.epochs: ", "whole number", "'ten'"]),  # 62
        ("training.epochs=", ["training.epochs: ", "whole number", "null"]),  # 62
        ("training.epochs=1=2", ["training.epochs: ", "whole number", "'1=2'"]),  # 62
        ("training.epochs=[1", ["training.epochs=[1", "not YAML"]),  # 62
        ("training.epochs=!!int 1", ["tags are not allowed"]),  # 62
        ("network.layers.5.units=3", ["network.layers", "list of 1", "'5'"]),  # 62
        ("network.layers.first.units=3", ["network.layers", "list of 1", "'first'"]),  # 62
        ("task.name=3", ["task is 'classification'", "not a mapping"]),  # 62
    ],
)
def test_wrong_overrides(override, words):
    line = refused("train", "toy.yaml", "--set", override, exit_code=2)
    assert line.startswith("--set "), line
    for word in words:
        assert word in line, line


# 63: a reader that goes away


@posix
@pytest.mark.parametrize("args", [["predict", "toy", "big.csv"], ["--help"]], ids=" ".join)
def test_head_reads_one_line(args):  # 63
    succeed("train", "toy.yaml", "--no-plot", "--quiet", "--out", "toy")
    write_csv("big.csv", [["x1", "x2"], *[["0.5", "1"]] * 20_000])  # its answers are more than a pipe holds
    script = '{ "$@"; echo "exit $?" >&2; } | head -1'
    done = subprocess.run(["sh", "-c", script, "sh", *MLP, *args], capture_output=True, text=True, timeout=60)
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr in ("exit 0\n", "exit 141\n")


@posix
@pytest.mark.parametrize(
    "args",
    [
        ["train", "toy.yaml", "--no-plot", "--quiet", "--out", "new"],
        ["evaluate", "toy"],
        ["predict", "toy", "toy.csv"],
        ["summary", "toy.yaml"],
        ["--help"],
        ["--version"],
    ],
    ids=" ".join,
)
def test_nobody_reads(args):  # 63
    succeed("train", "toy.yaml", "--no-plot", "--quiet", "--out", "toy")
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = process(*args, stdout=writing)
    finally:
        os.close(writing)
    assert done.returncode in (0, 141), done.stderr.decode()
    assert done.stderr == b""
    for name in ("new", "toy"):
        if Path(name).exists():
            assert json.loads(Path(name, "run.json").read_text())["status"] == "finished"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("args", [["summary", "toy.yaml"], ["--help"]], ids=" ".join)
def test_a_full_disk_under_stdout(args):  # 63
    with open("/dev/full", "w") as full:
        done = process(*args, stdout=full)
    assert done.returncode == 1
    (line,) = done.stderr.decode().splitlines()
    assert "No space left on device" in line


# 64: terminals of other kinds


@pytest.mark.parametrize(
    "env",
    [{"LANG": "C", "LC_ALL": "C"}, NO_UTF_8, {"PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "latin-1"}],
    ids=["LC_ALL=C", "no UTF-8", "ascii", "latin-1"],
)
def test_other_encodings(env):  # 64
    write_csv("toy.csv", [["x1", "größe", "κλάση"], *rows_of(["süß", "日本", "😀"])])
    Path("toy.yaml").write_text(CONFIG.replace("class\n", "κλάση\n"), "utf-8")
    done = process("train", "toy.yaml", "--no-plot", env=env)
    assert done.returncode == 0, done.stderr
    assert b"3/3" in done.stderr
    done = process("evaluate", "runs/toy", env=env)
    assert done.returncode == 0, done.stderr
    assert b"accuracy" in done.stdout


def test_what_programs_read_does_not_depend_on_the_terminal():  # 64
    """CSV is UTF-8 as the tables are; JSON too (RFC 8259, sec. 8.1), or ASCII with escapes."""
    write_csv("toy.csv", [["x1", "x2", "class"], *rows_of(["süß", "日本", "😀"])])
    succeed("train", "toy.yaml", "--no-plot", "--quiet")
    done = process("predict", "runs/toy", "toy.csv", env={"PYTHONIOENCODING": "latin-1"})
    assert done.returncode == 0, done.stderr
    assert read_csv(done.stdout)[0] == ["class", "probability_süß", "probability_日本", "probability_😀"]
    done = process("evaluate", "runs/toy", "--json", env={"PYTHONIOENCODING": "latin-1"})
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["confusion"]["class"]["labels"] == ["süß", "日本", "😀"]


def test_arguments_in_another_encoding():  # 64
    write_csv("toy.csv", [["x1", "x2", "größe"], *rows_of(["ant", "bee"])])
    done = process("train", "toy.yaml", "--no-plot", "-q", "--set", "data.target=größe".encode(), env=NO_UTF_8)
    assert done.returncode == 0, done.stderr
    assert "größe" in Path("runs/toy/config.yaml").read_text("utf-8")


@posix
def test_a_folder_whose_name_is_not_utf_8():  # 64
    name = b"caf\xe9"
    try:
        os.mkdir(name)
    except OSError:
        pytest.skip("this file system has no such names")
    done = process("train", "toy.yaml", "--no-plot", "--out", name)
    assert done.returncode == 0, done.stderr
    assert sorted(os.listdir(name)) == [file.encode() for file in RUN_FILES if file != "loss.png"]
    assert process("evaluate", name).returncode == 0


def test_no_progress_bar_without_a_terminal():  # 64
    done = process("train", "toy.yaml", "--no-plot")
    assert done.returncode == 0
    for garbage in (b"\r", b"\x1b", b"\b", b"##", b"%"):
        assert garbage not in done.stderr.replace(os.linesep.encode(), b"\n")
    epochs = [line for line in done.stderr.decode().splitlines() if line.startswith("epoch ")]
    assert [line.split()[1] for line in epochs] == ["1/3", "2/3", "3/3"]


def in_terminal(*args, columns=80, stdout_too=False, env=None):
    """Run with stderr (and stdout) on a pseudo-terminal; returns the exit code, stdout and what the terminal got."""
    pty = pytest.importorskip("pty")
    termios = pytest.importorskip("termios")
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    environment = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "NO_COLOR")} | (env or {})
    stdout = theirs if stdout_too else subprocess.PIPE
    child = subprocess.Popen([*MLP, *args], stdin=theirs, stdout=stdout, stderr=theirs, env=environment)
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # how Linux says that the other side is closed
            break
        if not part:
            break
        shown += part
    os.close(ours)
    results = b"" if child.stdout is None else child.stdout.read()
    if child.stdout is not None:
        child.stdout.close()
    return child.wait(timeout=60), results.decode(), shown.decode()


def test_a_progress_bar_in_a_terminal():  # 64
    code, stdout, shown = in_terminal("train", "toy.yaml", "--no-plot")
    assert code == 0
    assert "\x1b" not in stdout
    assert "\r" not in stdout
    assert stdout.startswith("best epoch")
    frames = shown.split("\r")
    assert any("#" in frame and "1/3" in frame and "train" in frame for frame in frames)
    assert any("3/3" in frame and "valid" in frame for frame in frames)
    assert "\nepoch 1/3" not in shown  # the bar instead of a line an epoch


def test_no_progress_bar_when_quiet():  # 64
    assert in_terminal("train", "toy.yaml", "--no-plot", "--quiet")[2] == ""


@pytest.mark.parametrize("columns", [80, 50])
def test_the_progress_bar_fits_its_line(columns):  # 64
    """A longer line wraps, and every epoch then leaves one more line of rubbish."""
    args = ["train", "toy.yaml", "--no-plot"]
    code, _, shown = in_terminal(*args, columns=columns, stdout_too=True, env={"NO_COLOR": "1"})
    assert code == 0
    assert not re.search(r"\x1b\[[0-9;]*m", shown)  # no colour
    bar = shown[shown.index("BLAS: ") :].partition("\n")[2].partition("best epoch")[0]
    frames = re.split(r"[\r\n]+", re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", bar))
    assert any("3/3" in frame for frame in frames)
    assert max(map(len, frames)) <= columns


@posix
def test_stderr_is_closed():  # 64, as under some daemons
    script = 'exec "$@" 2>&-'
    done = subprocess.run(["sh", "-c", script, "sh", *MLP, "train", "toy.yaml"], stdout=subprocess.PIPE, timeout=60)
    assert done.returncode == 0
    assert done.stdout.startswith(b"best epoch")
    assert sorted(os.listdir("runs/toy")) == RUN_FILES


@posix
@pytest.mark.parametrize("args", [["train", "-"], ["predict", "runs/toy", "-"]], ids=" ".join)
def test_stdin_is_closed(args, trained):  # 64, as under some daemons
    before = listing()
    script = 'exec "$@" <&-'
    done = subprocess.run(["sh", "-c", script, "sh", *MLP, *args], capture_output=True, text=True, timeout=60)
    assert done.returncode == (2 if args[0] == "train" else 3), done.stderr
    (line,) = done.stderr.splitlines()
    assert "standard input" in line
    assert listing() == before


# train and resume


def test_train_prints_results_on_stdout_and_messages_on_stderr():
    done = succeed("train", "toy.yaml")
    assert sorted(os.listdir("runs/toy")) == RUN_FILES
    first, header, *scores = done.stdout.splitlines()
    assert re.fullmatch(
        r"best epoch \d of 3 \(validation loss [\d.e-]+\); its model: runs/toy/model\.npz", first.replace("\\", "/")
    )
    assert header.split() == ["loss", "accuracy"]
    assert [row.split()[0] for row in scores] == ["train", "valid", "test"]
    for word in ("toy.csv: 24 rows", "2 input columns", "target class", "22 parameters", "seed 0", "epoch 3/3"):
        assert word in done.stderr
        assert word not in done.stdout
    assert "mlp evaluate runs/toy" in done.stderr.splitlines()[-1].replace("\\", "/")


def test_a_run_is_never_overwritten():
    for _ in range(3):
        succeed("train", "toy.yaml", "--no-plot", "-q")
    assert sorted(os.listdir("runs")) == ["toy", "toy-2", "toy-3"]
    line = refused("train", "toy.yaml", "--out", "runs/toy", exit_code=2)
    assert "--out runs/toy: " in line.replace("\\", "/")
    assert "not empty" in line


@pytest.mark.parametrize("flag", ["-q", "--quiet"])
def test_quiet_prints_the_result_and_nothing_else(flag):
    loud = succeed("train", "toy.yaml", "--no-plot", "--out", "loud").stdout
    quiet = succeed("train", "toy.yaml", "--no-plot", "--out", "quiet", flag, "--set", "training.seed=0")
    assert quiet.stderr == ""
    assert quiet.stdout == loud.replace("loud", "quiet")


def test_a_config_from_standard_input():
    succeed("train", "-", "--no-plot", stdin=CONFIG)
    assert "path: ../../toy.csv\n" in Path("runs/stdin/config.yaml").read_text()
    assert succeed("summary", "-", stdin=CONFIG).stdout == succeed("summary", "toy.yaml").stdout


def test_a_missing_table_is_a_data_error():
    line = refused("train", "toy.yaml", "--set", "data.path=gone.csv", exit_code=3)
    assert "gone.csv: No such file" in line


def test_divergence_has_its_own_exit_code():
    config = CONFIG.replace("classification", "regression").replace("target: class", "target: x2\n  inputs: [x1]")
    Path("toy.yaml").write_text(config)
    args = ["train", "toy.yaml", "--no-plot", "--quiet"]
    done = run(*args, "--set", "optimizer.learning_rate=1e20", "--set", "training.epochs=50")
    assert done.exit_code == 4
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("diverged: epoch ")
    assert "learning_rate" in line
    assert json.loads(Path("runs/toy/run.json").read_text())["status"] == "diverged"


def test_an_unexpected_error_is_one_line_and_debug_shows_where(monkeypatch):
    def fail(experiment):
        raise RuntimeError("the sky fell")

    monkeypatch.setattr("mlp.cli.report.describe_data", fail)
    line = refused("summary", "toy.yaml", exit_code=1)
    assert "the sky fell" in line
    assert "--debug" in line
    with pytest.raises(RuntimeError, match="the sky fell"):
        CliRunner().invoke(cli, ["--debug", "summary", "toy.yaml"], catch_exceptions=False)


@posix
def test_control_c_says_how_to_go_on():
    many = [*MLP, "train", "toy.yaml", "--no-plot", "--set", "training.epochs=1000000"]
    with subprocess.Popen(many, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        while not child.stderr.readline().startswith("epoch 3/"):
            assert child.poll() is None
        child.send_signal(signal.SIGINT)
        stdout, stderr = child.communicate(timeout=60)
    assert child.returncode == 130
    assert stdout == ""
    assert "Traceback" not in stderr
    assert re.search(
        r"^interrupted (in epoch \d+, after minibatch [123]|after epoch \d+); to go on: mlp resume runs/toy$",
        stderr,
        re.MULTILINE,
    )
    assert json.loads(Path("runs/toy/run.json").read_text())["status"] == "interrupted"


def test_a_resumed_run_is_the_run_that_was_not_interrupted():
    succeed("train", "toy.yaml", "--no-plot", "-q", "--out", "whole", "--set", "training.epochs=5")
    succeed("train", "toy.yaml", "--no-plot", "-q", "--out", "part")
    done = succeed("resume", "part", "--set", "training.epochs=5")
    assert "best epoch" in done.stdout
    assert "training.epochs = 5 by --set (before: 3)" in done.stderr
    assert [line.split()[1] for line in done.stderr.splitlines() if line.startswith("epoch ")] == ["4/5", "5/5"]
    assert Path("part/loss.png").exists()
    answers = [succeed("predict", name, "toy.csv").stdout for name in ("whole", "part")]
    assert answers[0] == answers[1]
    losses = [
        [row[:4] for row in csv.reader(Path(name, "metrics.csv").read_text().splitlines())]
        for name in ("whole", "part")
    ]
    assert losses[0] == losses[1]
    assert len(losses[0]) == 6


def test_a_finished_run_has_nothing_to_resume(trained):
    before = listing()
    done = succeed("resume", trained)
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    for word in ("runs/toy", "nothing to do", "all 3 epochs are done", "--set training.epochs="):
        assert word in line
    assert listing() == before


@pytest.mark.parametrize(
    ("args", "exit_code", "words"),
    [
        (["runs/toy", "--set", "training.batch_size=2"], 2, ["training.batch_size=2", "only change training.epochs"]),
        (["runs/toy", "--set", "training.epochs=2"], 2, ["training.epochs", "3 epochs are done", "2"]),
        (["runs/toy", "--set", "training.epochs=two"], 2, ["training.epochs", "whole number", "'two'"]),
        (["runs/gone"], 3, ["runs/gone: ", "not a run directory", "No such file"]),
        (["runs"], 3, ["runs: ", "not a run directory"]),
        (["toy.yaml"], 3, ["toy.yaml: ", "not a run directory"]),
    ],
)
def test_what_cannot_be_resumed(args, exit_code, words, trained):
    line = refused("resume", *args, exit_code=exit_code).replace("\\", "/")
    for word in words:
        assert word in line, line


# evaluate


def test_evaluate(trained):
    done = succeed("evaluate", trained)
    assert done.stderr == ""
    assert done.stdout.startswith("runs/toy, epoch ")
    assert "6 rows of test" in done.stdout
    for word in ("loss", "accuracy", "class: true \\ predicted", "ant", "bee"):
        assert word in done.stdout


@pytest.mark.parametrize(("args", "split", "rows"), [([], "test", 6), (["--split", "train"], "train", 12)])
def test_evaluate_json(args, split, rows, trained):
    done = succeed("evaluate", trained, "--json", *args)
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1
    found = json.loads(done.stdout)
    assert (found["split"], found["rows"], found["data"]) == (split, rows, None)
    assert found["confusion"]["class"]["labels"] == ["ant", "bee"]
    counts = found["confusion"]["class"]["counts"]
    assert sum(map(sum, counts)) == rows
    assert found["accuracy"] == pytest.approx((counts[0][0] + counts[1][1]) / rows)
    assert found["loss"] == pytest.approx(json.loads(Path(trained, "run.json").read_text())["scores"][split]["loss"])


def test_json_has_null_for_what_is_no_number():
    """One row has no R squared."""
    config = CONFIG.replace("classification", "regression").replace("target: class", "target: x2\n  inputs: [x1]")
    succeed("train", "-", "--no-plot", "-q", stdin=config)

    def forbidden(name):
        raise AssertionError(f"{name} is not JSON")

    done = succeed("evaluate", "runs/stdin", "-", "--json", stdin="x1,x2\n1,2\n")
    assert json.loads(done.stdout, parse_constant=forbidden)["r2"] is None


def test_evaluate_another_table(trained):
    """Columns in another order, one more, and rows whose score is known."""
    header, rows = read_csv(succeed("predict", trained, "toy.csv").stdout_bytes)
    inputs = rows_of(["ant", "bee"])
    table = [[x2, "-", row[0], x1] for (x1, x2, _), row in zip(inputs, rows, strict=True)]
    table[0][2] = {"ant": "bee", "bee": "ant"}[table[0][2]]
    write_csv("other.csv", [["x2", "remark", header[0], "x1"], *table])
    found = json.loads(succeed("evaluate", trained, "other.csv", "--json").stdout)
    assert (found["data"], found["split"], found["rows"]) == ("other.csv", None, 24)
    assert found["accuracy"] == pytest.approx(23 / 24)
    text = Path("other.csv").read_text()
    piped = json.loads(succeed("evaluate", trained, "-", "--json", stdin=text).stdout)
    assert {**piped, "data": "other.csv"} == found
    moved = shutil.copy(f"{trained}/model.npz", "model.npz")
    alone = json.loads(succeed("evaluate", moved, "other.csv", "--json").stdout)
    assert {**alone, "model": found["model"]} == found


@pytest.mark.parametrize(
    ("args", "exit_code", "words"),
    [
        (["runs/toy/model.npz"], 2, ["runs/toy/model.npz", "name a table"]),
        (["runs/gone"], 3, ["runs/gone: No such file"]),
        (["toy.csv"], 3, ["toy.csv: ", "not an mlp model"]),
        (["runs/toy", "gone.csv"], 3, ["gone.csv: No such file"]),
        (["runs/toy", "."], 3, ["is a directory"]),
        (["runs/toy", "no_target.csv"], 3, ["no_target.csv: ", "'class'", "target", "'x1', 'x2'"]),
        (["runs/toy", "no_input.csv"], 3, ["no_input.csv: ", "'x2'", "input"]),
        (["runs/toy", "unknown.csv"], 3, ["unknown.csv", "'class'", "'cat'", "'ant', 'bee'"]),
        (["runs/toy", "-"], 3, ["standard input: ", "empty"]),
    ],
)
def test_what_cannot_be_evaluated(args, exit_code, words, trained):
    Path("no_target.csv").write_text("x1,x2\n1,2\n")
    Path("no_input.csv").write_text("x1,class\n1,ant\n")
    Path("unknown.csv").write_text("x1,x2,class\n1,2,cat\n")
    line = refused("evaluate", *args, exit_code=exit_code).replace("\\", "/")
    for word in words:
        assert word in line, line


def test_a_split_that_the_run_does_not_have():
    succeed("train", "toy.yaml", "--no-plot", "-q", "--set", "data.split.valid=0")
    line = refused("evaluate", "runs/toy", "--split", "valid", exit_code=2)
    assert "--split valid" in line
    assert "train, test" in line


# predict


def test_predict_needs_no_target(trained):
    done = succeed("predict", trained, "toy.csv")
    assert done.stderr == ""
    header, rows = read_csv(done.stdout_bytes)
    assert header == ["class", "probability_ant", "probability_bee"]
    assert len(rows) == 24
    for label, ant, bee in rows:
        assert float(ant) + float(bee) == pytest.approx(1)
        assert label == ("ant" if float(ant) > float(bee) else "bee")
    backwards = [[x2, x1] for x1, x2, _ in rows_of(["ant", "bee"])]
    write_csv("questions.csv", [["x2", "x1"], *backwards])
    assert succeed("predict", trained, "questions.csv").stdout_bytes == done.stdout_bytes
    assert succeed("predict", trained, "-", stdin=Path("toy.csv").read_text()).stdout_bytes == done.stdout_bytes
    assert succeed("predict", f"{trained}/model.npz", "toy.csv").stdout_bytes == done.stdout_bytes


def test_predict_into_a_file(trained):
    expected = succeed("predict", trained, "toy.csv").stdout_bytes
    Path("answers.csv").write_text("old")
    done = succeed("predict", trained, "toy.csv", "--out", "answers.csv")
    assert (done.stdout, done.stderr) == ("", "")
    assert Path("answers.csv").read_bytes() == expected


def test_a_dash_is_standard_output(trained):
    expected = succeed("predict", trained, "toy.csv").stdout_bytes
    assert succeed("predict", trained, "toy.csv", "--out", "-").stdout_bytes == expected
    assert not Path("-").exists()


@pytest.mark.parametrize(
    "labels",
    [
        ["ant, or bee", 'the "great" ant', "ant; bee", "#ant", "=1+1"],
        ["größe", "日本", "😀", "e\u0301", "naïve"],
        ["two\nlines", "carriage\r\nreturn", "tab\tinside", "back\\slash", "single'quote"],
        ["007", "010", "1", "-2", "+3"],
        ["yes", "no", "true", "1e", "none"],
    ],
    ids=["delimiters", "other scripts", "white space", "numbers", "yaml"],
)
def test_labels_come_back_as_they_were_written(labels):
    write_csv("toy.csv", [["x1", "x2", "class"], *rows_of(labels, n=50)])
    succeed("train", "toy.yaml", "--no-plot", "-q", "--set", "training.epochs=60")
    header, rows = read_csv(succeed("predict", "runs/toy", "toy.csv").stdout_bytes)
    assert header[0] == "class"
    assert {name.removeprefix("probability_") for name in header[1:]} == set(labels)
    answers = [row[0] for row in rows]
    assert len(set(answers)) > 1
    assert set(answers) <= set(labels)
    asked = [[x1, x2, answer] for (x1, x2, _), answer in zip(rows_of(labels, n=50), answers, strict=True)]
    write_csv("answered.csv", [["x1", "x2", "class"], *asked])
    assert json.loads(succeed("evaluate", "runs/toy", "answered.csv", "--json").stdout)["accuracy"] == 1


@pytest.mark.parametrize(
    ("args", "exit_code", "words"),
    [
        (["runs/toy", "gone.csv"], 3, ["gone.csv: No such file"]),
        (["runs/toy", "gone.csv", "--out", "old.csv"], 3, ["gone.csv: No such file"]),
        (["runs/gone", "toy.csv", "--out", "new.csv"], 3, ["runs/gone: No such file"]),
        (["runs/toy", "toy.csv", "--out", "none/new.csv"], 2, ["--out none/new.csv", "none"]),
        (["runs/toy", "no_input.csv", "--out", "old.csv"], 3, ["no_input.csv: ", "'x2'", "input"]),
        (["runs/toy", "text.csv", "--out", "old.csv"], 3, ["text.csv:2: ", "'x2'", "'two'"]),
    ],
)
def test_what_cannot_be_predicted(args, exit_code, words, trained):
    Path("old.csv").write_text("old")
    Path("no_input.csv").write_text("x1\n1\n")
    Path("text.csv").write_text("x1,x2\n1,two\n")
    line = refused("predict", *args, exit_code=exit_code).replace("\\", "/")
    for word in words:
        assert word in line, line


# plot and summary


def test_plot(trained):
    done = succeed("plot", trained)
    assert done.stdout.replace("\\", "/") == "runs/toy/loss.png\n"
    assert done.stderr == ""
    assert Path("runs/toy/loss.png").read_bytes().startswith(b"\x89PNG")
    succeed("train", "toy.yaml", "--no-plot", "-q", "--set", "network.layers=[]")
    assert succeed("plot", trained, "runs/toy-2").stdout == "comparison.png\n"
    assert Path("comparison.png").read_bytes().startswith(b"\x89PNG")
    assert succeed("plot", trained, "--log", "--out", "loss.svg").stdout == "loss.svg\n"
    assert b"<svg" in Path("loss.svg").read_bytes()


@pytest.mark.parametrize(
    ("args", "exit_code", "words"),
    [
        (["runs/gone"], 3, ["runs/gone: ", "not a run directory"]),
        (["runs/toy", "runs/gone"], 3, ["runs/gone: ", "not a run directory"]),
        (["toy.yaml"], 3, ["toy.yaml: ", "not a run directory"]),
        (["runs/toy", "--out", "loss.xyz"], 2, ["loss.xyz", ".png", ".svg"]),
        (["runs/toy", "--out", "toy.csv"], 2, ["toy.csv", ".png", ".svg"]),
        (["runs/toy", "--out", "none/loss.png"], 2, ["none/loss.png", "none"]),
    ],
)
def test_what_cannot_be_drawn(args, exit_code, words, trained):
    line = refused("plot", *args, exit_code=exit_code).replace("\\", "/")
    for word in words:
        assert word in line, line


def test_summary_writes_nothing(trained):
    before = listing()
    done = succeed("summary", "toy.yaml", "--set", "network.layers.0.units=8")
    assert done.stderr == ""
    for word in ("toy.csv: 24 rows", "8 x 2", "2 x 8", "tanh", "42 parameters", "softmax_cross_entropy", "by --set"):
        assert word in done.stdout
    done = succeed("summary", trained)
    assert done.stderr == ""
    for word in ("toy.csv: 24 rows", "22 parameters", "finished after 3 epochs", "best epoch", "accuracy"):
        assert word in done.stdout
    assert listing() == before


@pytest.mark.parametrize(
    ("source", "exit_code", "words"),
    [
        ("gone.yaml", 2, ["gone.yaml: No such file"]),
        ("runs", 3, ["runs: ", "not a run directory"]),
        ("gone.npy", 3, ["gone.npy: ", "No such file"]),
    ],
)
def test_what_has_no_summary(source, exit_code, words, trained):
    line = refused("summary", source, exit_code=exit_code)
    for word in words:
        assert word in line, line
