"""`curveclinic explain`: what a label or a cause means."""

from __future__ import annotations

import argparse
import shutil

from curveclinic.causes import CAUSES
from curveclinic.commands.gate import EXIT_DONE
from curveclinic.commands.lookup import looked_up
from curveclinic.report.text import TEXT_WIDTH, explain_all, explain_cause, explain_causes, explain_symptom
from curveclinic.symptoms import SYMPTOMS

_ALL_CAUSES = "causes"
"""What `explain` lists all causes for."""


def explain(args: argparse.Namespace) -> int:
    """Prints what one label or cause means, or a list of all."""
    print(explain_all() if args.label is None else _explanation(args.label))
    return EXIT_DONE


def _explanation(text: str) -> str:
    """What a label, by name or code, or a cause means; "causes" are all of them.

    Raises:
        InputError: it is none of these.
    """
    codes = {symptom.code: symptom.label for symptom in SYMPTOMS.values()}
    hint = "'curveclinic explain' lists all labels, 'curveclinic explain causes' all causes"
    name = looked_up(text, (*SYMPTOMS, *codes, *CAUSES, _ALL_CAUSES), what="label or cause", hint=hint)
    if name == _ALL_CAUSES:
        return explain_causes()
    width = min(shutil.get_terminal_size().columns, TEXT_WIDTH)
    if name in CAUSES:
        return explain_cause(CAUSES[name], width=width)
    return explain_symptom(SYMPTOMS[codes.get(name, name)], width=width)
