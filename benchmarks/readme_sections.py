"""The scores of README, docs/scores.md and the model card, made of results/*.csv; see readme_scores.py."""

from __future__ import annotations

from collections.abc import Iterable

from readme_parts import HEADS, YARDSTICKS, Cells, Section, rows, shown, sidecar, table
from scores import FEWEST_POSITIVES

from curveclinic.labels import LABELS

PERTURBATIONS = {
    "every_4th_point": "every 4th point kept",
    "every_20th_point": "every 20th point kept",
    "noise_1_percent": "1 % noise",
    "losses_times_1e-6": "losses x 1e-6",
    "losses_times_1e6": "losses x 1e6",
}

QUICK = {
    "one run, warm": "one run",
    "curveclinic diagnose digits-overfit/training_log.csv, cold": "`curveclinic diagnose` with the start of Python",
}
"""Rows of speed.csv that the README tells -> in its words."""

REVEALING = 3
"""Features named that give synthetic runs away."""


def family_out() -> Section:
    """What the choice of thresholds and deciders is worth on families it has not seen."""
    measures = ("macro_f1", "false_alarm", "any_label")
    cell = {(r["yardstick"], r["judge"], r["measure"]): r for r in rows("thresholds")}
    judges = ("whole", "network alone", "rules")
    body = [
        (name, judge, *(shown(m, cell.get((yard, judge, m))) for m in measures))
        for yard, name in YARDSTICKS.items()
        for judge in judges
        if (yard, judge, measures[0]) in cell
    ]
    return Section(
        "On families of runs not seen",
        "Each family, runs of one origin or one kind, is judged with thresholds and deciders chosen without it "
        "(`thresholds.csv`). Macro-F1 is over labels with five or more positives, runs that clearly show them; the "
        "other two are over runs without a positive label: how many get a clearly absent label, and how many get any, "
        "notices included. *whole* is what a user gets, but no run is called undetermined here; "
        "*network alone* still leaves `non_finite` and runs under 6 points to the rules; "
        "*rules* is what a user gets without weights, cuts set with the yardsticks in sight.",
        table(("yardstick", "judge", *(HEADS[m] for m in measures)), body),
    )


def accuracy() -> Section:
    """The shipped weights and thresholds on both yardsticks."""
    measures = ("macro_f1", "macro_average_precision", "calibration_error", "false_alarm", "any_label")
    body = []
    for yard, name in YARDSTICKS.items():
        cell = {(r["judge"], r["measure"]): r for r in rows(f"accuracy_{yard}") if not r["label"]}
        for judge in ("whole", "whole, told classes", "network", "rules"):
            if (judge, measures[0]) in cell:
                body.append((name, judge, *(shown(m, cell.get((judge, m))) for m in measures)))
    return Section(
        "As shipped",
        "With 90 % bootstrap intervals, ranking and calibration (`accuracy_*.csv`). The thresholds were chosen on "
        "the real logs, the small trainings and the public logs: there these scores are optimistic. The other five "
        "(`benchmarks/fresh_runs`, `read_runs`, `own_runs`) had no part in that choice. *whole* is exactly what a "
        "user gets, *told classes* one who gives `num_classes` where it is known; *network* is scored on runs of 6 "
        "points and more only, and leaves `non_finite` to the rules.",
        table(("yardstick", "judge", *(HEADS[m] for m in measures)), body),
    )


def untouched() -> Section:
    """Whole and rules on the runs that no threshold was chosen on, and their difference."""
    measures = ("macro_f1", "macro_average_precision", "false_alarm", "any_label", "not_healthy")
    judges = {"whole": "whole", "rules": "rules", "whole - rules": "difference"}
    judged = ("fresh_runs", "read_runs", "kept_runs", "own_runs", "later_runs")
    body = []
    for yard in judged:
        cell = {(r["judge"], r["measure"]): r for r in rows(f"accuracy_{yard}") if not r["label"]}
        for judge, name in judges.items():
            if (judge, measures[0]) in cell:
                body.append((YARDSTICKS[yard], name, *(shown(m, cell.get((judge, m))) for m in measures)))
    return Section(
        "On runs that no threshold was chosen on",
        "158 fresh logs of 157 public repositories (`benchmarks/public_runs`), 316 logs of some thirty "
        "repositories and 173 kept back (`benchmarks/read_runs`), each labelled by two readers, 382 trainings of "
        "ours and 280 later ones, labelled before anything was said of them (`benchmarks/own_runs`); 90 % bootstrap "
        "intervals, the difference on the same resamples (`accuracy_*_runs.csv`). What was missed on the read logs "
        "and own trainings led to changes, the other three nobody has looked into. *not healthy*: runs without a "
        "positive label that get more than a notice. Most false alarms on own trainings are `underfitting`, which "
        f"their labels take more narrowly than the definition.{_weakest(judged)}",
        table(("yardstick", "judge", *(HEADS[m] for m in measures)), body),
    )


def _weakest(yards: Iterable[str]) -> str:
    """The label that is found worst on each yardstick, of those with enough positives."""
    told = []
    for yard in yards:
        whole = [r for r in rows(f"accuracy_{yard}") if (r["judge"], r["measure"]) == ("whole", "f1")]
        known = [r for r in whole if r["value"] and int(r["n"]) >= FEWEST_POSITIVES]
        if known:
            worst = min(known, key=lambda r: float(r["value"]))
            told.append(f"`{worst['label']}` {shown('f1', worst)} on {YARDSTICKS[yard]}")
    return f" Found worst, of labels with five or more positives: {', '.join(told)}." if told else ""


def per_label() -> Section:
    """F1 of the whole for every label, with its positives, and who decides it."""
    found = {
        yard: {r["label"]: r for r in rows(f"accuracy_{yard}") if r["judge"] == "whole" and r["measure"] == "f1"}
        for yard in YARDSTICKS
    }
    known = {yard: cells for yard, cells in found.items() if cells}
    by_rule = sidecar().get("decided_by_rule", LABELS)
    body = [
        (
            f"`{label}`",
            "rules" if label in by_rule else "network",
            *(f"{shown('f1', cells[label])}, n = {cells[label]['n']}" for cells in known.values()),
        )
        for label in LABELS
    ]
    return Section(
        "Label by label",
        f"F1 of the whole as shipped, and the number of positives. Rules decide {len(by_rule)} of {len(LABELS)} "
        "labels. With under ten positives a score says little.",
        table(("label", "decided by", *(YARDSTICKS[yard] for yard in known)), body if known else ()),
    )


def robustness() -> Section:
    """How often the set of labels changes when the run does not."""
    cell = {
        (yard, r["judge"], r["perturbation"]): r
        for yard in YARDSTICKS
        for r in rows(f"robustness_{yard}")
        if not r["label"]
    }
    columns = [(yard, judge) for yard in YARDSTICKS for judge in ("whole", "rules") if _any(cell, yard, judge)]
    body = [
        (text, *(shown("false_alarm", cell.get((yard, judge, name)), value="share_changed") for yard, judge in columns))
        for name, text in PERTURBATIONS.items()
    ]
    return Section(
        "The same run told otherwise",
        "Share of runs with another set of labels (`robustness_*.csv`). It does not say which of the two answers was "
        "right.",
        table(("change", *(f"{YARDSTICKS[yard]}, {judge}" for yard, judge in columns)), body if columns else ()),
    )


def _any(cell: dict[tuple[str, str, str], Cells], yard: str, judge: str) -> bool:
    return any(key[:2] == (yard, judge) for key in cell)


def speed() -> Section:
    """What a diagnosis costs."""
    body = [
        (r["what"], f"{float(r['value']):,.4g} {r['unit'].replace('ratio', 'times')}")
        for r in rows("speed")
        if r["value"] and not r["what"].startswith(("stage", "generator"))
    ]
    return Section(
        "Speed",
        "Runs of two channels of 200 points, all on one machine (`speed.csv`, with the stages of a diagnosis and the "
        "generator of training runs). *columns* is `score_table`, which takes and gives tables. What archives cost: "
        "[scale.md](scale.md).",
        table(("what", "value"), body),
    )


def reading() -> Section:
    """How fast logs are read, beside others."""
    body = [
        (
            r["format"],
            r["points of a file"],
            r["reader"],
            f"{float(r['points/s']):,.3g}",
            f"{float(r['times ours']):.2f}",
        )
        for r in rows("readers")
        if "without" not in r["reader"] and "only" not in r["reader"]
    ]
    return Section(
        "Reading",
        "One core, files in the system's memory; the others stop at arrays, ours at a `Run` (`readers.csv`).",
        table(("format", "points a file", "reader", "points/s", "its time over ours"), body),
    )


def realism() -> Section:
    """How well synthetic runs can be told from real ones."""
    body = [
        (r["first"], r["second"], f"{float(r['auc']):.2f}", r["first_runs"], r["second_runs"])
        for r in rows("realism_auc")
    ]
    telling = ", ".join(f"`{r['feature']}`" for r in rows("realism")[:REVEALING])
    words = (
        "How far from real are the training runs? AUC of a classifier that separates two groups by the encoder's "
        "features; 0.5: it cannot (`realism*.csv`)."
    )
    words += f" What gives the synthetic runs away first: {telling}." if telling else ""
    return Section("Realism", words, table(("group", "from", "AUC", "runs", "runs"), body))


def ablation() -> Section:
    """What each part of the input, the data and the network is worth."""
    measures = ("macro_f1", "macro_average_precision", "false_alarm", "any_label", "changed_by_every_4th_point")
    cell = {(r["variant"], r["yardstick"], r["measure"]): r for r in rows("ablation")}
    variants = list(dict.fromkeys(variant for variant, _, _ in cell if not variant.startswith("both - ")))
    body = [
        (variant, YARDSTICKS[yard], *(shown(m, cell.get((variant, yard, m))) for m in measures))
        for yard in YARDSTICKS
        for variant in variants
        if (variant, yard, measures[0]) in cell
    ]
    return Section(
        "Ablation",
        "What is each part worth? Networks of the same short training, alone, with thresholds from synthetic runs "
        "(`ablation.csv`); they see far fewer runs than the shipped one. *both*: curves and features, drawn runs. "
        "*Twins* are runs told again, thinned or noisy, *prefixes* runs cut short, *readers* the two parts of the "
        f"network that take in curves and features.{_truth_against_rules()}",
        table(("variant", "yardstick", *(HEADS[m] for m in measures)), body),
    )


def _truth_against_rules() -> str:
    """How far a network trained on the truth is ahead of one trained on the rules' labels, after more steps."""
    ahead = {
        (r["yardstick"], r["measure"]): r
        for r in rows("ablation_rules_labels")
        if r["variant"] == "both - rules' labels"
    }
    told = "; ".join(
        f"{words}: average precision {_signed(ahead[yard, 'macro_average_precision'])}, "
        f"best F1 {_signed(ahead[yard, 'macro_best_f1'])}"
        for yard, words in YARDSTICKS.items()
        if (yard, "macro_best_f1") in ahead
    )
    if not told:
        return ""
    return (
        " With nearly three times the steps on twice the runs (`--steps 2500 --count 40960`, "
        f"`ablation_rules_labels.csv`), what the truth gains over the rules' labels: {told} (90 % intervals)."
    )


def _signed(row: Cells) -> str:
    return f"{float(row['value']):+.3f} ({float(row['low']):+.3f} to {float(row['high']):+.3f})"


def families() -> Section:
    """How the network does on families of its own kind that it never saw."""
    measures = ("f1", "average_precision", "calibration_error", "onset_median_whole", "onset_p90_whole")
    body = [
        (r["source"], r["positives"], *(f"{float(r[m]):.3f}" if r[m] else "-" for m in measures))
        for r in rows("families")
        if not r["label"]
    ]
    return Section(
        "Unseen synthetic families",
        "Families of drawn and simulated runs that no training run came from (`families.csv`, label by label there): "
        "means over labels, at the thresholds chosen for real logs; the onset's distance from the truth as a share of "
        "the run, as users see it.",
        table(
            ("runs", "positives", "F1", "average precision", "calibration error", "onset, median", "onset, p90"), body
        ),
    )


def causes() -> Section:
    """How often the cause is among those named."""
    body = [
        (
            r["source"],
            r["judge"],
            r["runs"],
            *(f"{100 * float(r[m]):.0f} %" if r[m] else "-" for m in ("top_1", "top_3")),
        )
        for r in rows("causes")
        if not r["cause"] and r["judge"] != "stated for the first"
    ]
    return Section(
        "Causes",
        "Is the cause among those named? Runs with findings whose fault is known (`causes.csv`); a few constants were "
        "chosen with these runs in sight.",
        table(("runs", "ranking", "number", "first", "among the first three"), body),
    )


def abstention() -> Section:
    """How often nonsense gets no verdict."""
    cell = [r for r in rows("abstention") if r["part"] == "all" and r["measure"] == "undetermined"]
    body = [(r["kind"].replace("_", " "), r["group"], f"{100 * float(r['value']):.0f} %", r["n"]) for r in cell]
    return Section(
        "Nonsense",
        "Does it get no verdict? Share of runs that are `undetermined` (`abstention.csv`); kinds called fresh were not "
        "used to set the measures.",
        table(("runs", "group", "undetermined", "number"), body),
    )


def peers() -> Section:
    """Other log readers, all labels and those that they claim to know, ours beside them."""
    shares = ("false_alarm", "any_label", "any_report", "changed_by_every_4th_point")
    cell = {(r["yardstick"], r["judge"], r["measure"]): r for r in rows("peers") if not r["label"]}
    body = []
    for yard, judge in dict.fromkeys((y, judge) for y, judge, measure in cell if measure == "macro_f1"):
        own, release = (cell.get((yard, judge, m)) for m in ("macro_f1_claimed", "macro_f1"))
        ours = cell.get((yard, "whole", f"macro_f1 on {judge}"))
        body.append(
            (
                YARDSTICKS[yard],
                f"{judge} {release['version']}" if release and own else judge,
                shown("macro_f1", release),
                shown("macro_f1", own),
                f"{shown('macro_f1', ours)}, n = {own['n']}" if ours and own else "-",
                *(shown(m, cell.get((yard, judge, m))) for m in shares),
            )
        )
    heads = ("macro-F1, all labels", "on the labels it claims", "ours on these")
    return Section(
        "Beside peers",
        "Log readers from PyPI, their codes mapped to our labels in their favour (`peers.csv`, F1 label by label, too; "
        "the mapping in `benchmarks/peer_adapters.py`). *n*: labels with five or more positives. Over runs without a "
        "positive label: *false alarm*, *any label* and *any report*, which includes codes without a label here. The "
        "yardsticks follow our definitions and set our thresholds, which flatters us.",
        table(("yardstick", "judge", *heads, *(HEADS[m] for m in shares)), body),
    )


def peers_in_short() -> str:
    """One sentence on peers, with the range over them and the yardsticks."""
    cell = {(r["yardstick"], r["judge"], r["measure"]): r for r in rows("peers") if not r["label"]}
    theirs = {(yard, judge) for yard, judge, measure in cell if measure == "macro_f1_claimed"}
    if not theirs:
        return ""
    claimed = _range("macro_f1", (cell[yard, judge, "macro_f1_claimed"] for yard, judge in theirs))
    ours = _range("macro_f1", (cell[yard, "whole", f"macro_f1 on {judge}"] for yard, judge in theirs))
    alarm, our_alarm = (
        _range("false_alarm", (cell[yard, judge, "false_alarm"] for yard, judge in who))
        for who in (theirs, {(yard, "whole") for yard, _ in theirs})
    )
    return (
        f"**Beside {len({judge for _, judge in theirs})} log readers from PyPI**, as shipped: on the labels that each "
        f"claims, their macro-F1 is {claimed}, ours {ours}; false alarms {alarm}, ours {our_alarm}. The yardsticks "
        "follow our definitions, which flatters us: [docs/scores.md](docs/scores.md#beside-peers)."
    )


def _range(measure: str, cells: Iterable[Cells]) -> str:
    """The smallest and the largest of some values."""
    found = sorted(float(row["value"]) for row in cells if row["value"])
    low, high = (shown(measure, {"value": str(value)}) for value in (found[0], found[-1]))
    return low if low == high else f"{low} to {high}"


def speed_in_short() -> str:
    """One sentence on speed."""
    known = {r["what"]: r for r in rows("speed")}
    told = [
        f"{float(known[what]['value']):,.3g} {known[what]['unit']} for {words}"
        for what, words in QUICK.items()
        if what in known
    ]
    scans = [r for r in rows("scan") if r["what"].startswith("scan, ") and r["unit"] == "s"]
    if scans:
        last = max(scans, key=lambda r: int(r["runs"]))
        told.append(f"{float(last['value']):,.0f} s for a scan of {int(last['runs']):,} runs by {_workers(last)}")
    links = "[speed](docs/scores.md#speed), [archives](docs/scale.md)"
    return f"**Speed**, two channels of 200 points a run: {', '.join(told)}; {links}." if told else ""


def _workers(scan: Cells) -> str:
    """Who scanned: "2 workers" of "scan, 2 workers, whole"."""
    return scan["what"].split(", ")[1]


DETAILS = (
    accuracy, per_label, robustness, families, peers, causes, abstention, speed, reading, realism, ablation,
)  # fmt: skip
"""What docs/scores.md says, in its order."""
