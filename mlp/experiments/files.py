"""Files that are whole or absent: written under a temporary name and renamed."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any


def write_file(path: Path, content: bytes) -> None:
    """Replace the file in one step: readers see the old content or the new, never a part."""
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~current_umask())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_json(path: Path, data: Any) -> None:
    write_file(path, (json.dumps(data, indent=2, allow_nan=False) + "\n").encode())


def current_umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask
