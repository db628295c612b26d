"""Console output and text logs: what a training script prints, found by the default patterns or by the user's."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

from curveclinic.errors import InputError
from curveclinic.intake.assemble import ReadOptions, runs_from_grid
from curveclinic.intake.grid import grid_from_rows
from curveclinic.intake.languages import in_english
from curveclinic.intake.naming import parse
from curveclinic.intake.vocabulary import Rank
from curveclinic.phrases import counted
from curveclinic.readers import delimited
from curveclinic.readers.console_dialects import in_common_words
from curveclinic.readers.console_lines import are_rounds, lines_of, rows_of, without_commas, without_escapes
from curveclinic.readers.console_pairs import Row, telling
from curveclinic.readers.console_places import ROUNDS
from curveclinic.readers.json_text import opens_document
from curveclinic.readers.source import HEAD_BYTES, NoCurvesError, Source
from curveclinic.run import Run

PATTERN_ADVICE = "give a regular expression with named groups, --pattern '(?P<step>...) ... (?P<train_loss>...)'"

_MIN_ROWS = 3
"""Lines that must hold the same loss: prose and code hold one by chance."""

_CODE_LINE = re.compile(
    r"\s*(?:import |from \S+ import |def \w+\(|class \w+[(:]|return\b|elif |if .*:$|for (?=.* in ).*:$|with .*:$"
    r"|#include|public |private |void |func |fn |let |const |static |var |//|/\*|\* |<\w|</"
    r"|```|#+ |\.\. |:\w+:|\|.*\|\s*$|<!--|- \[|\$ |>>> |@\w"
    r"|\"[^\"]*\": )"
)
_MANY_ROWS = 50
"""So many lines with a loss are a log even where it prints code (doc strings, a configuration) here and there..."""

_CODE_BESIDE = 4
"""...as long as there are no more lines of code than this for each of them."""

_STAMP = re.compile(r"\[?\d{4}[-/]\d\d[-/]\d\d[ T]\d\d:\d\d")
_DELIMITER = re.compile(rb"[,;\t|]")
_NUMBERS = re.compile(rb"[\d.+\-eEnaifNAIF]*(?:[ ]*[,;\t|][ ]*[\d.+\-eEnaifNAIF]*)+\r?")
_HINT = re.compile(r"loss|epoch|train", re.IGNORECASE)
_PRINTED = re.compile(
    r"(?:loss|nll|entropy|xent|trl|cost|objective|elbo|bp[bc]|bce\b(?<!\wbce)|ce\b(?<!\wce)|ppl|perplexity|mse|mae\b"
    r"|perte|p[eé]rdida|perda|perdita|verlust)"
    r"\w{0,60}['\"]?"
    r"(?:[^\d\n]{0,40}[:=>][ \t]*|[^\n]{1,40}?(?:[:=>]|\bis)[ \t]{1,9}"
    r"|(?:(?: (?:on|en|su|auf|na|no|de|di))? (?:train|val|test|entr|trein|addestr|allena|appren)\w{0,12}(?: set)?)?"
    r"[ \t\-]{1,9})['\"]?(?:tensor\()?[+\-.\dni]"
)
_TABLE = re.compile(
    r"^[ \t#│┃]*(?:epoch|step|iter\w*|e[ \t]+#)[ \t│┃][^:\n]*(?:loss|box)", re.IGNORECASE | re.MULTILINE
)
"""A quick look for a printed loss, in a text in small letters, and for the head of a printed table.

Where case does not matter, and where a branch begins with no letter, a search takes thrice the time.
"""


_CUT = re.compile(r"(?:[\w.+\-]+(?:,\d[\w.+\-]*)*|(?<![\w.])\d+,)\Z")
"""A number, or a word, at the very end of a text; `2,` may be the start of `2,05`."""


def sniff(head: bytes) -> bool:
    """Says whether bytes are the head of a text in which a loss is printed again and again.

    A long text may print other things first: then the whole of it will tell.
    """
    text = _printed(head)
    if text is None:
        return False
    if _prints_losses(text):
        return True
    if len(head) < HEAD_BYTES:
        return False
    lines = lines_of(text)
    if not lines or _is_code(lines, 0):
        return False
    return bool(_STAMP.match(lines[0])) or (bool(_HINT.search(text)) and not delimited.sniff(head))


def ends_as_log(source: Source) -> bool:
    """Says whether a text whose head does not tell prints losses at its end: before the first one jobs may say much."""
    if source.size() <= HEAD_BYTES or _printed(source.head()) is None:
        return False
    text = _as_text(source.tail())
    return text is not None and _prints_losses(text)


def _printed(head: bytes) -> str | None:
    """Returns the head of a text that a program may have printed; None for a table, a document or binary data."""
    if _is_plain_table(head):
        return None
    text = _as_text(head)
    return None if text is None or opens_document(head) or head.lstrip().startswith(b"<") else text


def _prints_losses(text: str) -> bool:
    """Whether a loss is printed again and again, and the lines around are no program."""
    text = in_common_words(in_english(text))
    hints = (_PRINTED.findall(text.lower()), ROUNDS.findall(text))
    if max(map(len, hints)) < _MIN_ROWS and not _TABLE.search(text):
        return False
    lines = lines_of(text)
    return _is_log(lines, rows_of(lines)[0])


def advice_for(head: bytes) -> str:
    """What to do about a text in which no default pattern finds a log; "" for binary data."""
    return "" if _as_text(head) is None else PATTERN_ADVICE


def _is_plain_table(head: bytes) -> bool:
    """Whether a header is followed by rows of numbers: most logs are tables, and a look at each line would be slow."""
    lines = [line.rstrip(b"\n") for line in islice(io.BytesIO(head), 4)]
    return len(lines) == 4 and bool(_DELIMITER.search(lines[0])) and all(map(_NUMBERS.fullmatch, lines[1:]))


def holds(head: bytes, patterns: Sequence[str]) -> bool:
    """Says whether bytes are text in which the user's patterns find something."""
    text = _as_text(head)
    return text is not None and bool(_rows_by_pattern(lines_of(text), compiled(patterns)))


def read(source: Source, options: ReadOptions) -> list[Run]:
    """Returns the runs in a text log.

    Raises:
        LogError: it is no text, or no loss is printed in it.
    """
    rows, notes = rows_in(source, options)
    origin = replace(source.origin(notes=notes), advice=_advice(options))
    try:
        return runs_from_grid(grid_from_rows(rows), options, origin)
    except InputError as error:
        raise NoCurvesError(f"{source.path}: {error}") from None


def rows_in(source: Source, options: ReadOptions) -> tuple[list[Row], tuple[str, ...]]:
    """Returns the rows of named numbers in a text log, and notes on what is left out or guessed.

    Raises:
        LogError: it is no text, or no loss is printed in it.
    """
    text = _as_text(source.content())
    if text is None:
        raise NoCurvesError(f"{source.path}: found binary data, expected text")
    text, notes = _without_cut_number(text)
    guesses: tuple[str, ...] = ()
    if options.patterns:
        lines = lines_of(text)
        rows = _rows_by_pattern(lines, compiled(options.patterns))
    else:
        lines = lines_of(in_common_words(in_english(text)))
        rows, guesses = rows_of(lines)
        if rows and not _is_log(lines, rows) and not options.train_loss:
            why = "too few of them name a loss, or the others look like a program or prose"
            found = counted(len(lines), "line")
            raise NoCurvesError(f"{source.path}: no log in {found} of text: {why}; {PATTERN_ADVICE}")
    if not rows:
        raise NoCurvesError(f"{source.path}: no loss in {counted(len(lines), 'line')} of text; {_advice(options)}")
    rows, said = without_commas(rows)
    return rows, (*notes, *guesses, *said)


def _advice(options: ReadOptions) -> str:
    return "name its group train_loss" if options.patterns else PATTERN_ADVICE


def compiled(patterns: Sequence[str]) -> list[re.Pattern[str]]:
    """Returns the user's patterns, ready to search.

    Raises:
        InputError: one is no regular expression, or has no named group.
    """
    found = []
    for pattern in patterns:
        try:
            one = re.compile(pattern)
        except re.error as error:
            raise InputError(f"pattern {pattern!r} is no regular expression ({error})") from None
        if not one.groupindex:
            raise InputError(f"pattern {pattern!r} has no named group; expected such as (?P<train_loss>\\S+)")
        found.append(one)
    return found


def _rows_by_pattern(lines: Sequence[str], patterns: Sequence[re.Pattern[str]]) -> list[Row]:
    """One row a line, of all groups that all patterns find in it."""
    rows = []
    for line in lines:
        row: Row = {}
        for pattern in patterns:
            for match in pattern.finditer(line):
                row.update((name, cell) for name, cell in match.groupdict().items() if cell is not None)
        if row:
            rows.append(row)
    return rows


def _is_log(lines: Sequence[str], rows: Sequence[Row]) -> bool:
    """Whether some loss or perplexity stands in several rows, and the lines around are no program.

    An error may stand for it in the rounds of gradient boosting, or where it is named of both sides; elsewhere it may
    be anything.
    """
    seen = Counter(name for row in rows for name in row)
    often = [known for name in seen if seen[name] >= _MIN_ROWS and (known := parse(name)).may_be_loss]
    errors = are_rounds(lines, _MIN_ROWS) or {"train"} < {known.split for known in often if known.rank == Rank.ERROR}
    if not errors and all(known.rank == Rank.ERROR for known in often):
        return False
    return bool(often) and not _is_code(lines, sum(map(telling(rows), rows)))


def _is_code(lines: Sequence[str], n_rows: int) -> bool:
    """Whether a text is a program or a page: its lines of code or mark-up are too many for its lines with a loss."""
    n_code = sum(_CODE_LINE.match(line) is not None for line in lines)
    return n_code > (_CODE_BESIDE * n_rows if n_rows >= _MANY_ROWS else 1 + n_rows / 10)


def _without_cut_number(text: str) -> tuple[str, tuple[str, ...]]:
    """Takes the number off the end of a text that stops in the middle of a line."""
    kept = _CUT.sub("", text[-200:])
    if len(kept) == len(text[-200:]):
        return text, ()
    return text[:-200] + kept, ("the last line has no end: its last value may be cut short and is left out",)


def _as_text(data: bytes) -> str | None:
    """Returns bytes as text without colours; None for binary data. A few damaged characters do not matter."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return without_escapes(data.decode("utf-16", "replace"))
    if b"\0" in data[:65536]:
        return None
    text = data.decode("utf-8-sig", "replace")
    return None if text.count("\ufffd") > 0.02 * len(text) + 4 else without_escapes(text)
