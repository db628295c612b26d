"""What there is to read under the paths a user gives. A run may be a folder: TensorBoard, MLflow, DVCLive, W&B.

Of a run that is logged twice the worse copy is passed over, but only where a look at the better one says that it is
one: it can be read, is of its format, and begins as a compressed copy does. In an object store it is only not empty.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Container, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from pathlib import Path

from curveclinic.intake.naming import parse
from curveclinic.intake.vocabulary import SPLITS, tokens
from curveclinic.readers import json_lines, remote, sided_tables, trainer_state, wandb_offline
from curveclinic.readers.checkpoints import Checkpoints, instead_of, number_of
from curveclinic.readers.compressed import SUFFIXES, repeats
from curveclinic.readers.folders import Folder
from curveclinic.readers.formats import BY_NAME, FORMATS
from curveclinic.readers.side_by_side import grouped
from curveclinic.readers.source import Source

_TRAINER_EVENTS = "runs"
_COPIES = ("result.json", "progress.csv", "metrics.csv")
"""Files that Ray Tune and Lightning write beside event files, or one beside the other: most likely of the same run."""
_VERSION = re.compile(r"version_(\d+)")
_DATA, _SCALARS = "vis_data", "scalars.json"
"""Where mmengine has its JSON lines."""
_BOOSTED = "catboost_training.json"
"""All of a training of CatBoost, which the tables and folders beside it repeat."""
_BOOSTED_ROW = re.compile(rb'"iterations"\s*:\s*\[\s*\{[^{}]*"iteration"[^{}]*\}')
_BOOSTED_TABLES = {"learn_error.tsv", "test_error.tsv", "time_left.tsv"}
_BOOSTED_FOLDER = re.compile(r"learn|test\d*")
_SKIPPED_FOLDERS = {"__pycache__", "node_modules"}


def exists(path: str) -> bool:
    """Says whether there is such a file or folder, here or in an object store; one that nobody may look at is."""
    if remote.is_remote(path):
        return remote.is_folder(path.rstrip("/")) or remote.is_file(path)
    try:
        os.stat(path)
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False
    return True


def find_sources(path: str | os.PathLike[str]) -> Iterator[Source]:
    """Yields what can be read at a path: the file itself, or the files and TensorBoard runs in a folder."""
    root = os.fspath(path)
    source = file_source(root)
    if source is not None:
        yield source
    elif remote.is_remote(root):
        with remote.listed(root.rstrip("/")):
            yield from _walk(Folder(root.rstrip("/")), _Search())
    else:
        yield from _walk(Folder(root), _Search())


def file_source(path: str) -> Source | None:
    """Returns the source that a path is, a file or what was taken for one; None for a folder."""
    if remote.is_remote(path):
        root = path.rstrip("/")
        return None if remote.is_folder(root) else Source(root, root)
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):  # reading it says what is wrong
        mode = stat.S_IFREG
    if stat.S_ISDIR(mode):
        return None
    why = "found a pipe, socket or device, expected a file; send a stream to standard input and name it -"
    run_id = os.path.basename(path) if os.path.isabs(path) else Path(path).as_posix()
    return Source(path, run_id, unreadable="" if stat.S_ISREG(mode) else why)


def is_event_file(name: str) -> bool:
    """Says whether TensorBoard would take a file of this name for an event file, and could read it."""
    return "tfevents" in name and not name.endswith(SUFFIXES)


def tensorboard_source(folder: Folder, *, named: bool = True, prefix: str = "") -> Source | None:
    """Returns the TensorBoard run in a folder, its split sub-folders included; None if there is none.

    Its own tags get a prefix where its name says that it is of an evaluation.
    """
    own = _event_files(folder, prefix)
    for name in _parts(folder, _sided(folder)):
        own += _event_files(_below(folder, name), f"{name}/")
    return Source(folder.path, folder.run_id, parts=tuple(own), named=named, format="tensorboard") if own else None


def _event_files(folder: Folder, prefix: str = "") -> list[tuple[str, str]]:
    """Returns the event files of a folder, each with a prefix for its tags."""
    return [(prefix, folder.place_of(name)) for name in folder.files if is_event_file(name)]


def folder_source(folder: Folder) -> Source | None:
    """Returns the run that a folder as a whole is; None if it is none."""
    found = tracker_source(folder) or tensorboard_source(folder)
    if not found and _is_boosted(folder):
        return Source(folder.place_of(_BOOSTED), f"{folder.run_id}/{_BOOSTED}")
    return found


def tracker_source(folder: Folder) -> Source | None:
    """Returns the run of an experiment tracker that a folder is, known by its layout; None if it is none."""
    named = folder.parent is None
    for found in FORMATS:
        if found.layout and found.layout.is_run_folder(folder):
            files = found.layout.remote_files(folder.path) if folder.is_remote else ()
            parts = tuple(("", file) for file in files)
            return Source(folder.path, folder.run_id, parts=parts, named=named, format=found.name, as_it_lies=True)
    log = wandb_offline.file_in(folder)
    if log is not None:
        return Source(folder.place_of(log), f"{folder.run_id}/{log}", named=named, format="wandb")
    return None


@dataclass(frozen=True)
class _Search:
    """What a search knows wherever it is.

    Attributes:
        seen: folders it was in; one reached twice is read once.
        given: paths of what is read together with another source.
        checkpoints: those of trainers.
    """

    seen: set[Hashable] = field(default_factory=set)
    given: set[str] = field(default_factory=set)
    checkpoints: Checkpoints = field(default_factory=Checkpoints)


def _walk(folder: Folder, search: _Search, prefix_of_tags: str = "") -> Iterator[Source]:
    """Yields the sources under a folder in order of their names.

    A folder that cannot be listed is a source that cannot be read; one that went away meanwhile is not there.
    """
    given, prefix = search.given, folder.prefix
    try:
        place = folder.identity()
    except FileNotFoundError:
        return
    except OSError as error:
        why = f"{error.strerror or error}; this folder is not searched"
        yield Source(folder.path, folder.run_id, unreadable=why)
        return
    if place in search.seen:
        return
    search.seen.add(place)
    tracked, taken = tracker_source(folder), set[str]()
    if tracked:
        yield tracked
        layout = BY_NAME[tracked.format].layout
        if not layout or not layout.curves:  # what else lies in such a folder are copies and artifacts of the run
            return
        taken.add(layout.curves)
    run = tensorboard_source(folder, named=False, prefix=prefix_of_tags)
    together = [run] if run and run.path not in given else []
    together += [copy for copy in _copies(folder) if copy.path not in given]
    beside = together[1:] or (_of_other_logger(together[0], folder) if together else [])
    if beside or together == [run]:
        given.update(copy.path for copy in (*together, *beside) if copy is not run)
        yield replace(together[0], beside=tuple(beside))
    others = [name for name in folder.files if not is_event_file(name) and folder.place_of(name) not in given]
    for names, format in grouped(folder.path, [name for name in others if not _is_twin(folder, name)]):
        name, path = names[0], folder.place_of(names[0])
        if len(names) > 1:
            files = tuple(("", folder.place_of(n)) for n in names)
            yield Source(path, prefix + name, parts=files, named=False, format=format)
        elif name == trainer_state.NAME:
            known = search.checkpoints
            newer = known.newer_than(folder)
            if not any(map(trainer_state.is_whole, newer)) and not known.is_torn_beside_whole(folder):
                events = _events_of_trainer(folder)
                given.update(other.path for other in events)
                yield Source(path, prefix + name, named=False, note=instead_of(newer), beside=events)
        else:
            yield Source(path, prefix + name, named=False)
    sided = _sided(folder)
    parts = _parts(folder, sided)
    for pair in sided.pairs if not _event_files(folder) else ():
        prefixes = pair.values() if len(set(pair.values())) == len(pair) else pair
        places = zip(map(folder.inner, pair), prefixes, strict=True)
        sides = [file for inner, tag in places for file in _event_files(inner, f"{tag}/")]
        first = folder.place_of(next(iter(pair)))
        yield Source(first, prefix + "+".join(pair), parts=tuple(sides), named=False, format="tensorboard")
        parts += pair
    for paths in _across(folder):
        given.update(paths)
        run_id = prefix + "/".join(Path(paths[0]).parts[-2:])
        files = tuple(("", path) for path in paths)
        yield Source(paths[0], run_id, parts=files, named=False, format="sided_tables")
    for name in parts:
        yield from _rest_of_part(_below(folder, name), given)
    taken |= {name.partition("/")[0] for name in parts}
    for name in _folders(folder):
        if name not in taken:
            side = sided.lone.get(name, "")
            yield from _walk(folder.inner(name), search, f"{side}/" if side else "")
        folder.leave(name)


def _copies(folder: Folder) -> list[Source]:
    """Returns the files of a folder that are likely copies of each other, or of the event files there."""
    names = [] if folder.is_remote else filter(folder.has_file, _COPIES)
    return [Source(folder.place_of(name), folder.prefix + name, named=False) for name in names]


def _of_other_logger(source: Source, folder: Folder) -> list[Source]:
    """Returns what may be the same run in the next version of Lightning's, where two loggers write side by side."""
    number = _VERSION.fullmatch(folder.name)
    if number is None or folder.parent is None or folder.is_remote:
        return []
    name = f"version_{int(number[1]) + 1}"
    if not folder.parent.has_folder(name):
        return []
    other = folder.parent.inner(name)
    run, copies = tensorboard_source(other, named=False), _copies(other)
    if source.format == "tensorboard":
        return [] if run else copies
    return [run] if run and not copies else []


def _events_of_trainer(folder: Folder) -> tuple[Source, ...]:
    """Returns the event files that a Hugging Face trainer wrote beside its state, a source a session."""
    of_run = folder if number_of(folder) is None else folder.parent
    if of_run is None or folder.is_remote or not of_run.has_folder(_TRAINER_EVENTS):
        return ()
    sessions = of_run.inner(_TRAINER_EVENTS)
    return tuple(filter(None, (tensorboard_source(sessions.inner(n), named=False) for n in _folders(sessions))))


def _rest_of_part(folder: Folder, given: Container[str]) -> Iterator[Source]:
    """Yields the other files beside the event files of a part of a run."""
    for name in folder.files:
        if not is_event_file(name) and folder.place_of(name) not in given:
            yield Source(folder.place_of(name), folder.prefix + name, named=False)


def _across(folder: Folder) -> Iterator[list[str]]:
    """Yields the tables of one run in sub-folders that are called like its sides: `train/log.csv`, `val/log.csv`."""
    sides = {name: SPLITS[name.lower()] for name in folder.folders if name.lower() in SPLITS}
    train = [folder.inner(name) for name, side in sides.items() if side == "train"]
    if len(train) != 1 or len(sides) < 2 or folder.is_remote:
        return
    for name in filter(sided_tables.may_be_table, train[0].files):
        places = [inner.place_of(name) for inner in map(folder.inner, sides) if inner.has_file(name)]
        if len(places) > 1 and (found := sided_tables.together(places)):
            yield found


def _below(folder: Folder, name: str) -> Folder:
    """Returns a part of a run, which is a folder in this one, or in one of those."""
    return reduce(Folder.inner, name.split("/"), folder)


def _folders(folder: Folder) -> list[str]:
    names = [name for name in folder.folders if name not in _SKIPPED_FOLDERS]
    if "learn" in names and _is_boosted(folder):
        return [n for n in names if not (_BOOSTED_FOLDER.fullmatch(n) and _is_all_events(folder.inner(n)))]
    return names


def _is_all_events(folder: Folder) -> bool:
    """Says whether a folder holds nothing but event files."""
    return all(map(is_event_file, folder.files)) and not folder.folders


@dataclass(frozen=True)
class _Sided:
    """Sub-folders with event files whose names say a side, name -> side.

    Attributes:
        own: parts of the run that the folder is, as Keras' `train` and `validation`.
        pairs: runs of their own, as `exp1_train` and `exp1_val` beside `exp2_train` and `exp2_val`.
        lone: folders of evaluation beside those of training, to none of which they belong.
    """

    own: Mapping[str, str]
    pairs: Sequence[Mapping[str, str]]
    lone: Mapping[str, str]


def _parts(folder: Folder, sided: _Sided) -> list[str]:
    """Sub-folders that are parts of this folder's run.

    Beside event files these are also `loss_train` and `loss_val`, as torch writes `add_scalars("loss", {"train":
    ...})`, and tensorboardX' `loss/train`.
    """
    if not _event_files(folder):
        return list(sided.own)
    parts = [name for group in (sided.own, *sided.pairs) for name in group]
    for name in _folders(folder):
        if parse(name).quantity in ("loss", "metric"):
            inner = _sided(folder.inner(name))
            parts += [f"{name}/{part}" for group in (inner.own, *inner.pairs) for part in group]
    return parts


def _sided(folder: Folder) -> _Sided:
    """Returns which sub-folders hold the sides of one run.

    Both sides must be there with event files, or they are runs of that name. If one folder alone is of the training,
    all are one run; else those whose names have all but the side in common, then those that differ in numbers only.
    """
    sides, rests = {}, {}
    for name in _folders(folder):
        words = tokens(name)
        word = next((w for w in words if w in SPLITS), None)
        if word and _event_files(folder.inner(name)):
            sides[name], rests[name] = SPLITS[word], " ".join(w for w in words if w != word)
    if len(sides) < 2:
        return _Sided({}, (), {})
    if list(sides.values()).count("train") == 1:
        rests = dict.fromkeys(sides, "")
    pairs = _whole(sides, rests)
    left = {name: re.sub(r"[\d ]", "", rest) for name, rest in rests.items() if rest not in pairs}
    numbered = [pair for pair in _whole(sides, left).values() if list(pair.values()).count("train") == 1]
    taken = {name for pair in numbered for name in pair}
    lone = {n: sides[n] for n in left if n not in taken and sides[n] != "train" and "train" in sides.values()}
    return _Sided(pairs.pop("", {}), [*pairs.values(), *numbered], lone)


def _whole(sides: Mapping[str, str], rests: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Returns the folders of the same rest of a name, name -> side, where there are some of both sides."""
    groups: dict[str, dict[str, str]] = {}
    for name, rest in rests.items():
        groups.setdefault(rest, {})[name] = sides[name]
    return {rest: group for rest, group in groups.items() if "train" in group.values() and len(set(group.values())) > 1}


def _is_twin(folder: Folder, name: str) -> bool:
    """Says whether the same run is logged a second time, and better, beside a file.

    mmcv writes `T.log` beside `T.log.json`; mmengine `T/T.log`, `T/vis_data/T.json` and `T/vis_data/scalars.json`.
    `gzip -k` leaves `T.log` beside `T.log.gz`. CatBoost has tables beside its JSON.
    """
    if name in _BOOSTED_TABLES:
        return _is_boosted(folder)
    stem, suffix = os.path.splitext(name)
    if suffix in SUFFIXES and folder.has_file(stem) and _is_copy(folder.place_of(name), folder.place_of(stem)):
        return True
    if not stem:
        return False
    if suffix == ".log":
        in_data = folder.has_folder(_DATA) and _is_lines(folder.inner(_DATA), _SCALARS)
        return in_data or _is_lines(folder, f"{name}.json")
    return suffix == ".json" and name != _SCALARS and folder.name == _DATA and _is_lines(folder, _SCALARS)


def _is_boosted(folder: Folder) -> bool:
    """Says whether a folder holds the JSON of CatBoost, with a whole row at least."""
    return folder.has_file(_BOOSTED) and _begins(
        folder.place_of(_BOOSTED), lambda h: _BOOSTED_ROW.search(h) is not None
    )


def _is_copy(packed: str, plain: str) -> bool:
    """Says whether a compressed file is likely a copy of a plain one."""
    return remote.stat(plain).size > 0 if remote.is_remote(plain) else repeats(packed, plain)


def _is_lines(folder: Folder, name: str) -> bool:
    """Says whether there is a file of JSON lines of this name."""
    return folder.has_file(name) and _begins(folder.place_of(name), json_lines.sniff)


def _begins(path: str, fits: Callable[[bytes], bool]) -> bool:
    """Says whether the head of a file fits; one in an object store does when it is not empty."""
    if remote.is_remote(path):
        return remote.stat(path).size > 0
    try:
        return fits(Source(path, path).head())
    except OSError:
        return False
