"""The arrows of the design: what may import what, read from the sources, and what an import really loads."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import mlp
from mlp import names

PACKAGE = Path(__file__).parents[1] / "mlp"
STDLIB = sys.stdlib_module_names

ORDER = (
    "activations",
    "axpy",
    "layers",
    "network",
    "reversible",
    "losses",
    "metrics",
    "optimizers",
    "schedules",
    "evaluation",
    "divergence",
    "progress",
    "ranks",
    "training",
)  # of the trainer: a module imports those before it

# Lowest first. A module imports modules of lower floors, or of its own where the floor is one group.
FLOORS = [
    {"kernels", "minimum", "text"},
    set(ORDER),
    {"autodiff"},
    {"checking"},
    {"tables", "datasets", "targets"},
    {"experiments"},
    {"console"},
    {"exits"},
    {"follow", "other_ranks"},
    {"cli"},
]  # and "names", which only `mlp/__init__.py` imports
TRAINER = FLOORS[1]
LIBRARIES = {
    "kernels": set(),
    "minimum": {"numpy"},
    "text": set(),
    "autodiff": {"numpy"},
    "checking": {"numpy"},
    "tables": {"numpy"},
    "datasets": {"numpy"},
    "targets": {"numpy"},
    "experiments": {"numpy", "pydantic", "pydantic_core", "yaml", "matplotlib", "threadpoolctl", "mpi4py"},
    "console": {"click"},
    "exits": {"click"},
    "follow": {"click"},
    "other_ranks": set(),
    "cli": {"click"},
}


def sources():
    for path in sorted(PACKAGE.rglob("*.py")):
        relative = path.relative_to(PACKAGE)
        yield relative.parts[0].removesuffix(".py"), path


def imports(path):
    """(module, inside a function or for type checking only) of every import in a file, fully dotted."""
    tree = ast.parse(path.read_text("utf-8"))
    top = {id(node) for node in tree.body}
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names = [f"mlp.{alias.name}" for alias in node.names] if node.module == "mlp" else [node.module]
        for name in names:
            yield name, id(node) not in top


def floor(module):
    return next((i for i, modules in enumerate(FLOORS) if module in modules), None)


MODULES = [(module, path) for module, path in sources() if module not in ("__init__", "names")]


@pytest.mark.parametrize(("module", "path"), MODULES, ids=lambda value: str(value).rpartition("mlp/")[2])
def test_arrows_only_go_up(module, path):
    assert floor(module) is not None, f"{module} has no place in the design"
    for name, _ in imports(path):
        first, *rest = name.split(".")
        if first == "mlp":
            part = rest[0] if rest else "__init__"
            if part in ("DivergedError", "evaluate", "__version__", "__init__"):  # names of `import mlp` itself
                part = "training"
            assert floor(part) is not None, f"{path}: imports {name}"
            assert floor(part) <= floor(module), f"{path}: {module} imports {part}, which is below it"
            assert {module, part} != {"autodiff", "training"}, f"{path}: autodiff and the trainer know each other"
            if module == "autodiff" or (module in TRAINER and part == "autodiff"):
                assert part in (module, "minimum"), f"{path}: autodiff and the trainer know each other"
        else:
            allowed = {"numpy"} if module in TRAINER else LIBRARIES[module]
            if path == PACKAGE / "autodiff" / "drawing.py":
                allowed = allowed | {"matplotlib"}  # inside its functions only, as everywhere
            assert first in STDLIB or first in allowed, f"{path}: {module} imports {name}"


def test_nobody_imports_the_command_line():
    for _, path in sources():
        assert not any(name.startswith("mlp.cli.commands") for name, _ in imports(path)), path


def test_matplotlib_is_imported_only_inside_functions():
    for _, path in sources():
        for name, inside in imports(path):
            assert inside or not name.startswith("matplotlib"), path


def test_the_trainer_is_layered_too():
    """In the order that they are listed in, with nothing imported backwards."""
    for module in ORDER:
        for name, _ in imports(PACKAGE / f"{module}.py"):
            if name.startswith("mlp.") and name != "mlp.minimum":
                assert ORDER.index(name.split(".")[1]) < ORDER.index(module), f"{module} imports {name}"


def loaded_by(code):
    script = f"import sys; {code}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split()) - STDLIB


@pytest.mark.parametrize("code", ["from mlp import Layer", "import mlp.autodiff", "import mlp.checking"])
def test_the_package_loads_numpy_and_nothing_else(code):
    bare = loaded_by("pass")  # an environment may load things of its own at start-up
    assert loaded_by(code) - bare - {"mlp"} == loaded_by("import numpy") - bare


def test_names_are_loaded_when_they_are_used():
    assert "numpy" not in loaded_by("import mlp")
    assert mlp.__all__ == names.__all__
    assert set(names.__all__) <= set(dir(mlp))
    assert mlp.Layer is names.Layer
    everything = {}
    exec("from mlp import *", everything)
    assert set(names.__all__) <= everything.keys()
    with pytest.raises(AttributeError, match="module 'mlp' has no attribute 'Lair'"):
        _ = mlp.Lair
    with pytest.raises(ImportError, match="cannot import name 'Lair' from 'mlp'"):
        exec("from mlp import Lair")


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["check", "--help"], ["--version"]])
def test_help_is_light(arguments):
    code = (
        "import contextlib, io, mlp.cli.commands\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        f"    mlp.cli.commands.cli({arguments!r})\n"
    )
    script = f"import sys\n{code}\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not {"numpy", "matplotlib", "pydantic", "yaml", "threadpoolctl"} & set(done.stdout.split())
