"""Lines of console output -> rows of named numbers: `Epoch 3/10 - loss: 0.12 - val_loss: 0.2` and its many cousins.

What a line says about its place (epoch, step, bar) is read first, then the pairs of a name and a number; a name
without a side takes it from a heading before it (`Test set: Average loss: 0.1`), or from what it sums up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from curveclinic.intake.naming import parse
from curveclinic.intake.orientations import SUMMARY
from curveclinic.intake.vocabulary import LOSS_WORDS, NEVER, NOISE, SPLITS, Rank, tokens
from curveclinic.readers.commas import Comma, has_points, is_grouped, is_with_comma, settled

Row = dict[str, str]

MAX_LINE = 20_000
"""Characters of the longest line looked at; a longer one is a dump of something else."""

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_DIGIT = re.compile(r"\d|\bnan\b|\binf", re.IGNORECASE)
_ENDS = re.compile(r"[\r\n\x08]+")

NUMBER: Final = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|[+-]?(?:nan|inf(?:inity)?)"
_COMMAS = r"(?:(?:,\d+)+(?:\.\d+)?(?:[eE][+-]?\d+)?)?"
"""What a comma within a number leads to; whether it is within one, the numbers of the log tell together."""
WRITTEN: Final = rf"(?:{NUMBER}){_COMMAS}"
_END = r"(?![\w:]|\.\w|\+\d)"

_PAIR = re.compile(
    r"(?<![\w@./\-])(?P<name>[A-Za-z_][\w@./\-]{0,60}(?: [A-Za-z_][\w@./\-]{0,60}){0,3})['\"]?"
    r"(?:\s*(?:[:=]|=>|->)\s*|\s+)['\"]?(?:tensor\(|np\.float\d+\()?"
    rf"(?P<value>{WRITTEN}){_END}(?P<of>/\d+(?:,\d{{3}})*)?(?:\s*\(\s*(?P<mean>{WRITTEN})\s*\))?",
    re.IGNORECASE,
)
"""A name of one to four words and its number; `0.52 (0.61)` is a value and its running mean, `9800/10000` a share."""

_GAP = re.compile(r"[\s,;|/]+")
"""What stands between the numbers of both sides: `loss train: 0.5, val: 0.6`."""

_UNIT = re.compile(r"\s*(?:%|[(\[]\s*[a-z%]|(?P<word>[a-z][\w./\-]*)(?![\w./\-]|['\"]?\s*[:=]))", re.IGNORECASE)
"""What may tell that the number before it is no loss: `val: 0.31 (acc)`, `eval: 12 samples/s`."""

_AXIS = re.compile(
    r"(?<![\w./\-])(?P<not>(?:max|total|num|warmup|per|every|best|last|of|from|until|after)[ _])?"
    r"(?P<axis>epoch|ep|iteration|iter|global[ _]step|step|batch|num[ _]updates|s(?=:\d)|it(?=:\d))"
    r"(?:\((?P<side>train|val|test)\))?['\"]?\s*(?:[:=#]\s*)?(?:['\"]\s*)?(?:\[\s*)?(?P<at>\d+(?:,\d+)*(?:\.\d+)?)(?:\s*/\s*\d+(?:,\d+)*)?\s*\]?"
    r"(?![\w%]|\.\d|:\d|,\d)",
    re.IGNORECASE,
)
_AXIS_COLUMN = {
    **dict.fromkeys(("epoch", "ep"), "epoch"),
    **dict.fromkeys(("iteration", "iter", "step", "batch", "s", "it"), "step"),
    **dict.fromkeys(("global step", "global_step"), "global_step"),
    **dict.fromkeys(("num updates", "num_updates"), "num_updates"),
}

_COUNT = re.compile(r"\[\s*(\d+(?:,\d{3})*)\s*/\s*\d+(?:,\d{3})*\s*(?:\(\s*\d+%\s*\)\s*)?\]")
"""`[640/60000 (1%)]`: how far the epoch is."""

_PLACE = re.compile(r"^\s*\[\s*(\d+)\s*(?:,|/\s*\d+\s*\]\s*\[)\s*(\d+)\s*(?:/\s*\d+\s*)?\]")
"""`[12, 2000] loss: 1.2` and `[12/25][2000/5000] Loss: 1.2`: epoch and batch."""

_LATER_PLACE = re.compile(r"\[\s*(\d+)\s*/\s*\d+\s*\]\s*\[\s*(\d+)\s*/\s*\d+\s*\]")
"""The same behind a time or a heading: `[10:31:07] [12/25] [2000/5000] Loss: 1.2`."""

_ROUND = re.compile(r"^\s*\[(\d+)\]\s")
"""`[7]  train-logloss:0.5`: the round of gradient boosting."""

ROUNDS: Final = re.compile(r"^\s*\[\d+\](?:\s+|#011)[^\s:][^:\n]*:\s*[+\-.\dni]", re.MULTILINE)
"""The beginning of such a line; SageMaker writes `#011` for a tab."""

_OWNER = re.compile(r"cv_agg's |(?<=\w)('s )(?=\w)|#011")
_SPREAD = re.compile(r"(?<=\d) ?\+ ?\d[\d.e\-]*")
"""In lines of LightGBM `valid_0's l2`, in those of cross-validation the deviation beside a mean, `0.5+0.01`."""

_ABREAST = ("rank", "gpu", "default", "worker", "node", "client", "replica", "device", "fold", "layer")
_RANK = re.compile(rf"\b(?:{'|'.join(_ABREAST)})[ _:#='\"]*[a-z]{{0,6}}(\d+)(?![\w.%])", re.IGNORECASE)
"""`[rank3] Epoch 7 loss: 0.5`, `[default3]:` of torchrun, `Layer 3 | Epoch 7`: which of those
trained side by side a line is of."""

_LABEL = re.compile(r"\s*(\d+):\s+(?=epoch)", re.IGNORECASE)
"""The same as `srun --label` writes it: `3: Epoch 7`."""

_TIMM = re.compile(r"^\s*Train: (\d+) \[")
_BAR = re.compile(r"^\s*(\d+)/(\d+) +(?:[━\[]|- \S*s\b)|\d%\|[^|]*\| *(\d+)/(\d+) \[")
"""A progress bar of Keras or of tqdm: done and total."""

_HEADING = re.compile(
    r"([dDeEtTvV](?<![\w./\-].)(?i:(?<=d)ev|(?<=e)val(?:uation|uating)?|(?<=t)(?:rain|est)(?:ing)?"
    r"|(?<=v)al(?:id(?:ation|ate|ating)?)?))"
    r"(?i:(?=\s*(?:[:|\])\[>]|-\s|set\b|net\b|epoch|step|iter|phase|error|result|metric|stat|on\b|loss at"
    r"|(?:[,;]|(?<=\t))\s*loss\b|$)|['\"]\s*[,}]))"
)
"""A word for a side and what tells that it is one; a set of letters at its start makes the search fast."""

_SUMS_UP = re.compile(r"(?<!\S)\* +(?:Acc|Prec)@|Averaged stats:")
"""`* Acc@1 80.0 loss 0.9` of torchvision's ImageNet script and its heirs: the mean over what was printed before it."""

_SAVED = "Saving dict for global step"
"""How an Estimator of TensorFlow begins what an evaluation has found."""

_SHORT = {"trl": "train_loss", "tel": "test_loss", "norm": "grad_norm"}
"""Names of llm.c."""

_NOT_A_CURVE = frozenset(
    (
        "best",
        "min",
        "max",
        "lowest",
        "minimum",
        "previous",
        "last",
        "old",
        "target",
        "threshold",
        "from",
        "than",
        "final",
    )
)
_KNOWN = {*SPLITS, *LOSS_WORDS, *NOISE, *NEVER, "lr", "learning", "rate", "grad", "gradient", "norm", "epoch", "step"}
"""Words that belong to a name of several words; of the others only the last one does (`box loss`)."""

_FILLERS = frozenset(
    ("the", "a", "an", "and", "is", "at", "of", "has", "this", "current", "with", "info", "then", "now", "set")
)

_FEW_BARS = 2
"""More finished bars than this, without an epoch beside them, are an epoch each; else a bar's own count is the step."""


@dataclass(frozen=True)
class Line:
    """What one line says.

    Attributes:
        row: column -> number as text.
        done: how far a progress bar is; None where there is none.
        total: its length.
    """

    row: Row
    done: int | None = None
    total: int | None = None


@dataclass(frozen=True)
class _Heading:
    """A line that may announce a side for the next line, and for those after it that are indented below it.

    Attributes:
        side: the side; "" for none.
        depth: its indentation.
        is_next: whether the line to come is the next one.
        named: what the lines below it have named so far; a name that comes again is one of a log.
    """

    side: str = ""
    depth: int = 0
    is_next: bool = True
    named: frozenset[str] = frozenset()

    def side_of(self, line: str, place: Row) -> str:
        """Returns the side it gives a line: beyond the next one only to lines without a place of their own."""
        return self.side if self.is_next or (not place and _depth(line) > self.depth) else ""

    def after(self, place: Row, row: Row) -> _Heading:
        """Returns what is left of it after a line with numbers: nothing, once a line has a place of its own."""
        if place or not self.side:
            return _NO_HEADING
        return replace(self, is_next=False, named=self.named.union(row))


_NO_HEADING = _Heading()


def without_escapes(text: str) -> str:
    """Returns a text without the sequences that colour it, move the cursor or name the window of a terminal."""
    return _ESCAPES.sub("", text) if "\x1b" in text else text


def lines_of(text: str) -> list[str]:
    """Returns the lines of a text, and what is drawn over one another in a line, but for blank ones."""
    return [line for line in _ENDS.split(text) if line.strip()]


def rows_of(lines: Iterable[str]) -> list[Row]:
    """Returns the rows of named numbers in lines of console output; of a progress bar the last state."""
    return _settled(list(_read(lines)))


def without_commas(rows: list[Row]) -> tuple[list[Row], tuple[str, ...]]:
    """Returns rows with numbers spelt as in Python, as far as it is told what commas mean, and notes on guesses."""
    names = {name for row in rows for name, cell in row.items() if "," in cell}
    if not names:
        return rows, ()
    points = has_points([cell for row in rows for name, cell in row.items() if name not in names])
    columns = {name: [row.get(name) for row in rows] for name in sorted(names)}
    found, notes = settled(columns, Comma.GROUPS, points=points, counters=_AXIS_COLUMN.values(), apart=True)
    return [
        {name: found[name][k] or cell if name in found else cell for name, cell in row.items()}
        for k, row in enumerate(rows)
    ], notes


def names_loss(row: Row) -> bool:
    """Says whether a row holds a loss."""
    return any(parse(name).quantity == "loss" for name in row)


def names_error(row: Row) -> bool:
    """Says whether a row holds a loss or an error that stands in for one."""
    return any(parse(name).rank <= Rank.ERROR for name in row)


def are_rounds(lines: Iterable[str], fewest: int) -> bool:
    """Says whether so many lines are rounds of gradient boosting."""
    return any(True for _ in islice(filter(ROUNDS.match, lines), fewest - 1, None))


def _read(lines: Iterable[str]) -> Iterator[Line]:
    """Yields what the lines with numbers say; what a line without a loss or metric tells of its place holds on.

    That is an epoch; a heading, for the next line and for those that are indented below it, up to one with a place
    of its own or with a name that was there; the step of a test.
    """
    epoch = tested = ""
    heading, before = _NO_HEADING, ("", "")
    header: Sequence[str] = ()
    for line in lines:
        if len(line) > MAX_LINE:
            continue
        if SUMMARY in line:
            yield Line({SUMMARY: ""}, None, None)
            continue
        if not _DIGIT.search(line):
            header, heading = _header(line) or header, _heading(line)
            continue
        if ROUNDS.match(line):
            line = _SPREAD.sub("", _OWNER.sub(lambda m: "-" if m[1] else " ", line))
        place, rest, side = _place(line)
        epoch = place.get("epoch", epoch)
        if heading.named and not heading.named.isdisjoint(_pairs(rest, side or heading.side)):
            heading = _NO_HEADING
        side = side or heading.side_of(line, place) or _summed_up(line, *before)
        row = _table_row(line, header) or _pairs(rest, side)
        if not row:
            heading = _heading(line)
            tested = place["step"] if "step" in place and _is_evaluated(_first_heading(line)) else tested
            continue
        heading = heading.after(place, row)
        tested = "" if place else tested
        if tested and _is_evaluated(side or _first_heading(line)):
            place = {"step": tested}
        before = side, line
        yield Line({**({"epoch": epoch} if epoch else {}), **place, **row}, *_bar(line))


def _bar(line: str) -> tuple[int | None, int | None]:
    """Returns how far a progress bar is, and its length; None and None where there is none."""
    bar = _BAR.search(line)
    done, total = (int(n) for n in bar.groups() if n is not None) if bar else (None, None)
    return done, total


def _settled(found: Sequence[Line]) -> list[Row]:
    """Rows as they are, and of bars the finished ones; the bars of a run without epochs give its steps."""
    finished = sum(line.done == line.total and "epoch" not in line.row for line in found if line.done is not None)
    rows = []
    for line in found:
        if line.done is None:
            rows.append(line.row)
        elif "epoch" in line.row or finished > _FEW_BARS:
            if line.done != line.total:
                continue
            row = {name: cell for name, cell in line.row.items() if name != "step"}
            if rows and "epoch" in row and rows[-1].get("epoch") == row["epoch"] and rows[-1].keys() <= row.keys():
                rows[-1] = row  # drawn once more, with the validation
            else:
                rows.append(row)
        else:
            rows.append({"step": str(line.done), **line.row})
    telling = names_loss if any(map(names_loss, rows)) else names_error
    first = next((i for i, row in enumerate(rows) if telling(row)), len(rows))
    return rows[first:]  # what is printed before is the configuration


def _place(line: str) -> tuple[Row, str, str]:
    """Returns epoch, step and process of a line, the line without epoch and step, and the side they name.

    How far an evaluation is, is no step of the training.
    """
    place: Row = {}
    side = ""
    parts, end = [], 0
    for match in _AXIS.finditer(line):
        if match["not"]:
            continue
        parts.append(line[end : match.start()])
        end = match.end()
        column = _AXIS_COLUMN[match["axis"].lower()]
        if column not in place:
            place[column] = match["at"]
            side = side or (match["side"] or "")
    rest = " | ".join((*parts, line[end:]))
    if "global_step" in place and _SAVED in line:
        place["step"] = place.pop("global_step")  # as the lines of its training say
        rest = rest.replace("average_loss", "")  # these sum over a batch, as the other loss does
    pair, timm = _PLACE.match(line), _TIMM.match(line)
    if not pair and not place:
        pair = _LATER_PLACE.search(line)
    count = _COUNT.search(rest) or _ROUND.match(line)
    if pair:
        place.setdefault("epoch", pair[1])
        place.setdefault("step", pair[2])
    if timm:
        place.setdefault("epoch", timm[1])
    rank = _rank(line) if "epoch" in place else None
    if rank:
        place["rank"] = rank[1]
    if _is_evaluated(side or _first_heading(line)) and (side or count):
        place.pop("step", None)
    elif count and "global_step" not in place:
        place.setdefault("step", count[1].replace(",", ""))
    return place, rest, side.lower()


def _rank(line: str) -> re.Match[str] | None:
    small = line.lower()
    return _LABEL.match(line) or (_RANK.search(line) if any(word in small for word in _ABREAST) else None)


def _first_heading(line: str) -> str:
    found = _HEADING.search(line)
    return found[1] if found else ""


def _is_evaluated(side: str) -> bool:
    return SPLITS.get(side.lower(), "train") != "train"


def _summed_up(line: str, side: str, before: str) -> str:
    """Returns the side of what a line sums up: the one of the last line with numbers; "" for any other line."""
    if _SAVED in line:
        return "eval"
    sums_up = ("* " in line or "Averaged" in line) and _SUMS_UP.search(line)
    return side or _first_heading(before).lower() if sums_up else ""


def _pairs(line: str, side: str) -> Row:
    """Returns the named numbers of a line that mean something, each with its side."""
    row: Row = {}
    said = [(m.start(), m[1].lower()) for m in _HEADING.finditer(line)]
    beside = quantity = ""
    end = 0
    for match in _PAIR.finditer(line):
        name = _trimmed(match["name"])
        carried = quantity and name.lower() in SPLITS and _GAP.fullmatch(line, end, match.start())
        if carried and _is_carried(line, match, f"{quantity} {name}"):
            name = f"{quantity} {name}"
        known = parse(name)
        if not known.is_told or (known.hint and not known.quantity and not row):
            continue
        quantity, end = _before_side(name) if known.quantity in ("loss", "metric") and not carried else "", match.end()
        heading = next((word for at, word in reversed(said) if at < match.start("value")), side)
        if known.quantity == "loss" and " " in name:
            beside = known.split
        if known.quantity in ("loss", "metric") and not known.split:
            own = beside if known.quantity == "metric" and beside else heading
            name = f"{own}/{name}" if own else name
        row.setdefault(name, _cell(match, known.split or heading))
    return row


def _is_carried(line: str, match: re.Match[str], name: str) -> bool:
    """Says whether a side alone is of what was named before it, by that name: no unit, nor said elsewhere."""
    unit = _UNIT.match(line, match.end())
    if unit:
        after = _PAIR.match(line, unit.start("word")) if unit["word"] else None
        first, _, others = after["name"].lower().partition(" ") if after else ("", "", "")
        is_name = first in _KNOWN or parse(first).is_told
        if not is_name or (others and first not in SPLITS and not _before_side(f"{first} {others}")):
            return False
    known = parse(name)
    own = (parse(_trimmed(m["name"])) for m in _PAIR.finditer(line))
    said = known.quantity, known.split, known.component
    return all((o.quantity, o.split, o.component) != said for o in own)


def _before_side(name: str) -> str:
    """What a name says before the side at its end: `loss` of `loss train`; "" for a name that ends in no side."""
    quantity, _, last = name.rpartition(" ")
    return quantity if last.lower() in SPLITS else ""


def _cell(match: re.Match[str], side: str) -> str:
    """The number of a pair: of an evaluation the mean beside the last batch, of a share the quotient."""
    value: str = match["value"]
    whole = float(match["of"][1:].replace(",", "")) if match["of"] else 0.0
    if whole and ("," not in value or is_grouped(value)):
        return str(float(value.replace(",", "")) / whole)
    return _first(match["mean"] if match["mean"] and _is_evaluated(side) else value)


def _first(written: str) -> str:
    """A number, with its commas if they may be within it: `0.5,0.9` are two."""
    first, comma, rest = written.partition(",")
    apart = comma and not is_with_comma(written) and ("." in rest or not first.lstrip("+-").isdigit())
    return first if apart else written


def _trimmed(raw: str) -> str:
    """Returns the last words of a name that belong together; "" for a best value so far."""
    words = raw.split(" ")
    if any(word.lower() in _NOT_A_CURVE for word in words):
        return ""
    kept = [_SHORT.get(words[-1], words[-1])]
    for word in reversed(words[:-1]):
        if word.lower() in _FILLERS:
            break
        kept.insert(0, word)
        if not _KNOWN.issuperset(tokens(word)) and parse(word).quantity != "metric":
            break
    return " ".join(kept)


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())


def _heading(line: str) -> _Heading:
    """What a line without a loss or metric announces: `Test Error:`."""
    found = _HEADING.findall(line) if line.rstrip().endswith(":") and len(line) < 80 else []
    return _Heading(found[-1].lower(), _depth(line)) if found else _NO_HEADING


def _header(line: str) -> tuple[str, ...]:
    """The column names of a printed table (fastai, skorch, YOLO); () for any other line."""
    cells = line.split()
    if len(cells) < 3 or cells[0].lower() not in _AXIS_COLUMN:
        return ()
    return tuple(cells) if any(parse(c).quantity == "loss" for c in cells) and ":" not in line else ()


def _table_row(line: str, header: Sequence[str]) -> Row:
    """The numbers of a table's row, by the names in its header."""
    cells = line.split()
    if not header or len(cells) < len(header) or not re.fullmatch(r"\d+(/\d+)?", cells[0]):
        return {}
    named = {name: cell.rstrip(":") for name, cell in zip(header, cells, strict=False)}
    row = {n: c for n, c in named.items() if parse(n).is_told and re.fullmatch(WRITTEN, c, re.IGNORECASE)}
    return {_AXIS_COLUMN[header[0].lower()]: cells[0].partition("/")[0], **row} if row else {}
