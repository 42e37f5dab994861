"""Run the notebooks from top to bottom, each in a fresh kernel, and save them with their outputs.

The .ipynb files are the only source: edit one in Jupyter or in an editor, then run this, which also takes out what
differs from one machine to the next, so that building twice gives a small diff. All of them, or some by name:

    python scripts/notebooks/build.py 1_scalars 4_checking
"""
# mypy: allow-untyped-calls
# (nbformat is not typed)

import os
import re
import tempfile
import time
from pathlib import Path
from typing import Any

import click
import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

FOLDER = Path(__file__).parent
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
OF_A_MACHINE = re.compile(r"/(?:home|Users|root|tmp|private|usr|opt|var|mnt)/|\b[A-Z]:\\| at 0x[0-9a-f]{6,}")


def execute(notebook: Any) -> None:
    """Run all cells in place, in a fresh kernel that starts in this folder; CellExecutionError at the first error.

    The kernel is the Python that runs this, whatever other kernels are installed, and it reads nobody's profile.
    """
    nothing_installed = KernelSpecManager(kernel_dirs=[])  # leaves the kernel of this very Python
    client = NotebookClient(
        notebook,
        km=AsyncKernelManager(kernel_name="python3", kernel_spec_manager=nothing_installed),
        resources={"metadata": {"path": str(FOLDER)}},
        extra_arguments=["--log-level=ERROR"],
        timeout=120,  # seconds a cell
        record_timing=False,
        coalesce_streams=True,
    )
    with tempfile.TemporaryDirectory() as profile:
        # One thread, because the matrices are small, and so that times compare even on a busy machine.
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "IPYTHONDIR": profile}
        client.execute(env=environment, cleanup_kc=True)  # the kernel ends with it


def clean(notebook: Any) -> None:
    """Take out the metadata that an editor or a kernel leaves, in place."""
    notebook.metadata = METADATA
    for cell in notebook.cells:
        cell.metadata = {}
        for output in cell.get("outputs", []):
            if "metadata" in output:
                output.metadata = {}


def of_a_machine(notebook: Any) -> list[str]:
    """Texts with absolute paths or addresses of objects, in sources, outputs and metadata; pictures are not read."""
    texts = [str(notebook.metadata)]
    for cell in notebook.cells:
        texts += [cell.source, str(cell.metadata)]
        for output in cell.get("outputs", []):
            data = {kind: content for kind, content in output.get("data", {}).items() if kind != "image/png"}
            texts += [str({**output, "data": data})]
    return [text for text in texts if OF_A_MACHINE.search(text)]


@click.command()
@click.argument("names", nargs=-1)
def main(names: tuple[str, ...]) -> None:
    """Execute and save the notebooks NAMES, or all of them."""
    paths = [FOLDER / f"{Path(name).stem}.ipynb" for name in names] or sorted(FOLDER.glob("*.ipynb"))
    for path in paths:
        if not path.exists():
            raise click.ClickException(f"there is no notebook {path.name}")
        started = time.perf_counter()
        notebook = nbformat.read(path, as_version=4)
        try:
            execute(notebook)
        except CellExecutionError as error:
            raise click.ClickException(f"{path.name} is left as it was: {error}") from None
        clean(notebook)
        if found := of_a_machine(notebook):
            raise click.ClickException(f"{path.name} would hold what only this machine has: {found[0]}")
        nbformat.write(notebook, path)
        click.echo(f"{path.name}: {time.perf_counter() - started:.1f} s")


if __name__ == "__main__":
    main()
