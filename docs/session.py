"""Writes what can be computed into README.md: the output of its commands and Python lines, the tables of labels and
formats.

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

from curveclinic.labels import REQUIRED
from curveclinic.readers import FORMATS
from curveclinic.symptoms import SYMPTOMS

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"

COMMANDS: Final = {
    "session:diagnose": "curveclinic diagnose examples/digits-overfit",
    "session:scan": "curveclinic scan examples -o out.parquet",
    "session:explain": "curveclinic explain overfitting",
    "session:check": "curveclinic check lr-range examples/digits-lr-ramp",
}
"""Block of the README -> the command it shows."""

PYTHON: Final = (
    "import json",
    "from curveclinic import predict_pathology",
    "history = json.load(open('examples/digits-random-labels/history.json'))",
    "d = predict_pathology({'train_loss': history['loss'], 'val_loss': history['val_loss']})",
    "d.verdict, d.labels, d.is_healthy",
    "print(d.findings[0].evidence)",
)
"""Lines typed at a Python prompt."""

WRITES: Final = {
    "neptune": "Parquet of the Neptune exporter, its parts together (by its documented layout)",
    "parquet": "long tables, or lists in cells; pandas, polars and pyarrow write both; what `curveclinic index` writes",
    "mlflow_db": "`mlflow.db` of MLflow, opened read-only; deleted runs are passed over",
    "trackio": "the SQLite database of Trackio",
    "sqlite": "no runs: other databases are refused with what was found in them",
    "mlflow": "run folders of MLflow's file store (`mlruns/`)",
    "dvclive": "folders of DVCLive",
    "wandb": "`run-*.wandb`, the offline log of Weights & Biases",
    "tensorboard": "event files of torch, tensorboardX, Keras and Lightning, simple and tensor scalars",
    "jsonl": "one JSON object a line, flat or nested: mmengine, mmcv, detectron2, DeiT and MAE, own ones",
    "trainer_state": "`trainer_state.json` of Hugging Face's Trainer; of several checkpoints the newest",
    "fairseq": "`--log-format json` of fairseq",
    "nnunet": "`training_log_*.txt` of nnU-Net",
    "ludwig": "`training_statistics.json` of Ludwig",
    "text": "console output: Keras, PyTorch scripts, Hugging Face, mmengine, tqdm bars; any text with `--pattern`",
    "keras_history": "`History.history` as JSON; also any JSON object or list of curves",
    "wandb_export": "charts of Weights & Biases as CSV (by its documented layout)",
    "csv": "Keras' CSVLogger, Lightning's `metrics.csv`, Ultralytics' `results.csv`, fastai, timm, any other table",
}
"""Format -> who writes it."""

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
        needs = " and ".join(" or ".join(f"`{name}`" for name in names) for names in REQUIRED[symptom.label])
        picture = f'<img src="docs/labels/{symptom.label}.svg" width="260" alt="{symptom.title}">'
        rows.append(f"| `{symptom.label}` | {symptom.looks} | {needs} | {picture} |")
    return "\n".join(rows)


def format_table() -> str:
    """One row a log format, in the order they are tried."""
    rows = ["| format | what is read |", "|---|---|"]
    rows += [f"| `{found.name}` | {WRITES[found.name]} |" for found in FORMATS]
    return "\n".join(rows)


def main() -> None:
    """Fills the blocks."""
    blocks = {name: session(command) for name, command in COMMANDS.items()}
    blocks |= {"session:python": python_session(), "labels": label_table(), "formats": format_table()}
    fill(README, blocks)


if __name__ == "__main__":
    main()
