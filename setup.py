"""Builds the inner loops (bcikit/kernels/_kernels.c). With BCIKIT_PURE=1, or without a compiler, NumPy does their work:
the first gives a wheel for every system, py3-none-any."""

import os
import sys

from setuptools import Extension, find_packages, setup

FLAGS = ["/O2"] if sys.platform == "win32" else ["-O3", "-g0", "-fno-math-errno", "-fno-trapping-math", "-Wall"]

KERNELS = Extension(
    "bcikit.kernels._kernels",
    ["bcikit/kernels/_kernels.c"],
    depends=[
        f"bcikit/kernels/{name}.h"
        for name in ("_loops", "_loops_spikes", "_loops_matrices", "_spikes", "_matrices", "_guard")
    ],
    define_macros=[("Py_LIMITED_API", "0x030B0000")],
    py_limited_api=True,
    optional=True,
    extra_compile_args=FLAGS,
    libraries=[] if sys.platform == "win32" else ["m"],
)

# The data-set cards lie at the top of the checkout, and in the package of a wheel.
PACKAGES = {
    "packages": [*find_packages(include=["bcikit*"]), "bcikit.datasets"],
    "package_dir": {"bcikit.datasets": "datasets"},
}

if os.environ.get("BCIKIT_PURE") == "1":
    setup(**PACKAGES)
else:
    setup(**PACKAGES, ext_modules=[KERNELS], options={"bdist_wheel": {"py_limited_api": "cp311"}})
