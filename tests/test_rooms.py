"""Which room of the house may import which: the arrows of CONTRIBUTING.md point one way."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "curveclinic"

PUBLIC = {"cohort", "outliers", "predict", "scoring", "verdict_rows"}
DOORS = {"", "__init__", "__main__", "cli"}
"""Modules of `src/curveclinic/` above the rooms; what all share is the others, called "core" here."""

WRITTEN = {"model.causes", "model.export", "model.int8"}
"""Modules of `model/` that write what `deciding` reads, when a network has been trained."""

MAY_IMPORT = {
    "core": set(),
    "measuring": {"core"},
    "intake": {"core", "measuring"},
    "readers": {"core", "intake"},
    "model": {"core", "measuring", "weights"},
    "deciding": {"core", "measuring", "model"},
    "report": {"core", "measuring"},
    "checks": {"core", "measuring"},
    "written": {"core", "model", "deciding"},
    "synth": {"core", "measuring", "deciding", "readers", "report"},
    "public": {"core", "measuring", "intake", "deciding", "report"},
    "archive": {"core", "intake", "readers", "deciding", "public"},
    "engines": {"core", "readers", "archive", "public"},
    "commands": {"core", "readers", "deciding", "report", "archive", "engines", "checks", "public"},
    "doors": {"core", "checks", "commands", "public"},
}

UPWARD = {("diagnosis", "report")}
"""What asks upwards all the same, when it is called: a `Diagnosis` prints and draws itself."""


def room_of(module):
    """The room of `curveclinic.<module>`, the module without its package."""
    first = module.partition(".")[0]
    if module in WRITTEN:
        return "written"
    if first in MAY_IMPORT or first == "weights":
        return first
    return "public" if first in PUBLIC else "doors" if first in DOORS else "core"


def imported(path):
    """Modules of the package that a file imports anywhere, without the name of the package."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "curveclinic":
            rest = node.module.partition(".")[2]
            yield from [rest] if rest else [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            yield from (a.name.partition(".")[2] for a in node.names if a.name.partition(".")[0] == "curveclinic")


FILES = {
    path.relative_to(folder).with_suffix("").as_posix().replace("/", "."): path
    for folder in (PACKAGE, ROOT)
    for path in folder.rglob("*.py")
    if folder == PACKAGE or path.relative_to(ROOT).parts[0] in ("model", "synth")
}


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_what_lies_below_it(room):
    own = {module: path for module, path in FILES.items() if room_of(module) == room}
    assert own
    wrong = [
        f"{module} imports {other}"
        for module, path in own.items()
        for other in imported(path)
        if room_of(other) not in MAY_IMPORT[room] | {room} and (module, room_of(other)) not in UPWARD
    ]
    assert wrong == []


def test_rooms_form_no_circle():
    """Deciding asks the encoder of the model; what the model asks lies below both."""
    left = dict(MAY_IMPORT)
    while left:
        lowest = [room for room, others in left.items() if not others & left.keys()]
        assert lowest, f"a circle among {', '.join(left)}"
        for room in lowest:
            del left[room]
