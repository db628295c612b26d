"""README.md, the pages of docs/ and the model card say what the code says: blocks are current, links lead somewhere."""

import re
from pathlib import Path

import marked
import pictures
import pytest
import readme_parts
import readme_scores
import readme_sections
import scale_page
import session

from curveclinic import LABELS
from curveclinic.synth.families import TRENDS

ROOT = Path(__file__).parent.parent
README = session.README.read_text(encoding="utf-8")
CARD = (ROOT / "weights" / "MODEL_CARD.md").read_text(encoding="utf-8")
SCALE = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
DETAILS = (ROOT / "docs" / "scores.md").read_text(encoding="utf-8")
FORMATS = session.FORMATS_PAGE.read_text(encoding="utf-8")
COMMANDS = session.COMMANDS_PAGE.read_text(encoding="utf-8")
PAGES = sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))
DOCUMENTS = [
    "README.md",
    "CONTRIBUTING.md",
    *PAGES,
    "weights/MODEL_CARD.md",
    "benchmarks/README.md",
    "examples/README.md",
]


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        (README, "labels", session.label_table),
        (FORMATS, "formats", session.format_table),
    ],
    ids=["labels", "formats"],
)
def test_tables_are_what_the_session_writes(text, name, expected) -> None:
    assert marked.block(text, name) == expected(), "run: python docs/session.py"


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        (README, "scores", readme_scores.scores),
        (DETAILS, "details", readme_scores.details),
        (CARD, "numbers", readme_scores.numbers),
        (SCALE, "scale", lambda: scale_page.cost(readme_parts.rows("scan"))),
        (SCALE, "growth", lambda: scale_page.growth(readme_parts.rows("scan"))),
        (SCALE, "fast", lambda: scale_page.fast(readme_parts.rows("quantized"))),
    ],
    ids=["README.md", "scores.md", "MODEL_CARD.md", "scale.md, cost", "scale.md, growth", "scale.md, fast"],
)
def test_numbers_are_those_of_the_csv_files(text, name, expected) -> None:
    hint = "run: python benchmarks/readme_scores.py, and for docs/scale.md benchmarks/scale_page.py"
    assert marked.block(text, name) == expected(), hint


@pytest.mark.parametrize("name", session.COMMANDS)
def test_shell_sessions_are_real(name) -> None:
    assert marked.block(README, name) == session.session(session.COMMANDS[name]), "run: python docs/session.py"


def test_the_session_of_a_check_is_real() -> None:
    assert marked.block(COMMANDS, "session:check") == session.session(session.CHECK), "run: python docs/session.py"


def test_the_python_session_is_real() -> None:
    assert marked.block(README, "session:python") == session.python_session(), "run: python docs/session.py"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    targets = re.findall(r'\]\(([^)#]+)[^)]*\)|<img src="([^"]+)"', text)
    local = [link or image for link, image in targets if "://" not in link]
    assert [link for link in local if not (ROOT / document).parent.joinpath(link).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_into_a_page_name_one_of_its_headings(document) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    for page, anchor in re.findall(r"\]\(([^):]*)#([^)]+)\)", text):
        target = (ROOT / document).parent / page if page else ROOT / document
        headings = re.findall(r"^#+ (.*)$", target.read_text(encoding="utf-8"), re.MULTILINE)
        assert anchor in {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("label", LABELS)
def test_every_label_has_a_small_picture(label) -> None:
    picture = ROOT / "docs" / "labels" / f"{label}.svg"
    assert 1_000 < picture.stat().st_size < 15_000


def test_every_label_has_a_way_to_choose_its_picture() -> None:
    assert tuple(pictures.SHOWN) == LABELS
    assert {name for shown in pictures.SHOWN.values() for name in shown.trends} <= set(TRENDS)


@pytest.mark.parametrize("label", ["overfitting", "vanishing_gradients"])
def test_the_run_of_a_picture_is_found_again(label, monkeypatch) -> None:
    monkeypatch.setattr(pictures, "DRAWN", 512)
    picture = pictures.clearest_picture(label)
    assert picture == pictures.clearest_picture(label)
    assert picture.count("<svg") == 2 + bool(pictures.SHOWN[label].below)
    assert ("grad_norm" in picture) == (label == "vanishing_gradients")


def test_there_are_two_headline_commands() -> None:
    commands = re.findall(r"```sh\n(pip install .*)\n```", README)
    assert commands == [
        "pip install . && curveclinic scan examples -o diagnoses.csv",
        'pip install -e ".[dev]" && pytest',
    ]


@pytest.mark.parametrize("document", [*DOCUMENTS, *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.svg"))])
def test_no_path_of_a_machine_is_told(document) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    assert re.findall(r"(?<![\w.$])/(?:home|root|work|tmp|Users|usr)/\S*", text) == []


@pytest.mark.parametrize(
    ("text", "match"),
    [("", "found 0 blocks"), ("<!-- a -->\n<!-- /a -->\n<!-- a -->\n<!-- /a -->", "found 2 blocks")],
)
def test_a_block_is_there_once(text, match) -> None:
    with pytest.raises(ValueError, match=match):
        marked.block(text, "a")


def test_fill_replaces_what_is_between_the_markers(tmp_path, capsys) -> None:
    path = tmp_path / "text.md"
    path.write_text("before\n<!-- a -->\n<!-- /a -->\n<!-- b:c -->\nold\n<!-- /b:c -->\nafter\n")
    marked.fill(path, {"a": r"one \1", "b:c": "two\nlines"})
    text = path.read_text()
    assert text == "before\n<!-- a -->\none \\1\n<!-- /a -->\n<!-- b:c -->\ntwo\nlines\n<!-- /b:c -->\nafter\n"
    assert marked.block(text, "b:c") == "two\nlines"
    assert "text.md" in capsys.readouterr().out


def written(folder: Path, name: str, *lines: str) -> None:
    (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")


def test_scores_without_results(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(readme_parts, "RESULTS", tmp_path)
    for module in (readme_sections, readme_scores):
        monkeypatch.setattr(module, "sidecar", dict)
    assert readme_scores.scores() == readme_parts.NO_WEIGHTS
    assert readme_scores.numbers() == readme_parts.NO_WEIGHTS


def test_the_label_that_is_found_worst_is_named(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(readme_parts, "RESULTS", tmp_path)
    written(
        tmp_path, "accuracy_own_runs", "judge,label,measure,value,low,high,n", "whole,,macro_f1,0.9,0.85,0.95,99",
        "whole,overfitting,f1,0.8,,,9", "whole,slow_start,f1,0.4,0.2,0.6,5", "whole,val_spikes,f1,0.1,,,4",
        "rules,overfitting,f1,0.2,,,9",
    )  # fmt: skip
    assert "five or more positives: `slow_start` 0.40 (0.20-0.60) on own trainings." in readme_scores.scores()


def test_scores_of_results(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(readme_parts, "RESULTS", tmp_path)
    for module in (readme_sections, readme_scores):
        monkeypatch.setattr(module, "sidecar", lambda: {"decided_by_rule": ["non_finite"]})
    written(
        tmp_path, "thresholds", "yardstick,judge,measure,value",
        "real_runs,whole,macro_f1,0.8123", "real_runs,whole,false_alarm,0.051", "all,network,threshold overfitting,0.5",
    )  # fmt: skip
    written(
        tmp_path, "accuracy_real_runs", "judge,label,measure,value,low,high,n",
        "whole,,macro_f1,0.9,0.85,0.95,111", "whole,,any_label,0.2,0.1,0.3,56", "whole - rules,,macro_f1,0.1,0,0.2,111",
        *(f"whole,{label},f1,{'' if label == 'oscillation' else 0.75},,,7" for label in LABELS),
    )  # fmt: skip
    written(
        tmp_path, "robustness_clinic_runs", "perturbation,judge,label,share_changed,low,high",
        "every_4th_point,whole,,0.123,0.10,0.15", "every_4th_point,whole,overfitting,0.9,0.9,0.9",
    )  # fmt: skip
    written(
        tmp_path, "speed", "what,value,unit", '"one run, warm",1.512,ms', "stage: rules,3,us/run", "a / b,40.2,ratio",
        "generator,9,runs/s",
    )  # fmt: skip
    written(
        tmp_path, "peers", "yardstick,judge,version,label,measure,value,low,high,n",
        "real_runs,one,1.0,,macro_f1,0.3,,,9", "real_runs,one,1.0,,macro_f1_claimed,0.5,,,4",
        "real_runs,two,2.0,,macro_f1,0.3,,,9", "real_runs,two,2.0,,macro_f1_claimed,0.75,,,5",
        "real_runs,one,1.0,,false_alarm,0.2,,,56", "real_runs,two,2.0,,false_alarm,0.1,,,56",
        "real_runs,whole,,,false_alarm,0,,,56", "real_runs,whole,,,macro_f1 on one,0.9,,,4",
        "real_runs,whole,,,macro_f1 on two,0.9,,,5",
    )  # fmt: skip
    written(tmp_path, "scan", "what,runs,value,unit", '"scan, 2 workers, whole",1000,1.9,s')
    headlines = readme_scores.scores()
    assert (
        "labels that each claims, their macro-F1 is 0.50 to 0.75, ours 0.90; false alarms 10 % to 20 %, ours 0 %."
        in headlines
    )
    assert "1.51 ms for one run, 2 s for a scan of 1,000 runs by 2 workers" in headlines
    text = headlines + readme_scores.details()
    assert "| real logs | whole | 0.81 | 5 % | - |" in text
    assert "| real logs | whole | 0.90 (0.85-0.95) | - | - | - | 20 % (10-30) |" in text
    assert "| `overfitting` | network | 0.75, n = 7 |" in text
    assert "| `oscillation` | network | -, n = 7 |" in text
    assert "| `non_finite` | rules |" in text
    assert f"Rules decide 1 of {len(LABELS)} labels" in text
    assert "| every 4th point kept | 12 % (10-15) |" in text
    assert "| every 20th point kept | - |" in text
    assert "| one run, warm | 1.512 ms |" in text
    assert "| a / b | 40.2 times |" in text
    assert "stage: rules" not in text
    assert "generator" not in text.replace("generator of training runs", "")
    assert "AUC" not in text
