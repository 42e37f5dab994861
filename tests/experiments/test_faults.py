"""Faults of the machine, with real limits: full disks, directories that are read-only, deleted, moved or in use, too
little memory, a broken plot. Each is survived, or told in one line; what was saved stays good and goes on exactly.

65 to 68 are the numbers of the environment's items in the list of bad inputs that the project was checked against.
"""

import contextlib
import errno
import json
import os
import shutil
import stat
import subprocess
import time
from pathlib import Path

import numpy as np
import processes
import pytest
from click.testing import CliRunner
from small_runs import assert_same, outcome, write_problem

from mlp.cli.commands import cli
from mlp.experiments import run
from mlp.experiments.assemble import prepare
from mlp.experiments.config.load import load_config
from mlp.experiments.experiment import Experiment
from mlp.experiments.machine import environment
from mlp.experiments.model import load_model
from mlp.experiments.start import start_run
from mlp.experiments.storage.files import write_file
from mlp.experiments.storage.metrics_csv import MetricsFile
from mlp.experiments.storage.run_folder import locked

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs POSIX limits and permissions")

TRAIN = ["train", "small.yaml", "--no-plot", "--quiet", "--out"]
HELD = (  # after the first epoch, until the test lets go
    "while os.path.exists('hold') and os.path.exists('run/model.npz'): time.sleep(0.005)"
)
NO_PRIVILEGES = [
    "setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--inh-caps", "-dac_override,-dac_read_search"
]  # fmt: skip


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_problem(epochs=4)
    return tmp_path


@pytest.fixture
def whole():
    """The run that nothing happens to."""
    assert CliRunner().invoke(cli, [*TRAIN, "whole"]).exit_code == 0
    return Path("whole")


def files_of(folder):
    """Names and contents of everything below a directory."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def facts(folder):
    return json.loads(Path(folder, "run.json").read_text())


def refused(*argv, code, **changes):
    """A command that fails in one line; returns the line."""
    exit_code, stdout, stderr = processes.run(*argv, **changes)
    assert exit_code == code, stderr
    assert stdout == ""
    (line,) = stderr.splitlines()
    assert len(line) <= 450
    return line


@contextlib.contextmanager
def under_way(*argv):
    """A run that has a model, and goes on training when the file "hold" is removed or its directory is not there."""
    Path("hold").touch()
    process = processes.start(*argv, each_minibatch=HELD)
    try:
        while not Path("run/model.npz").exists():
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)
        yield process
    finally:
        process.kill()
        process.communicate()


def file_limit(size):
    """Every file of a process may have so many bytes, which ends a write like a full disk does."""
    return f"resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))"


# Full disks


@pytest.mark.parametrize(("size", "name"), [(100, "config.yaml"), (2000, "last.npz")])
def test_a_disk_that_is_full_when_a_run_starts(size, name):  # 65
    line = refused(*TRAIN, "new/run", code=1, before=file_limit(size))
    assert line.startswith(f"new/run/{name}: File too large")
    if name == "last.npz":
        assert line.endswith("; nothing of it is saved")
        assert sorted(os.listdir("new/run")) == [".lock", "config.yaml", "run.json"]
    else:
        assert not Path("new").exists()


def test_an_empty_directory_that_was_there_stays_when_the_disk_is_full():  # 65
    Path("new").mkdir()
    refused(*TRAIN, "new", code=1, before=file_limit(100))
    assert os.listdir("new") == []


def test_a_disk_that_is_full_in_the_middle_of_a_row(whole):  # 65, 67
    """metrics.csv has grown to the limit: the row is cut short, and the resume that has room writes it again."""
    write_problem(epochs=200)
    assert CliRunner().invoke(cli, [*TRAIN, "long"]).exit_code == 0
    limit = 13_000
    assert max(len(content) for name, content in files_of("long").items() if name != "metrics.csv") < limit
    assert Path("long/metrics.csv").stat().st_size > limit
    line = refused(*TRAIN, "run", code=1, before=file_limit(limit), pause=0.03)
    assert line == "run/metrics.csv: File too large; to go on: mlp resume run"
    assert Path("run/metrics.csv").stat().st_size == limit
    assert facts("run")["status"] == "failed"
    assert 0 < facts("run")["epochs_done"] < 200
    load_model("run")
    assert processes.run("resume", "run", "--no-plot", "--quiet")[0] == 0
    assert_same("long", "run")


@contextlib.contextmanager
def small_disk(size):
    """A file system of so many bytes, mounted at "disk"."""
    Path("disk").mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", "disk"], capture_output=True)
    if done.returncode:
        pytest.skip("this user may not mount a file system")
    try:
        yield Path("disk")
    finally:
        subprocess.run(["umount", "disk"], check=True)


def test_a_disk_that_fills_up(whole):  # 65, 67
    """A real file system without a free block: every file stays as it was, and the run goes on when there is room."""
    if shutil.which("mount") is None:
        pytest.skip("there is no mount here")
    assert processes.run(*TRAIN, "longer", "--set", "training.epochs=8")[0] == 0
    with small_disk(256 * 1024) as disk:
        shutil.copytree(whole, disk / "run")
        shutil.copy("table.csv", disk)
        Path("disk/run/config.yaml").write_text(Path("whole/config.yaml").read_text())
        with open(disk / "filler", "wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"x" * 4096)
        before = files_of(disk / "run")
        line = refused("resume", "disk/run", "--no-plot", "--quiet", "--set", "training.epochs=8", code=1)
        assert line.startswith("disk/run/")
        assert "No space left on device" in line
        assert files_of(disk / "run") == before
        refused("predict", "disk/run", "table.csv", "--out", "disk/answers.csv", code=1)
        assert files_of(disk / "run") == before
        assert not (disk / "answers.csv").exists()
        (disk / "filler").unlink()
        assert processes.run("resume", "disk/run", "--no-plot", "-q", "--set", "training.epochs=8")[0] == 0
        assert_same("longer", disk / "run")


# Directories that cannot be written to


@contextlib.contextmanager
def read_only(path):
    """A directory that nothing can be made in; as root, only for processes with the prefix that is yielded."""
    mode = path.stat().st_mode
    if os.access("/", os.W_OK) and shutil.which("setpriv") is None:
        pytest.skip("this user may write everywhere")
    os.chmod(path, 0o555)
    try:
        yield NO_PRIVILEGES if os.geteuid() == 0 else []
    finally:
        os.chmod(path, mode)


@pytest.mark.parametrize("arguments", [[], ["--out", "locked/run"], ["--out", "locked/a/b"]], ids=" ".join)
def test_a_place_that_is_read_only(folder, arguments):  # 65
    Path("locked").mkdir()
    with read_only(folder) as prefix, read_only(Path("locked")):
        line = refused("train", "small.yaml", "--no-plot", "--quiet", *arguments, code=2, prefix=prefix)
    assert "Permission denied" in line
    assert line.startswith("--out locked/" if arguments else "runs/small: ")
    assert "--out" in line or "choose another place" in line
    assert sorted(os.listdir()) == ["locked", "small.yaml", "table.csv"]
    assert os.listdir("locked") == []


def test_a_run_directory_that_is_read_only(whole):  # 65
    before = files_of(whole)
    with read_only(whole) as prefix:
        line = refused("resume", "whole", "--quiet", "--set", "training.epochs=6", code=1, prefix=prefix)
        assert line.startswith("whole/")
        assert "Permission denied" in line
        for command in (["evaluate", "whole"], ["predict", "whole", "table.csv"], ["summary", "whole"]):
            assert processes.run(*command, prefix=prefix)[0] == 0  # they write nothing
        assert processes.run("train", "--replay", "whole", "--quiet", prefix=prefix)[0] == 0
        line = refused("plot", "whole", code=1, prefix=prefix)
        assert line.startswith("whole/loss.png: Permission denied")
    assert files_of(whole) == before


@pytest.mark.parametrize("name", ["small.yaml", "small.yaml/run", "x" * 300])
def test_a_place_that_cannot_be_made(name):  # 65: a file, a path that is too long
    line = refused(*TRAIN, f"new/{name}" if name.startswith("x") else name, code=2)
    assert line.startswith("--out ")
    assert not Path("new").exists()
    assert sorted(os.listdir()) == ["small.yaml", "table.csv"]


@pytest.mark.parametrize(
    "arguments",
    [["train"], ["summary"], ["predict", "whole", "table.csv", "--out"], ["plot", "whole", "--out"]],
    ids=lambda arguments: arguments[0],
)
def test_a_path_that_is_too_long_is_usage(whole, arguments):  # 65
    line = refused(*arguments, "x" * 5000 + ".png", code=2)
    assert line.endswith("File name too long")


# Directories that go away


def test_a_directory_that_is_moved_while_a_run_writes_to_it(whole):  # 65
    with under_way(*TRAIN, "run") as process:
        os.rename("run", "moved")
        Path("hold").unlink()
        code, stdout, stderr = processes.finish(process)
    assert (code, stdout) == (1, "")
    (line,) = stderr.splitlines()
    assert line == "run: the run directory was deleted or moved while the run was writing to it; its files went with it"
    assert not Path("run").exists()
    assert processes.run("resume", "moved", "--no-plot", "--quiet")[0] == 0
    assert_same("whole", "moved")


def test_a_directory_that_is_deleted_while_a_run_writes_to_it():  # 65
    with under_way(*TRAIN, "run") as process:
        os.rename("run", "going")  # nobody can delete a directory into which files keep coming
        while Path("going").exists():
            shutil.rmtree("going", ignore_errors=True)
        Path("hold").unlink()
        code, _, stderr = processes.finish(process)
    assert code == 1
    assert "deleted or moved" in stderr
    assert sorted(os.listdir()) == ["small.yaml", "table.csv"]


def test_another_run_in_the_place_of_one_that_was_moved_is_not_touched(whole):  # 65
    with under_way(*TRAIN, "run") as process:
        os.rename("run", "moved")
        shutil.copytree("whole", "run")
        Path("hold").unlink()
        code, _, stderr = processes.finish(process)
    assert code == 1
    assert "deleted or moved" in stderr
    assert files_of("run") == files_of("whole")


def test_a_directory_that_cannot_be_flushed_is_let_be(monkeypatch):
    """As on some network file systems."""
    fsync = os.fsync

    def only_files(handle):
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", only_files)
    with start_run(prepare(load_config("small.yaml")), out=Path("run"), argv=[]) as started:
        list(started.epochs())
    assert facts("run")["status"] == "finished"


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks(monkeypatch, number):
    """A run works there and says so, and nobody claims to know whether another one does."""

    def no_locks(handle, how):
        raise OSError(number, os.strerror(number))

    fcntl = pytest.importorskip("fcntl")
    monkeypatch.setattr(fcntl, "flock", no_locks)
    with start_run(prepare(load_config("small.yaml")), out=Path("run"), argv=[]) as started:
        note = f"run: cannot be locked here ({os.strerror(number)}): let no second process write to it"
        assert started.experiment.notes[-1] == note
        assert locked(Path("run")) is None
        done = CliRunner().invoke(cli, ["summary", "run"])
        assert "running after 0 epochs" in done.stdout
        assert "killed" not in done.stdout
        list(started.epochs())
    assert facts("run")["status"] == "finished"
    assert note in CliRunner().invoke(cli, ["resume", "run", "--no-plot", "--set", "training.epochs=5"]).stderr


# Two processes


def test_a_second_process_in_a_run_directory_is_refused(whole):  # 66
    with under_way(*TRAIN, "run") as process:
        line = refused("resume", "run", code=2)
        assert line.startswith(f"run: process {process.pid} on ")
        assert "is writing to it" in line
        assert "not empty" in refused(*TRAIN, "run", code=2)
        for command in (["evaluate", "run"], ["predict", "run", "table.csv"], ["summary", "run"], ["plot", "run"]):
            assert processes.run(*command)[0] == 0  # reading is free
        Path("hold").unlink()
        code, _, _ = processes.finish(process)
    assert code == 0
    assert_same("whole", "run")


def test_two_processes_that_start_in_one_empty_directory(whole):  # 66
    """However it comes out, at least one is refused or finds the other's run, and what is there is one whole run."""
    for attempt in range(3):
        Path("run").mkdir()
        both = [processes.start(*TRAIN, "run") for _ in range(2)]
        ends = [processes.finish(process) for process in both]
        assert sorted(code for code, _, _ in ends) == [0, 2], ends
        assert_same("whole", "run")
        shutil.move("run", f"run-{attempt}")


def test_the_lock_of_a_killed_process_is_gone(whole):  # 66: no stale lock
    with under_way(*TRAIN, "run") as process:
        process.kill()
        process.communicate()
        Path("hold").unlink()
        assert processes.run("resume", "run", "--no-plot", "--quiet")[0] == 0
    assert_same("whole", "run")


# Files that are written


def test_what_a_kill_left_behind_is_swept(whole):  # 67
    own = {f".{name}.tmp" for name in ("last.npz", "model.npz", "run.json", "loss.png", "metrics.csv")}
    kept = {".notes.tmp", "last.npz.tmp"}
    for name in own | kept:
        Path("whole", name).touch()
    assert processes.run("resume", "whole", "--no-plot", "--quiet", "--set", "training.epochs=5")[0] == 0
    assert not own & set(os.listdir("whole"))
    assert kept <= set(os.listdir("whole"))


def test_the_temporary_file_of_answers_is_swept_too(whole):  # 67
    Path(".answers.csv.tmp").touch()
    assert processes.run("predict", "whole", "table.csv", "--out", "answers.csv")[0] == 0
    assert sorted(name for name in os.listdir() if "answers" in name) == ["answers.csv"]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666])
def test_modes_are_kept(whole, mode):
    for name in ("last.npz", "model.npz", "run.json", "config.yaml", "metrics.csv"):
        os.chmod(whole / name, mode)
    assert processes.run("resume", "whole", "--no-plot", "--quiet", "--set", "training.epochs=8")[0] == 0
    assert {stat.S_IMODE(path.stat().st_mode) for path in whole.iterdir() if path.name != ".lock"} == {mode}


def test_new_files_have_the_mode_that_the_umask_leaves(tmp_path):
    umask = os.umask(0o027)
    try:
        write_file(tmp_path / "new", b"content")
    finally:
        os.umask(umask)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640


def test_links_are_followed(tmp_path):
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    write_file(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


def test_what_is_no_file_is_written_to_and_not_replaced(tmp_path):
    """A pipe here; /dev/null too, which a rename by root would turn into a file."""
    os.mkfifo(tmp_path / "pipe")
    reading = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_file(tmp_path / "pipe", b"content")
        assert stat.S_ISFIFO(os.stat(tmp_path / "pipe").st_mode)
        assert os.read(reading, 100) == b"content"
    finally:
        os.close(reading)


def test_a_file_is_on_the_disk_before_it_has_its_name_and_its_name_is_after_that(tmp_path, monkeypatch):
    happened = []
    fsync, replace = os.fsync, os.replace

    def watched_fsync(handle):
        kind = "folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else f"{os.fstat(handle).st_size} bytes"
        happened.append(f"flush {kind}")
        fsync(handle)

    def watched_replace(source, target, **folders):
        happened.append(f"rename to {Path(target).name}")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(os, "replace", watched_replace)
    write_file(tmp_path / "file", b"12345")
    assert happened == ["flush 5 bytes", "rename to file", "flush folder"]


def test_a_checkpoint_is_never_ahead_of_what_it_stands_on(monkeypatch):
    """Rows and the model are on the disk before the state that says they are, or a power cut could lose them."""
    happened = []
    fsync, replace, append = os.fsync, os.replace, MetricsFile.append

    def watched_fsync(handle):
        if Path(os.readlink(f"/proc/self/fd/{handle}")).name == "metrics.csv":
            happened.append("flush rows")
        fsync(handle)

    def watched_replace(source, target, **folders):
        happened.append(Path(target).name)
        replace(source, target, **folders)

    def watched_append(self, record):
        happened.append("row")
        append(self, record)

    monkeypatch.setattr(run, "SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    monkeypatch.setattr(run, "SHARE_OF_CHECKPOINTS", np.inf)
    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(os, "replace", watched_replace)
    monkeypatch.setattr(MetricsFile, "append", watched_append)
    with start_run(prepare(load_config("small.yaml")), out=Path("run"), argv=[]) as started:
        list(started.epochs())
    rows = [i for i, what in enumerate(happened) if what == "row"]
    assert len(rows) == 4
    for i in rows:
        later = happened[i + 1 : i + 5]
        assert later[0] == "flush rows"
        assert later[1:] in (["model.npz", "last.npz", "run.json"], ["last.npz", "run.json", *later[3:]])


@pytest.mark.parametrize("what", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_file_and_names_it(tmp_path, monkeypatch, what):
    (tmp_path / "file").write_bytes(b"old")
    before = sorted(os.listdir(tmp_path))

    def fail(*arguments, **options):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, what, fail)
    with pytest.raises(OSError, match="Input/output error") as caught:
        write_file(tmp_path / "file", b"new")
    assert caught.value.filename == str(tmp_path / "file")
    monkeypatch.undo()
    assert (tmp_path / "file").read_bytes() == b"old"
    assert sorted(os.listdir(tmp_path)) == before


@pytest.mark.parametrize("name", ["x" * 255, "ü" * 127])
def test_a_name_that_leaves_no_room_for_a_longer_one(tmp_path, name):
    for content in (b"first", b"second"):
        write_file(tmp_path / name, content)
        assert (tmp_path / name).read_bytes() == content


@pytest.mark.parametrize("name", ["config.yaml", "run.json", "metrics.csv", "model.npz", "last.npz"])
def test_answers_do_not_overwrite_the_run(whole, name):
    before = files_of(whole)
    assert f"would overwrite whole/{name}" in refused("predict", "whole", "table.csv", "--out", f"whole/{name}", code=2)
    assert files_of(whole) == before


def test_scores_that_cannot_be_computed_are_a_run_that_failed(monkeypatch):
    def too_much(*arguments):
        raise MemoryError("too much")

    with monkeypatch.context() as patched:
        patched.setattr(Experiment, "scores", too_much)
        done = CliRunner().invoke(cli, [*TRAIN, "run"])
    assert done.exit_code == 1
    assert done.stderr.startswith("out of memory (too much)")
    assert facts("run")["status"] == "failed"
    ended = processes.run("resume", "run", "--no-plot", "--quiet")
    assert ended[0] == 0, ended


# The rest of the environment


def test_a_run_without_matplotlib_is_a_run_without_a_picture():  # 68
    Path("modules/matplotlib").mkdir(parents=True)
    Path("modules/matplotlib/__init__.py").write_text("raise ImportError('No module named matplotlib')")
    code, stdout, stderr = processes.run("train", "small.yaml", "--out", "run", env={"PYTHONPATH": "modules"})
    assert code == 0
    assert stdout.startswith("best epoch")
    assert "warning: loss.png was not drawn: No module named matplotlib" in stderr
    assert "loss.png" not in os.listdir("run")


def test_no_display_and_a_home_that_cannot_be_written_to():  # 68
    env = {"HOME": "/nonexistent", "MPLBACKEND": "TkAgg", "DISPLAY": ""}
    code, _, stderr = processes.run("train", "small.yaml", "--out", "run", "--quiet", env=env)
    assert code == 0
    assert "warning" not in stderr
    assert Path("run/loss.png").read_bytes().startswith(b"\x89PNG")


def test_too_little_memory_is_told_with_the_array_and_what_to_try():  # 68
    limit = "import numpy; resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))"
    argv = [*TRAIN, "run", "--set", "network.layers=[{units: 20000}, {units: 20000}]"]
    line = refused(*argv, code=1, before=limit)
    assert line.startswith("out of memory (")
    assert "(20000, 20000)" in line
    assert "smaller network or training.batch_size" in line
    assert not Path("run").exists()


def test_threads_and_kernel_are_in_run_json(whole):  # 68
    blas = facts(whole)["blas"]
    assert blas["threads"] >= 1
    assert set(blas) == {"name", "version", "kernel", "threads"}
    if "openblas" in blas["name"]:
        assert blas["kernel"]
    assert np.__version__ == facts(whole)["versions"]["numpy"]


def test_a_processor_without_vector_instructions(whole):  # 68
    """NumPy then leaves empty parts out of what it says about itself."""
    found = environment()["simd"].split()
    line = processes.run(*TRAIN, "run", env={"NPY_DISABLE_CPU_FEATURES": " ".join(found)})
    assert line[0] == 0, line
    assert facts("run")["simd"] == "" or not found


def test_a_clock_that_jumps_changes_nothing(whole):  # 67
    jump = "import random; time.time = lambda: random.choice([0.0, 1e9, 4e9])"
    assert processes.run(*TRAIN, "run", before=jump)[0] == 0
    assert outcome("run") == outcome("whole")
