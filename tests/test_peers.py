"""The peers' adapters that need no peer, and how their codes are scored."""

import csv
import importlib.util
import sys

import numpy as np
import peer_adapters
import peers
import pytest
from peer_adapters import PEERS, Code, DeclinedError, Peer, paired
from yardstick import Record

from curveclinic.labels import LABELS
from curveclinic.run import Run

NAN = np.nan
FALLING = np.geomspace(4.0, 0.5, 40)


def peer(find, **codes):
    return Peer("imaginary", "1.0", find, codes)


def record(positive=(), negative=(), **channels):
    run = Run.from_arrays(channels or {"train_loss": FALLING})
    return Record(run, "f", frozenset(positive), frozenset(negative))


SHAKY = Code(("divergence", "loss_spikes"), ("oscillation",))


@pytest.mark.parametrize(
    ("positive", "expected"),
    [
        ((), {"divergence"}),
        (("overfitting",), {"divergence"}),
        (("loss_spikes",), {"loss_spikes"}),
        (("oscillation", "overfitting"), {"oscillation"}),
        (("divergence", "oscillation"), {"divergence", "oscillation"}),
    ],
)
def test_a_code_counts_as_what_is_there_else_as_the_first_it_means(positive, expected):
    assert peers.labels_of(peer(None, shaky=SHAKY), {"shaky", "gpu"}, frozenset(positive)) == expected


def test_a_plateau_is_no_mistake_where_no_label_fits_it():
    one = peer(None, plateau=peer_adapters.STALL)
    assert peers.labels_of(one, {"plateau"}, frozenset()) == set()
    assert peers.labels_of(one, {"plateau"}, frozenset({"slow_start"})) == {"slow_start"}
    assert one.claimed == frozenset()


def test_what_a_peer_fails_on_counts_as_nothing_found():
    def find(run):
        if len(run.channels["train_loss"]) < 40:
            raise ValueError("too short")
        return {"shaky", "gpu"} if run.channels["train_loss"].values[0] > 1 else {"gpu"}

    records = [record(), record(train_loss=FALLING[:5]), record(train_loss=FALLING / 10)]
    found = peers.answer_of(peer(find, shaky=SHAKY), records)
    assert found.failed.tolist() == [False, True, False]
    assert found.reported.tolist() == [True, False, True]
    assert found.present.sum(axis=1).tolist() == [1, 0, 0]
    assert found.present[0, LABELS.index("divergence")]


@pytest.mark.parametrize("one", PEERS, ids=[one.package for one in PEERS])
def test_codes_stand_for_labels_of_ours(one):
    named = {label for code in one.codes.values() for label in code.labels}
    assert named <= set(LABELS)
    assert all(code.labels and len(set(code.labels)) == len(code.labels) for code in one.codes.values())
    assert one.claimed


def test_losses_are_paired_at_shared_steps_or_read_off_where_these_are_few():
    shared = record(train_loss=([1, 2, 3, 4], [4, 3, 2, 1]), val_loss=([2, 4], [9, 8])).run
    assert [side.tolist() for side in paired(shared)] == [[3, 1], [9, 8]]
    apart = record(train_loss=([1, 3, 5], [4, 2, 0]), val_loss=([2, 4], [9, 8])).run
    assert [side.tolist() for side in paired(apart)] == [[3, 1], [9, 8]]
    with pytest.raises(DeclinedError, match="both losses"):
        paired(record().run)


def test_records_hold_what_was_logged_at_a_step():
    run = record(train_loss=([1, 2, 4], [3.0, 2.0, 1.0]), val_loss=([2, 3], [5.0, 4.0])).run
    assert peer_adapters.records_of(run, {"train_loss": "loss", "val_loss": "eval_loss"}) == [
        {"step": 1, "loss": 3.0}, {"step": 2, "loss": 2.0, "eval_loss": 5.0}, {"step": 3, "eval_loss": 4.0},
        {"step": 4, "loss": 1.0},
    ]  # fmt: skip
    assert [peer_adapters.latest(run, "val_loss", step) for step in (1, 2, 2.5, 9)] == [None, 5.0, 5.0, 4.0]


def test_the_table_has_ours_on_a_peers_labels_and_a_row_for_the_absent(tmp_path, monkeypatch, capsys):
    here = peer(lambda run: {"shaky"}, shaky=SHAKY)
    gone = Peer("absent-peer", "9.9", here.find, here.codes)
    monkeypatch.setattr(peers, "PEERS", (here, gone))
    monkeypatch.setattr(peers, "installed", lambda one: "1.0" if one is here else "")
    labelled = [record(["divergence"], train_loss=1 / FALLING)] * 5 + [record((), ["divergence", "loss_spikes"])] * 5
    monkeypatch.setattr(peers, "load_records", lambda path, curves: labelled)
    monkeypatch.setattr(peers, "ours", lambda name, records: peers.answer_of(peer(lambda run: set()), records))
    out = tmp_path / "peers.csv"
    monkeypatch.setattr(sys, "argv", ["peers.py", "yard/dev.jsonl", "--out", str(out), "--draws", "5"])
    peers.main()
    with out.open() as file:
        rows = {(r["judge"], r["label"], r["measure"]): r for r in csv.DictReader(file)}
    assert {r["yardstick"] for r in rows.values()} == {"yard"}
    assert rows["imaginary", "divergence", "f1"]["value"] == "0.6667"  # 5 hits, 5 false, none missed
    assert rows["imaginary", "", "macro_f1_claimed"]["n"] == "1"  # loss_spikes has no positive
    assert rows["imaginary", "", "false_alarm"]["value"] == "1"
    assert rows["whole", "", "macro_f1 on imaginary"]["value"] == "0"
    assert rows["imaginary", "", "changed_by_every_4th_point"]["value"] == "0"
    assert rows["imaginary", "", "errors"]["value"] == "0"
    assert [key for key in rows if key[0] == "absent-peer"] == [("absent-peer", "", "not installed")]
    assert "pip install absent-peer==9.9" in capsys.readouterr().err


CLEAR = {
    "runmedic": "overfitting",
    "trainspotter": "Overfitting onset",
    "trainproof": "TP-OVERFIT",
    "training_doctor": "overfitting",
    "sk_autod": "Missed early stopping",
    "epochix": "overfit",
    "aicoach": "overfitting",
}


@pytest.mark.parametrize("module", CLEAR)
def test_an_installed_peer_sees_a_textbook_case(module):
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed")
    steps = np.arange(1.0, 121.0)
    train = 0.02 + 2.0 * np.exp(-steps / 20)
    val = np.where(steps < 40, 0.5 + 2.0 * np.exp(-steps / 15), 0.64 + 0.003 * (steps - 40))
    run = Run.from_arrays({"train_loss": (steps, train), "val_loss": (steps, val)})
    assert CLEAR[module] in getattr(peer_adapters, module)(run)
