"""The processors that a process may use: those it may run on, or less by a quota of its cgroup."""

import math
import os
import subprocess
import sys

import pytest

from mlp.processors import cpu_quota


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the system has no affinity")
def test_processors_are_those_to_run_on_or_less_by_the_quota():
    program = (
        "import os; from mlp import processors; "
        "os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1]); "
        "processors.cpu_quota = lambda: 1.5; print(processors.processors()); "
        "processors.cpu_quota = lambda: 0.25; print(processors.processors())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "0.25"]


def groups(folder, lines, quotas):
    """A /proc/self/cgroup and a /sys/fs/cgroup with these files."""
    (folder / "own").write_text("".join(f"{line}\n" for line in lines))
    for name, content in quotas.items():
        path = folder / "groups" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{content}\n")
    return cpu_quota(folder / "own", folder / "groups")


V1 = ["5:memory:/mem", "3:cpu,cpuacct:/a/b", "0::/"]


@pytest.mark.parametrize(
    ("lines", "quotas", "expected"),
    [
        (["0::/a/b"], {"a/b/cpu.max": "50000 100000"}, 0.5),
        (["0::/a/b"], {"a/cpu.max": "150000 100000", "a/b/cpu.max": "max 100000"}, 1.5),  # of the group above
        (["0::/a/b"], {"a/cpu.max": "20000 10000", "a/b/cpu.max": "30000 10000", "cpu.max": "1 1"}, 1),
        (["0::/"], {"cpu.max": "25000 100000"}, 0.25),  # a namespace of its own
        (["0::/of/the/host"], {"cpu.max": "25000 100000"}, 0.25),  # which is not seen from inside
        (["0::/../up"], {"cpu.max": "25000 100000"}, 0.25),
        (["0::/a"], {"b/cpu.max": "25000 100000"}, math.inf),  # another group's
        (["0::/a"], {"a/cpu.max": "nonsense"}, math.inf),
        (V1, {"cpu/a/b/cpu.cfs_quota_us": "50000", "cpu/a/b/cpu.cfs_period_us": "100000"}, 0.5),
        (V1, {"cpu/a/b/cpu.cfs_quota_us": "-1", "cpu/a/b/cpu.cfs_period_us": "100000"}, math.inf),
        (V1, {"cpu/cpu.cfs_quota_us": "300000", "cpu/cpu.cfs_period_us": "100000"}, 3),
        (V1, {"cpu/mem/cpu.cfs_quota_us": "50000", "cpu/mem/cpu.cfs_period_us": "100000"}, math.inf),
        ([], {}, math.inf),
    ],
)
def test_the_quota_of_a_cgroup_and_of_those_above(tmp_path, lines, quotas, expected):
    assert groups(tmp_path, lines, quotas) == expected


def test_without_cgroups_there_is_no_quota(tmp_path):
    assert cpu_quota(tmp_path / "none", tmp_path) == math.inf
