"""Lets an old OpenBLAS use the AVX-512 matrix kernels that it has, on AMD processors that it does not know.

OpenBLAS looks at the processor once, when it is loaded (driver/others/dynamic.c: gotoblas_dynamic_init, get_coretype).
When it takes other kernels than AVX-512 ones on an AMD processor that has AVX-512:

- up to 0.3.20, always: Zen 4 (family 25) gets the AVX2 kernels of Zen 3, and Zen 5 (family 26), as every family it does
  not know, those for the Barcelona, a processor from before AVX (OpenBLAS issue 3620);
- from 0.3.21, never of itself: Zen 4 is asked for AVX-512, and families that are not in its list, Zen 5 still in 0.3.34
  (OpenBLAS PR 6033), get what their feature bits allow; AVX2 kernels where a hypervisor hides AVX-512, and rightly so;
- in any version, where OPENBLAS_CORETYPE says so, or where a build has left the AVX-512 kernels out.

The wheels of NumPy 2.0 (OpenBLAS 0.3.27) to 2.5 (0.3.34) are of the second kind. All this was seen in the libraries in
the wheels of NumPy 1.22 to 2.5, given the cpuid answers of Zen 4 and 5, with AVX-512 and without. So a choice is needed
only where NumPy was built against an OpenBLAS up to 0.3.20, such as that of Ubuntu 22.04, and is made

- from 0.3.17: the AVX-512 kernels of some versions before give wrong results (nixpkgs issue 124250);
- from family 26: Zen 4 computes 512 bits in two halves; its AVX-512 kernels take 0.8 to 1.2 of the time of AVX2 ones.

OpenBLAS PR 6027 is about the other direction: 0.3.34 overflows a buffer where AVX2 kernels are forced on Zen 4 and 5.
"""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

VARIABLE = "OPENBLAS_CORETYPE"
AVX512 = "SkylakeX"
AVX512_KERNELS = (AVX512, "Cooperlake", "SapphireRapids")
# What the SkylakeX kernels are compiled for (-march=skylake-avx512). Linux lists these only if it saves the registers.
NEEDED = frozenset({"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"})
FIRST_RIGHT = (0, 3, 17)  # OpenBLAS whose AVX-512 kernels were found right, and
FIRST_CHOOSING = (0, 3, 21)  # that takes them of itself
ZEN_4 = 25  # and Zen 3, which has no AVX-512


def choose_for_numpy() -> None:
    """Put the kernels of `choose` into the environment, where a NumPy that is loaded later finds them.

    They stay there, also for child processes: those run on the same processor.
    """
    if sys.platform == "linux" and "numpy" not in sys.modules:
        kernel = choose(read_cpuinfo(), os.environ, read_build())
        if kernel is not None:
            os.environ[VARIABLE] = kernel


def choose(cpuinfo: str, environ: Mapping[str, str], build: str) -> str | None:
    """The kernels to name to OpenBLAS, or None where it chooses rightly, the user has chosen, or nothing is known.

    `cpuinfo` is the text of /proc/cpuinfo and `build` that of numpy/__config__.py. Another BLAS does not read the
    variable, nor does an OpenBLAS that was built for one processor.
    """
    version = openblas_version(build)
    if VARIABLE in environ or version is None or not FIRST_RIGHT <= version < FIRST_CHOOSING:
        return None
    return AVX512 if is_unknown(cpuinfo) else None


def is_unknown(cpuinfo: str) -> bool:
    """An AMD processor with AVX-512 of a family that OpenBLAS 0.3.20 does not know."""
    return amd_family(cpuinfo) > ZEN_4 and has_avx512(cpuinfo)


def gains_by_avx512(cpuinfo: str) -> bool:
    """Whether AVX-512 kernels are the faster ones."""
    return has_avx512(cpuinfo) and amd_family(cpuinfo) != ZEN_4


def amd_family(cpuinfo: str) -> int:
    """23 for Zen 1 and 2, 25 for Zen 3 and 4, 26 for Zen 5; 0 where it is no AMD processor, or nothing is known."""
    processor = first_processor(cpuinfo)
    family = processor.get("cpu family", "")
    return int(family) if processor.get("vendor_id") == "AuthenticAMD" and family.isdecimal() else 0


def has_avx512(cpuinfo: str) -> bool:
    """Whether the processor has, and the system has enabled, what the SkylakeX kernels need."""
    return frozenset(first_processor(cpuinfo).get("flags", "").split()) >= NEEDED


def first_processor(cpuinfo: str) -> dict[str, str]:
    """The fields of the first processor; the others are like it."""
    lines = cpuinfo.partition("\n\n")[0].splitlines()
    return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


def openblas_version(build: str) -> tuple[int, ...] | None:
    """The OpenBLAS that NumPy was built against: (0, 3, 31); None where it is another BLAS or not said."""
    blas = re.search(r'"blas":\s*\{([^{}]*)\}', build)
    found = blas and re.search(r'"name":\s*"[^"]*openblas.*?"version":\s*"(\d+)\.(\d+)\.(\d+)', blas[1], re.DOTALL)
    return tuple(map(int, found.groups())) if found else None


def read_cpuinfo() -> str:
    """The beginning of /proc/cpuinfo, more than one processor; empty where there is none, as outside Linux."""
    try:
        with open("/proc/cpuinfo", "rb") as file:
            return file.read(8192).decode("ascii", "replace")
    except OSError:
        return ""


def read_build() -> str:
    """The text of numpy/__config__.py, without loading NumPy; empty where it cannot be found."""
    try:
        spec = importlib.util.find_spec("numpy")
        return Path(spec.origin).with_name("__config__.py").read_text("utf-8") if spec and spec.origin else ""
    except (OSError, ValueError):
        return ""
