"""The arrows of the design: what may import what, read from the sources, and what an import really loads."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import mlp

PACKAGE = Path(__file__).parents[1] / "mlp"
STDLIB = sys.stdlib_module_names

GROUND = ("text", "markup", "errors", "types", "arguments", "shown", "processors")
TRAINER = (
    "activations",
    "initialization",
    "stack",
    "layers",
    "network",
    "losses",
    "penalties",
    "optimizers",
    "schedules",
    "minibatches",
    "metrics",
    "monitor",
    "evaluation",
    "records",
    "divergence",
    "options",
    "training",
)
WINGS = {  # and what each may import, besides itself and the ground
    "autodiff": set(),
    "datasets": set(),
    "tables": {"metrics"},
    "checking": {*TRAINER, "autodiff"},
    "experiments": {*TRAINER, "tables", "checking"},
    "plots": {*TRAINER, "experiments"},
    "parallel": {*TRAINER, "tables", "experiments"},
    "sklearn": {*TRAINER, "tables", "experiments"},
    "cli": {*TRAINER, "tables", "checking", "experiments", "plots", "parallel"},
    "__main__": {"cli"},
}
LIBRARIES = {
    "tables": {"duckdb"},
    "experiments": {"pydantic", "pydantic_core", "yaml", "threadpoolctl", "filelock"},
    "plots": {"matplotlib"},
    "parallel": {"mpi4py", "threadpoolctl"},
    "sklearn": {"sklearn"},
    "cli": {"click"},
}
INSIDE_FUNCTIONS = {"matplotlib", "mpi4py"}  # imported where they are used
DRAWING = PACKAGE / "autodiff" / "drawing.py"


def module_of(path):
    parts = ("mlp", *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts).removesuffix(".__init__")


SOURCES = {module_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def room(module):
    """The name below `mlp` that a module belongs to: "layers" for mlp.layers.dense, "" for mlp itself."""
    return [*module.split("."), ""][1]


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
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            names = sorted({name if name in SOURCES else node.module for name in inner})
        for name in names:
            yield name, id(node) not in top


GRAPH = {
    module: sorted({name for name, _ in imports(path) if name.split(".")[0] == "mlp"})
    for module, path in SOURCES.items()
}


def reached_from(*modules):
    """All modules that these import, directly or not; what a package's `__init__` imports counts for the package."""
    found, waiting = set(), list(modules)
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting += GRAPH[module]
    return found


@pytest.mark.parametrize("module", SOURCES)
def test_arrows_only_go_up(module):
    here, path = room(module), SOURCES[module]
    assert here in ("", *GROUND, *TRAINER, *WINGS), f"{module} has no place in the design"
    for name, inside in imports(path):
        first = name.split(".")[0]
        if first == "mlp":
            there = room(name)
            if here in GROUND:
                allowed = set(GROUND[: GROUND.index(here)])
            elif here in TRAINER:
                allowed = {*GROUND, *TRAINER[: TRAINER.index(here)], here}
            elif here == "":
                allowed = set(TRAINER)
            else:
                allowed = {*GROUND, *WINGS[here], here}
                if here == "experiments":
                    allowed |= {""}  # for the version
                if here == "cli":
                    allowed |= {""}
            assert there in allowed, f"{path}: {here} imports {name}"
        elif first not in STDLIB:
            extra = {"matplotlib"} if path == DRAWING else LIBRARIES.get(here, set())
            assert first in {"numpy", *extra}, f"{path}: imports {name}"
            assert inside or first not in INSIDE_FUNCTIONS, f"{path}: imports {name} at its top"


def test_no_circles_between_modules():
    """Neither by imports inside functions nor by those for type checking."""
    rank = {}

    def visit(module, above):
        assert module not in above, f"circle: {' -> '.join([*above[above.index(module) :], module])}"
        if module not in rank:
            for name in GRAPH[module]:
                visit(name, [*above, module])
            rank[module] = len(rank)

    for module in SOURCES:
        visit(module, [])


def test_reading_a_table_loads_no_loss():
    tables = [module for module in SOURCES if room(module) == "tables"]
    assert not {room(module) for module in reached_from(*tables)} & {"losses", "network", "layers", "training"}


def test_a_storage_error_needs_no_yaml_parser():
    storage = [module for module in SOURCES if module.startswith("mlp.experiments.storage")]
    assert storage
    for module in reached_from("mlp.errors", *storage):
        assert "yaml" not in {name for name, _ in imports(SOURCES[module])}, module


def loaded_by(code):
    script = f"import sys; {code}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split()) - STDLIB


@pytest.mark.parametrize(
    "code", ["import mlp", "import mlp.autodiff", "import mlp.checking", "import mlp.layers", "import mlp.datasets"]
)
def test_the_package_loads_numpy_and_nothing_else(code):
    bare = loaded_by("pass")  # an environment may load things of its own at start-up
    assert loaded_by(code) - bare - {"mlp"} == loaded_by("import numpy") - bare


def test_names_are_plain():
    assert set(mlp.__all__) <= set(vars(mlp))
    everything = {}
    exec("from mlp import *", everything)
    assert set(mlp.__all__) <= everything.keys()


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["check", "--help"], ["--version"]])
def test_help_is_light(arguments):
    code = (
        "import contextlib, io, mlp.cli\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n"
        f"    mlp.cli.cli({arguments!r})\n"
    )
    script = f"import sys\n{code}\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not {"matplotlib", "pydantic", "yaml", "threadpoolctl"} & set(done.stdout.split())
