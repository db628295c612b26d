"""Wheel and sdist hold the whole namespace package and nothing else at top level."""

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:  # pytest brings it along there
    import tomli as tomllib

ROOT = Path(__file__).parent.parent
SOURCES = (
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "MANIFEST.in",
    "src",
    "synth",
    "model",
    "weights",
    "train.py",
    "tests",
)
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
PACKAGE_DIR: dict[str, str] = SETTINGS["package-dir"]
MODULES = {
    f"{package.replace('.', '/')}/{file.name}"
    for package in SETTINGS["packages"]
    for file in (ROOT / PACKAGE_DIR.get(package, "src/" + package.replace(".", "/"))).glob("*.py")
}


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wheel and sdist of a copy of the sources, so that no build/ or egg-info is left in the tree."""
    copy, out = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("dist")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        elif (ROOT / name).exists():
            shutil.copy(ROOT / name, copy / name)
    command = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--sdist", "--outdir", str(out), str(copy)]
    built = subprocess.run(command, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout + built.stderr
    return out


@pytest.fixture(scope="module")
def wheel_files(dist: Path) -> set[str]:
    (wheel,) = dist.glob("*.whl")
    return set(zipfile.ZipFile(wheel).namelist())


@pytest.fixture(scope="module")
def sdist_files(dist: Path) -> set[str]:
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


def test_wheel_has_every_module(wheel_files: set[str]) -> None:
    assert {name for name in wheel_files if name.endswith(".py")} == MODULES
    for subpackage in ("synth", "model", "weights", "readers"):
        assert f"curveclinic/{subpackage}/__init__.py" in wheel_files


def test_wheel_has_data_files(wheel_files: set[str]) -> None:
    data = {
        f"curveclinic/weights/{f.name}"
        for pattern in ("*.onnx", "*.json", "*.md")
        for f in ROOT.glob(f"weights/{pattern}")
    }
    assert data | {"curveclinic/py.typed"} <= wheel_files
    assert any(name.endswith("LICENSE") for name in wheel_files)


def test_wheel_has_one_top_level_package(wheel_files: set[str]) -> None:
    top = {name.split("/")[0] for name in wheel_files}
    assert {name for name in top if not name.endswith(".dist-info")} == {"curveclinic"}


def test_wheel_has_the_command(dist: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    archive = zipfile.ZipFile(wheel)
    (entry,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
    assert archive.read(entry).decode().split("\n")[:2] == ["[console_scripts]", "curveclinic = curveclinic.cli:main"]


def test_sdist_can_be_built_from(sdist_files: set[str]) -> None:
    expected = {
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "synth/__init__.py",
        "model/__init__.py",
        "weights/__init__.py",
    }
    assert expected | {"src/curveclinic/__init__.py", "src/curveclinic/py.typed"} <= sdist_files
    assert {f"weights/{f.name}" for f in ROOT.glob("weights/*.onnx")} <= sdist_files
    assert not any(name.startswith("tests/") for name in sdist_files)  # they need the rest of the repository


def test_every_folder_with_code_is_packaged() -> None:
    roots = {"src/curveclinic": "curveclinic", **{top: f"curveclinic.{top}" for top in ("synth", "model", "weights")}}
    found = {
        ".".join([package, *init.parent.relative_to(ROOT / folder).parts])
        for folder, package in roots.items()
        for init in (ROOT / folder).rglob("*.py")
    }
    assert found == set(SETTINGS["packages"])


def test_default_install_stays_small() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {re.split(r"[<>=~! \[]", requirement)[0] for requirement in project["dependencies"]}
    assert names == {"numpy", "onnxruntime", "pyarrow", "rich"}


def test_torch_is_pinned() -> None:
    """A range would let pip choose a build with gigabytes of CUDA libraries."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert [requirement for group in extras.values() for requirement in group if requirement.startswith("torch")] == [
        "torch==2.13.0"
    ]
