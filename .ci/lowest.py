"""Print constraints for pip: each `name>=X` of pyproject.toml's dependencies, and of the extras named, as `name==X`.

python .ci/lowest.py test >lowest.txt && pip install -c lowest.txt -e '.[test]'
"""

import re
import sys
import tomllib
from pathlib import Path

TOOLS = {"ruff", "mypy"}  # no test imports them; lint and types are checked with the newest alone

project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))["project"]
extras = [project["optional-dependencies"][extra] for extra in sys.argv[1:]]
for requirement in sum(extras, project["dependencies"]):
    bound = re.match(r"([\w.-]+)(?:\[.*?\])?\s*>=\s*([\w.]+)", requirement)
    if bound and bound[1] not in TOOLS:
        print(f"{bound[1]}=={bound[2]}")
print("pyparsing<3.3")  # it warns of what matplotlib calls before 3.10.7, and tests make errors of warnings
