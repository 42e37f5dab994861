"""The notebooks run from top to bottom in a fresh kernel, and what is saved in them is what a reader should see."""

import importlib.util
import re
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_notebook, new_output

FOLDER = Path(__file__).parents[2] / "scripts/notebooks"
NAMES = [
    "1_scalars",
    "2_matrix_rules",
    "3_layer_to_network",
    "4_checking",
    "5_exercises",
    "6_memory_and_modified_gradients",
    "7_two_examples",
    "8_lab",
]


def load_build():
    spec = importlib.util.spec_from_file_location("build", FOLDER / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


build = load_build()


def saved(name):
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_all_notebooks_are_there():
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == NAMES


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_runs_from_top_to_bottom_in_a_fresh_kernel(name):
    before = sorted(FOLDER.iterdir())
    notebook = saved(name)
    for cell in code_cells(notebook):
        cell.outputs, cell.execution_count = [], None
    build.execute(notebook)  # raises at the first cell that does
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert sorted(FOLDER.iterdir()) == before  # a notebook leaves no files behind


def solved(notebook):
    """Put the solutions of exercises, from the folded text below them, into the cells with gaps; returns how many."""
    gaps = {cell.source.splitlines()[0]: cell for cell in code_cells(notebook) if cell.source.startswith("# Exercise")}
    solutions = [
        solution
        for cell in notebook.cells
        if cell.cell_type == "markdown"
        for solution in re.findall(r"<summary>Solution of.*?```python\n(.*?)\n```", cell.source, re.DOTALL)
    ]
    for solution in solutions:
        cell = gaps.pop(solution.splitlines()[0])
        assert "..." in cell.source
        assert "..." not in solution
        cell.source = solution
    assert not gaps
    return len(solutions)


@pytest.mark.long
@pytest.mark.parametrize("name", ["8_lab"])
def test_every_exercise_can_be_solved(name):
    notebook = saved(name)
    count = solved(notebook)
    build.execute(notebook)
    said = "".join(output.get("text", "") for cell in code_cells(notebook) for output in cell.outputs)
    assert [line for line in said.splitlines() if line.startswith("Exercise")] == [
        f"Exercise {number}: right." for number in range(1, count + 1)
    ]
    assert "to do" not in said
    assert float(re.findall(r"epoch 30: ([\d.]+)%", said)[0]) > 97


@pytest.mark.parametrize("name", NAMES)
def test_was_saved_with_its_outputs(name):
    notebook = saved(name)
    cells = code_cells(notebook)
    outputs = [output for cell in cells for output in cell.outputs]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]
    assert [output for output in outputs if "image/png" in output.get("data", {})], "a notebook needs a picture"
    assert build.of_a_machine(notebook) == []
    assert notebook.metadata == build.METADATA
    assert not any(cell.metadata for cell in notebook.cells)


@pytest.mark.parametrize("name", NAMES)
def test_opens_with_what_one_will_learn(name):
    first = saved(name).cells[0]
    assert first.cell_type == "markdown"
    assert first.source.startswith(f"# {name[0]}. ")
    assert "What you will learn" in first.source


@pytest.mark.parametrize("name", NAMES)
def test_claims_are_asserted(name):
    assert sum("assert " in cell.source for cell in code_cells(saved(name))) >= 3


def test_the_kernel_is_the_python_of_the_tests(monkeypatch, tmp_path):
    """Even where somebody has installed another one under the name python3."""
    other = tmp_path / "kernels/python3"
    other.mkdir(parents=True)
    (other / "kernel.json").write_text('{"argv": ["no-such-python"], "display_name": "other", "language": "python"}')
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    notebook = new_notebook(cells=[new_code_cell("import os, sys\nprint(sys.executable, os.getcwd(), sep='|')")])
    build.execute(notebook)
    executable, folder = notebook.cells[0].outputs[0].text.strip().split("|")
    assert executable == sys.executable
    assert Path(folder).samefile(FOLDER)


def test_an_error_in_a_cell_is_raised():
    notebook = new_notebook(cells=[new_code_cell("1 / 0"), new_code_cell("print(1)")])
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        build.execute(notebook)
    assert notebook.cells[1].outputs == []


@pytest.mark.parametrize(
    "text", ["/home/ada/mlp/data", "C:\\Users\\ada", "<object at 0x7f3a2b4c5d6e>", "file:///tmp/x.png"]
)
@pytest.mark.parametrize("place", ["stream", "result", "source", "metadata"])
def test_what_only_one_machine_has_is_found(text, place):
    cell = new_code_cell("1 / 2", outputs=[new_output("stream", text="1/2 and a/tmp")])
    notebook = new_notebook(cells=[cell])
    assert build.of_a_machine(notebook) == []
    if place == "stream":
        cell.outputs[0].text = text
    elif place == "result":
        cell.outputs = [new_output("display_data", data={"text/html": text})]
    elif place == "source":
        cell.source = text
    else:
        cell.metadata["path"] = text
    assert len(build.of_a_machine(notebook)) == 1


def test_building_saves_outputs_and_leaves_the_rest(monkeypatch, tmp_path):
    from click.testing import CliRunner

    cell = new_code_cell("x = 2\nprint(x)\nx * 3", metadata={"collapsed": True})
    notebook = new_notebook(cells=[cell], metadata={"language_info": {"name": "python", "version": "3.0"}})
    nbformat.write(notebook, tmp_path / "tiny.ipynb")
    monkeypatch.setattr(build, "FOLDER", tmp_path)
    assert CliRunner().invoke(build.main, ["tiny"], catch_exceptions=False).exit_code == 0
    first = (tmp_path / "tiny.ipynb").read_bytes()
    again = nbformat.reads(first.decode(), as_version=4)
    (built,) = again.cells
    assert (built.source, built.id, built.metadata, again.metadata) == (cell.source, cell.id, {}, build.METADATA)
    assert [output.get("text", output.get("data")) for output in built.outputs] == ["2\n", {"text/plain": "6"}]
    assert CliRunner().invoke(build.main, [], catch_exceptions=False).exit_code == 0
    assert (tmp_path / "tiny.ipynb").read_bytes() == first
    assert "no notebook" in CliRunner().invoke(build.main, ["huge"]).output
