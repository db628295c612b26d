"""Damaged logs of every format: truncated, with flipped bits, and one written after another.

Never a crash (only `LogError` comes out, as one failed row), never a hang, never a silent wrong number:

- truncated: every point read stands in the intact file at the same step, unless the run notes the damage;
- concatenated: every value read is one of either file's, at whatever step the continued counter gives it;
- flipped bits: a changed digit cannot be known in a format without checksums, so the number of points that
  change is bounded by the number of flipped bytes, unless the run notes something new or a series is named anew.

The fixtures are collected by walking `examples/` and `tests/fixtures/`; a new format joins with its first fixture.
A few dozen cases a format run always, 10,000 with `pytest -m slow tests/test_fuzz.py`.
"""

import gzip
import math
import re
import shutil
import signal
import sqlite3
from collections import Counter, defaultdict
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from curveclinic.readers import FORMATS, ReadFailure, read_runs

ROOT = Path(__file__).parent.parent
SKIPPED = re.compile(r"expected\.json|README.*|.*\.(py|md|template|gitattributes)|\.git.*|requirements\.txt")

FEW, MANY = 30, 10_000
"""Cases for each format and kind of damage: in the ordinary run, and (over the three kinds) in the slow one."""

SECONDS = 20
"""A file of a few kilobytes that takes longer than this is taken for a hang."""

DAMAGE = re.compile(
    r"damaged|cut short|cut off|broken|left out|no JSON|do not fit|truncated|ends in|not numbers|incomplete|corrupt"
    r"|quotation marks|start(s|ed) over|resumed|out of order|repeated steps|restarted|unreadable|could not"
)
"""What a note of damage says."""

RESUMED = re.compile(r"resumed|out of order|repeated steps|restarted|start(s|ed) over|placed by time")
"""What a note says of a log in which a step was written twice, or that has no steps but those of what is left."""

UNCHECKED = {
    "parquet": "pages without checksums",
    "neptune": "pages without checksums",
    "mlflow_db": "pages without checksums",
    "trackio": "pages without checksums",
}
"""Formats in which one flipped byte may change many numbers, and nothing in the file tells."""


@dataclass(frozen=True)
class Unit:
    """A log and what is read from it: the smallest folder or file that `read_runs` takes as a whole."""

    path: Path
    files: tuple[Path, ...]


@contextmanager
def no_hang():
    """Fails what computes for longer than SECONDS, where the system can tell."""
    if not hasattr(signal, "SIGPROF"):
        yield
        return

    def stop(*_):
        raise AssertionError(f"still reading after {SECONDS} s of computing")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def copied(source, target):
    """Copies a fixture, unpacking what is kept compressed."""
    shutil.copytree(source, target, ignore=lambda _, names: [n for n in names if SKIPPED.fullmatch(n)])
    for packed in list(target.rglob("*.gz")):
        packed.with_suffix("").write_bytes(gzip.decompress(packed.read_bytes()))
        packed.unlink()


def units(folder):
    """The logs in a copied fixture: its files, and the folders whose files make one run."""
    whole = [r for r in read_runs([folder]) if not isinstance(r, ReadFailure)]
    found = {}
    for run in whole:
        path = Path(run.path)
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        found.setdefault(path, (run.format, Unit(path, tuple(files))))
    return list(found.values())


REFUSED = "other database"


def other_database(path):
    """A SQLite database of neither MLflow nor Trackio, which is refused."""
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE losses (step INTEGER, train_loss REAL)")
    connection.executemany("INSERT INTO losses VALUES (?, ?)", [(k, 1 / (k + 1)) for k in range(300)])
    connection.commit()
    connection.close()
    return Unit(path, (path,))


@pytest.fixture(scope="session")
def by_format(tmp_path_factory):
    """Format -> its units, in a copy that may be damaged."""
    base = tmp_path_factory.mktemp("fuzz")
    found = defaultdict(list)
    roots = [
        p for parent in (ROOT / "examples", ROOT / "tests" / "fixtures") for p in sorted(parent.iterdir()) if p.is_dir()
    ]
    for k, root in enumerate(roots):
        if root.name == "__pycache__":
            continue
        copy = base / str(k) / root.name
        copied(root, copy)
        for name, unit in units(copy):
            found[name].append(unit)
    found[REFUSED].append(other_database(base / "other.db"))
    return found


def read(path):
    """The runs at a path, and the failures; whatever else is raised is a crash."""
    with no_hang():
        items = list(read_runs([path]))
    for item in items:
        if isinstance(item, ReadFailure):
            assert item.reason
        else:
            for series in item.channels.values():
                assert len(series.steps) == len(series.values) > 0
                assert np.isfinite(series.steps).all()
                assert (np.diff(series.steps) > 0).all()
    return [item for item in items if not isinstance(item, ReadFailure)]


@contextmanager
def damaged(path, data):
    """Puts other bytes into a file for a while."""
    intact = path.read_bytes()
    path.write_bytes(data)
    try:
        yield
    finally:
        path.write_bytes(intact)


_intact = {}


def intact(unit):
    if unit.path not in _intact:
        _intact[unit.path] = read(unit.path)
    return _intact[unit.path]


def sources(run):
    """Channel -> the names it was made of, as the run says."""
    return dict(re.findall(r"^(\S+) <- (.*)$", "\n".join(run.notes), re.MULTILINE))


def says_damaged(run, *intact):
    """Whether a run has a note of damage that the intact ones do not have."""
    usual = {note for one in intact for note in one.notes}
    return any(DAMAGE.search(note) for note in run.notes if note not in usual)


def pairs(mine, theirs):
    """Runs of a damaged log beside those of the intact one, in the order written."""
    by_id = {r.run_id: r for r in theirs}
    return [(r, by_id.get(r.run_id) or theirs[min(k, len(theirs) - 1)]) for k, r in enumerate(mine)]


def strangers(run, whole):
    """Points of a run that the intact run does not have at the same step: (channel, step, value)."""
    out = []
    for channel, series in run.channels.items():
        if sources(run).get(channel) != sources(whole).get(channel) or channel not in whole.channels:
            continue  # made of something else, and the run says of what
        known = dict(zip(whole.channels[channel].steps.tolist(), whole.channels[channel].values.tolist(), strict=True))
        if any(note.startswith(f"{channel} is counted in other units") for note in run.notes):
            known = dict(zip(series.steps.tolist(), whole.channels[channel].values.tolist(), strict=False))
        for step, value in zip(series.steps.tolist(), series.values.tolist(), strict=True):
            other = known.get(step, math.inf)
            if not (value == other or (math.isnan(value) and math.isnan(other))):
                out.append((channel, step, value))
    return out


def check_truncated(unit, file, share):
    data = file.read_bytes()
    size = int(share * len(data))
    with damaged(file, data[:size]):
        runs = read(unit.path)
    for run, whole in pairs(runs, intact(unit)):
        if any(RESUMED.search(note) for note in whole.notes):
            continue  # cut between two lines, which nothing tells, other values may win a step
        assert says_damaged(run, whole) or not strangers(run, whole), (file.name, size, run.notes)


def check_flipped(unit, file, flips, name):
    data = bytearray(file.read_bytes())
    for share, bit in flips:
        if data:
            data[int(share * len(data))] ^= 1 << bit
    with damaged(file, bytes(data)):
        runs = read(unit.path)
    whole = intact(unit)
    if name in UNCHECKED or len(runs) != len(whole):
        return
    for run, other in pairs(runs, whole):
        if run.notes != other.notes or set(run.channels) != set(other.channels):
            continue
        changed = {c: n_changed(run.channels[c].values, other.channels[c].values) for c in run.channels}
        assert max(changed.values(), default=0) <= 2 * len(flips), (file.name, flips, changed)


def n_changed(mine, theirs):
    """Number of values that came, went or changed; which step they stand at is left aside."""
    mine, theirs = Counter(map(str, mine.tolist())), Counter(map(str, theirs.tolist()))
    return max((mine - theirs).total(), (theirs - mine).total())


def check_joined(unit, file, other):
    data, more = file.read_bytes(), other.read_bytes()
    known = set()
    parts = [run for path in (unit.path, other) for run in read(path)]
    for run in parts:
        known.update(v for series in run.channels.values() for v in series.values.tolist())
    with damaged(file, data + more):
        runs = read(unit.path)
    for run in runs:
        if says_damaged(run, *parts):
            continue
        for channel, series in run.channels.items():
            if sources(run).get(channel) not in {sources(part).get(channel) for part in parts}:
                continue  # made of something else, and the run says of what
            strange = [v for v in series.values.tolist() if v not in known and not math.isnan(v)]
            assert not strange or " + " in sources(run).get(channel, ""), (file.name, other.name, channel, strange[:3])


def fuzzed(by_format, name, kind, count):
    """Runs one kind of damage on the fixtures of one format."""
    if not by_format.get(name):
        pytest.skip(f"no fixture of {name}")
    targets = [(unit, file) for unit in by_format[name] for file in unit.files]
    share = st.floats(0, 1, exclude_max=True)
    draw = {
        "truncated": st.tuples(share),
        "flipped": st.tuples(st.lists(st.tuples(share, st.integers(0, 7)), min_size=1, max_size=4)),
        "joined": st.tuples(st.integers(0, len(targets) - 1)),
    }[kind]

    @settings(
        max_examples=count, deadline=None, derandomize=True, database=None,
        phases=[Phase.generate], suppress_health_check=list(HealthCheck), print_blob=False,
    )  # fmt: skip
    @given(st.integers(0, len(targets) - 1), draw)
    def case(index, how):
        unit, file = targets[index]
        if kind == "truncated":
            check_truncated(unit, file, *how)
        elif kind == "flipped":
            check_flipped(unit, file, *how, name)
        else:
            check_joined(unit, file, targets[how[0]][1])

    case()


KINDS = ("truncated", "flipped", "joined")
NAMES = [*(f.name for f in FORMATS), REFUSED]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_damaged_logs(by_format, name, kind):
    fuzzed(by_format, name, kind, FEW)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NAMES)
def test_ten_thousand_damaged_logs(by_format, name, kind):
    fuzzed(by_format, name, kind, -(-MANY // len(KINDS)))


def test_every_format_has_a_fixture(by_format):
    assert set(NAMES) - set(by_format) == set()
