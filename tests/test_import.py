"""`import curveclinic` is light, and every module imports without the extras."""

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = (
    "onnxruntime",
    "pyarrow",
    "torch",
    "pandas",
    "polars",
    "sklearn",
    "scipy",
    "matplotlib",
    "tsfresh",
    "onnx",
    "onnxscript",
    "orjson",
)
EXTRAS = (
    "orjson",
    "torch",
    "sklearn",
    "scipy",
    "tsfresh",
    "matplotlib",
    "pandas",
    "polars",
    "onnx",
    "onnxscript",
    "tensorboard",
)
NEED_TRAIN = {
    *(
        f"curveclinic.model.{name}"
        for name in (
            "network",
            "training",
            "evaluation",
            "export",
            "warm_start",
            "blocks",
            "int8",
            "int8_graph",
            "halves",
        )
    ),
    *(f"curveclinic.synth.simulate.{name}" for name in ("nets", "tasks", "data", "trainer", "groups", "shards")),
}
ROOT = Path(__file__).parent.parent
FOLDERS = {"src/curveclinic": "curveclinic", **{top: f"curveclinic.{top}" for top in ("synth", "model", "weights")}}


def _module(folder: str, file: Path) -> str:
    inner = file.relative_to(ROOT / folder).with_suffix("").parts
    return ".".join((FOLDERS[folder], *(part for part in inner if part != "__init__")))


# Found on disk: pkgutil does not see the folders that an editable install maps into the package.
MODULES = sorted(
    name
    for folder in FOLDERS
    for name in (_module(folder, file) for file in (ROOT / folder).rglob("*.py"))
    if name not in NEED_TRAIN and not name.endswith(".__main__")
)


def _python(code: str) -> str:
    done = subprocess.run([sys.executable, "-W", "error::ImportWarning", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_is_light() -> None:
    loaded = set(_python("import sys, curveclinic; print('\\n'.join(sys.modules))").split())
    assert "curveclinic" in loaded
    assert loaded.isdisjoint({*HEAVY, "curveclinic.synth", "curveclinic.model.network"})


def test_a_command_loads_what_it_needs() -> None:
    explain = "from curveclinic.cli import main; main(['explain', 'overfitting'])"
    others = {f"curveclinic.{name}" for name in ("readers", "archive.scan", "engines.archive", "commands.runs")}
    loaded = set(_python(f"import sys; {explain}; print('\\n'.join(sys.modules))").split())
    assert loaded.isdisjoint({*HEAVY, *others, "sqlite3", "multiprocessing"})


def test_a_small_log_is_diagnosed_without_what_is_slow_to_load() -> None:
    log = ROOT / "examples" / "digits-overfit" / "training_log.csv"
    diagnose = f"from curveclinic.cli import main; main(['diagnose', {str(log)!r}])"
    printed = _python(f"import sys; {diagnose}; print('\\n'.join(sys.modules))")
    assert "overfitting" in printed
    assert "onnxruntime" in printed.split()
    assert set(printed.split()).isdisjoint({"pyarrow", "numpy.ma", "urllib.request", "rich.progress", "statistics"})


def test_every_module_imports_without_extras() -> None:
    """One interpreter for all of them; a name set to None in sys.modules cannot be imported."""
    code = (
        f"import importlib, sys, traceback\n"
        f"sys.modules.update(dict.fromkeys({EXTRAS!r}))\n"
        f"for name in {MODULES!r}:\n"
        f"    try: importlib.import_module(name)\n"
        f"    except ImportError: print(name, traceback.format_exc())\n"
    )
    assert _python(code) == ""


def test_all_subpackages_are_seen() -> None:
    assert {"curveclinic.synth", "curveclinic.model", "curveclinic.weights", "curveclinic.readers"} <= set(MODULES)


@pytest.mark.parametrize("name", ["synth", "model", "weights"])
def test_bare_folder_names_are_not_installed(name: str) -> None:
    """Away from the repository root nothing of ours answers to a bare folder name."""
    code = (
        f"import sys; sys.path = [p for p in sys.path if p]; import importlib.util as u; print(u.find_spec({name!r}))"
    )
    assert _python(code).strip() == "None"
