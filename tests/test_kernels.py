"""Which matrix kernels are chosen for which processor and OpenBLAS, that nothing of the user's is overridden, and that
the choice is made before NumPy is loaded."""

import os
import subprocess
import sys

import numpy as np
import pytest
import threadpoolctl

from mlp import kernels

AVX2 = "fpu sse2 ssse3 sse4_1 sse4_2 fma avx f16c bmi1 avx2 bmi2"
AVX512 = f"{AVX2} avx512f avx512dq avx512cd avx512bw avx512vl"


def cpuinfo(vendor, family, model, flags, processors=2):
    """As Linux writes it: a paragraph for each processor."""
    lines = [f"vendor_id\t: {vendor}", f"cpu family\t: {family}", f"model\t\t: {model}", f"flags\t\t: {flags}"]
    return "".join("\n".join([f"processor\t: {i}", *lines, "power management:", "", ""]) for i in range(processors))


ZEN_2 = cpuinfo("AuthenticAMD", 23, 49, AVX2)
ZEN_3 = cpuinfo("AuthenticAMD", 25, 1, AVX2)
ZEN_4 = cpuinfo("AuthenticAMD", 25, 17, f"{AVX512} avx512_bf16")
ZEN_5 = cpuinfo("AuthenticAMD", 26, 2, f"{AVX512} avx512_bf16")
ZEN_5_MASKED = cpuinfo("AuthenticAMD", 26, 2, f"{AVX2} hypervisor")
SKYLAKE_SERVER = cpuinfo("GenuineIntel", 6, 85, AVX512)
CLIENT = cpuinfo("GenuineIntel", 6, 151, AVX2)
ARM = "processor\t: 0\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\n\n"


def build(name="openblas", version="0.3.20"):
    """The part of numpy/__config__.py that tells; the LAPACK after it is another one."""
    parts = ((kind, n, v) for kind, n, v in (("blas", name, version), ("lapack", "openblas", "0.3.18")))
    return "".join(
        f'"{kind}": {{\n"name": "{n}",\n"found": bool("True".lower().replace("false", "")),\n"version": "{v}",\n}},\n'
        for kind, n, v in parts
    )


@pytest.mark.parametrize(
    ("processor", "chosen"),
    [
        (ZEN_2, None),
        (ZEN_3, None),
        (ZEN_4, None),  # gains nothing by AVX-512
        (ZEN_5, "SkylakeX"),
        (ZEN_5_MASKED, None),
        (SKYLAKE_SERVER, None),  # OpenBLAS knows it
        (CLIENT, None),
        (cpuinfo("HygonGenuine", 26, 1, AVX512), None),
        (ARM, None),
        ("", None),  # not Linux
        ("vendor_id\t: AuthenticAMD\ncpu family\t: unknown\nflags", None),
    ],
    ids=[
        "Zen 2",
        "Zen 3",
        "Zen 4",
        "Zen 5",
        "Zen 5 masked",
        "Intel",
        "Intel client",
        "Hygon",
        "ARM",
        "none",
        "damaged",
    ],
)
def test_kernels_are_chosen_for_families_that_an_old_openblas_does_not_know(processor, chosen):
    assert kernels.choose(processor, {}, build()) == chosen


@pytest.mark.parametrize("missing", ["avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"])
def test_every_subset_of_avx512_is_needed(missing):
    flags = AVX512.replace(f" {missing}", "")
    assert kernels.choose(cpuinfo("AuthenticAMD", 26, 2, flags), {}, build()) is None
    only_on_another = cpuinfo("AuthenticAMD", 26, 2, flags, 1) + cpuinfo("AuthenticAMD", 26, 2, AVX512, 1)
    assert kernels.choose(only_on_another, {}, build()) is None


@pytest.mark.parametrize(
    ("name", "version", "chosen"),
    [
        ("openblas", "0.3.15", None),  # its AVX-512 kernels are not to be trusted
        ("openblas", "0.3.17", "SkylakeX"),
        ("openblas64", "0.3.20", "SkylakeX"),
        ("openblas", "0.3.21", None),  # takes them itself
        ("scipy-openblas", "0.3.31.188.0", None),
        ("openblas", "0.4", None),
        ("mkl-sdl", "2023.1", None),
        ("blas", "3.9.0", None),
        ("accelerate", "unknown", None),
    ],
)
def test_only_an_openblas_that_needs_it_is_told(name, version, chosen):
    assert kernels.choose(ZEN_5, {}, build(name, version)) == chosen


@pytest.mark.parametrize("value", ["Haswell", "SkylakeX", ""])
def test_the_users_own_setting_is_never_overridden(value):
    assert kernels.choose(ZEN_5, {"OPENBLAS_CORETYPE": value}, build()) is None
    assert kernels.choose(ZEN_5, {"OPENBLAS_NUM_THREADS": "2"}, build()) == "SkylakeX"


def test_nothing_is_chosen_without_a_record_of_the_build():
    assert kernels.choose(ZEN_5, {}, "") is None


def test_the_record_of_this_numpy_is_read_without_loading_it():
    built = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    if "openblas" not in built["name"]:
        pytest.skip(f"this NumPy is built with {built['name']}")
    found = kernels.openblas_version(kernels.read_build())
    assert ".".join(map(str, found)) == ".".join(built["version"].split(".")[:3])


def test_what_gains_by_avx512():
    gaining = [p for p in (ZEN_2, ZEN_3, ZEN_4, ZEN_5, ZEN_5_MASKED, SKYLAKE_SERVER, CLIENT, ARM, "")]
    assert [kernels.gains_by_avx512(p) for p in gaining] == [p in (ZEN_5, SKYLAKE_SERVER) for p in gaining]


LOADED = """
import os, sys
import importlib.util
spec = importlib.util.spec_from_file_location("mlp.kernels", {path!r})
sys.modules["mlp.kernels"] = kernels = importlib.util.module_from_spec(spec)
spec.loader.exec_module(kernels)  # before the package, to give it another processor and another build
kernels.read_cpuinfo, kernels.read_build = lambda: {cpuinfo!r}, lambda: {build!r}
seen = []
class Watch:
    def find_spec(self, name, *rest):
        if name == "numpy":
            seen.append(os.environ.get("OPENBLAS_CORETYPE"))
sys.meta_path.insert(0, Watch())
import mlp, threadpoolctl
chosen = os.environ.get("OPENBLAS_CORETYPE")
assert not seen
mlp.Layer
running = [pool.get("architecture") for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]
print(chosen, seen[0], *running[:1])
"""


def loaded(processor, *, openblas=None, **environ):
    """OPENBLAS_CORETYPE after `import mlp`, and when NumPy is loaded, and the kernels that BLAS then runs."""
    script = LOADED.format(path=kernels.__file__, cpuinfo=processor, build=openblas or build())
    kept = {name: value for name, value in os.environ.items() if name != "OPENBLAS_CORETYPE"}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env={**kept, **environ}
    )
    return done.stdout.split()


def on_this_processor():
    if not kernels.has_avx512(kernels.read_cpuinfo()):
        pytest.skip("this processor has no AVX-512, or Linux does not say so")
    pools = [pool for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]
    if not pools or pools[0]["internal_api"] != "openblas" or "architecture" not in pools[0]:
        pytest.skip("this NumPy runs another BLAS than OpenBLAS")


def test_the_choice_is_in_the_environment_when_numpy_is_loaded():
    on_this_processor()
    assert loaded(ZEN_5) == ["SkylakeX", "SkylakeX", "SkylakeX"]


def test_the_users_kernels_are_loaded_and_the_variable_stays():
    on_this_processor()
    assert loaded(ZEN_5, OPENBLAS_CORETYPE="Haswell") == ["Haswell", "Haswell", "Haswell"]


def test_nothing_is_set_for_other_processors_or_other_builds():
    assert loaded(ZEN_4)[:2] == ["None", "None"]
    assert loaded(ZEN_5, openblas=build("scipy-openblas", "0.3.31"))[:2] == ["None", "None"]


@pytest.mark.parametrize("platform", ["linux", "darwin"])
@pytest.mark.parametrize("numpy_is_loaded", [False, True])
def test_nothing_is_set_where_numpy_is_loaded_already_or_outside_linux(monkeypatch, platform, numpy_is_loaded):
    monkeypatch.setattr(kernels, "read_cpuinfo", lambda: ZEN_5)
    monkeypatch.setattr(kernels, "read_build", build)
    monkeypatch.setenv("OPENBLAS_CORETYPE", "")  # so that it is put back to what it was
    monkeypatch.delenv("OPENBLAS_CORETYPE")
    monkeypatch.setattr(sys, "platform", platform)
    if not numpy_is_loaded:
        monkeypatch.delitem(sys.modules, "numpy")
    kernels.choose_for_numpy()
    chosen = os.environ.get("OPENBLAS_CORETYPE")
    assert chosen == ("SkylakeX" if platform == "linux" and not numpy_is_loaded else None)
