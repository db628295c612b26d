"""Writes what can be computed into README.md and the pages of docs/: the output of commands and Python lines, and the
tables of labels and formats.

    python docs/session.py

Run it after a change of the weights, the rules, the texts or the examples. Commands run in a folder that holds a copy
of `examples/` and nothing else, so that their output names no machine. Scores have a script of their own,
`benchmarks/readme_scores.py`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from marked import fill

from curveclinic.labels import TRAITS
from curveclinic.readers import formats
from curveclinic.readers.formats import FORMATS, Format
from curveclinic.symptoms import SYMPTOMS

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
COMMANDS_PAGE = ROOT / "docs" / "cli.md"
FORMATS_PAGE = ROOT / "docs" / "formats.md"

COMMANDS: Final = {
    "session:diagnose": "curveclinic diagnose examples/digits-overfit",
    "session:scan": "curveclinic scan examples -o out.parquet",
}
"""Block of the README -> the command it shows."""

CHECK: Final = "curveclinic check lr-range examples/digits-lr-ramp"
"""The command that docs/cli.md shows."""

PYTHON: Final = (
    "import json",
    "from curveclinic import predict_pathology",
    "history = json.load(open('examples/digits-random-labels/history.json'))",
    "d = predict_pathology({'train_loss': history['loss'], 'val_loss': history['val_loss']})",
    "d.verdict, d.labels, d.is_healthy",
    "print(d.findings[0].evidence)",
)
"""Lines typed at a Python prompt."""

_PROMPT: Final = """
import sys
names = {}
for line in sys.stdin.read().splitlines():
    print(">>>", line)
    exec(compile(line, "README.md", "single"), names)
"""


def session(command: str) -> str:
    """A shell command with what it prints, as a block of Markdown."""
    program, *arguments = command.split()
    printed = _printed([sys.executable, "-m", program, *arguments], typed="")
    return f"```console\n$ {command}\n{printed}\n```"


def python_session() -> str:
    """The Python lines with what they print, as a block of Markdown."""
    return f"```pycon\n{_printed([sys.executable, '-c', _PROMPT], typed=chr(10).join(PYTHON))}\n```"


def _printed(command: list[str], *, typed: str) -> str:
    """Standard output of a command run beside a copy of the examples; what it complains of is shown here.

    Raises:
        CalledProcessError: it did not exit with 0.
    """
    plain = {"NO_COLOR": "1", "COLUMNS": "100", "PYTHONIOENCODING": "utf-8"}
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "examples", Path(folder) / "examples", ignore=shutil.ignore_patterns("__pycache__"))
        done = subprocess.run(
            command, cwd=folder, env=os.environ | plain, input=typed.encode(), stdout=subprocess.PIPE, check=True
        )
    return "\n".join(line.rstrip() for line in done.stdout.decode().splitlines())


def label_table() -> str:
    """One row a label: name, what it looks like, what it needs, picture."""
    rows = ["| label | what it looks like | needs | picture |", "|---|---|---|---|"]
    for symptom in SYMPTOMS.values():
        needs = " and ".join(" or ".join(f"`{name}`" for name in names) for names in TRAITS[symptom.label].needs)
        picture = f'<img src="docs/labels/{symptom.label}.svg" width="260" alt="{symptom.title}">'
        rows.append(f"| `{symptom.label}` | {symptom.looks} | {needs} | {picture} |")
    return "\n".join(rows)


def format_table() -> str:
    """One row a log format, in the order they are tried, with the modules that read it."""
    rows = ["| format | what is read | module |", "|---|---|---|"]
    rows += [f"| `{found.name}` | {found.contents} | {_modules(found)} |" for found in FORMATS]
    return "\n".join(rows)


def _modules(found: Format) -> str:
    """The files that its functions come from, the one that reads first."""
    functions = (found.read, found.sniff, found.holds)
    names = dict.fromkeys(f.__module__ for f in functions if f is not None)
    return ", ".join(f"`{name.removeprefix('curveclinic.readers.')}.py`" for name in names if name != formats.__name__)


def main() -> None:
    """Fills the blocks."""
    blocks = {name: session(command) for name, command in COMMANDS.items()}
    fill(README, blocks | {"session:python": python_session(), "labels": label_table()})
    fill(COMMANDS_PAGE, {"session:check": session(CHECK)})
    fill(FORMATS_PAGE, {"formats": format_table()})


if __name__ == "__main__":
    main()
