"""Text logs in which a crash or a log rotation has left runs of NUL bytes, and binary files, which stay binary."""

import gzip
import json
import pickle
import sqlite3
import struct

import numpy as np
import pytest

from curveclinic.errors import LogError
from curveclinic.readers import ReadOptions, is_log, read_file, read_runs, read_stdin
from curveclinic.readers.nul_bytes import without_nul

N = 30
ROWS = [{"epoch": k, "train_loss": 9 - k / 4, "val_loss": 10 - k / 4} for k in range(N)]
TEXTS = {
    "csv": "epoch,train_loss,val_loss\n" + "".join(",".join(map(str, row.values())) + "\n" for row in ROWS),
    "text": "".join(f"Epoch {r['epoch']} loss: {r['train_loss']} val_loss: {r['val_loss']}\n" for r in ROWS),
    "jsonl": "".join(json.dumps(row) + "\n" for row in ROWS),
    "keras_history": json.dumps(ROWS, indent=1) + "\n",
}
HOLE = b"\0" * 4096


def losses(run):
    return run.channels["train_loss"].values.tolist()


@pytest.mark.parametrize("holes", ["head", "tail", "both", "longer than what is looked at"])
@pytest.mark.parametrize("name", TEXTS)
def test_what_is_whole_is_read_and_said(name, holes, tmp_path):
    before, after = {"head": (1, 0), "tail": (0, 1), "both": (1, 1), "longer than what is looked at": (20, 20)}[holes]
    data = HOLE * before + TEXTS[name].encode() + HOLE * after
    path = tmp_path / "log"
    path.write_bytes(data)
    (run,) = read_file(path)
    assert (run.format, losses(run)) == (name, [row["train_loss"] for row in ROWS])
    size = f"{4096 * (before + after):,}"
    assert f"left out {size} NUL bytes: a crash or a log rotation has torn holes into the file" in run.notes


def test_compressed_logs_are_mended_too():
    (run,) = read_stdin(gzip.compress(HOLE + TEXTS["csv"].encode() + HOLE))
    assert losses(run) == [row["train_loss"] for row in ROWS]
    assert any("NUL bytes" in note for note in run.notes)


def test_a_tail_beyond_the_head_is_seen(tmp_path):
    path = tmp_path / "log.csv"
    path.write_bytes(b"step,loss\n" + b"".join(b"%d,%d.5\n" % (k, k) for k in range(40_000)) + b"40000,40" + HOLE)
    (run,) = read_file(path)
    assert losses(run) == [k + 0.5 for k in range(40_000)]
    assert "left out 4,096 NUL bytes: a crash or a log rotation has torn holes into the file" in run.notes
    assert any("its last cell may be cut short" in note for note in run.notes)


def test_lines_around_a_hole_are_left_out():
    data = b"step,loss\n1,5.5\n2,4.5\n3,3.2" + HOLE + b"75,2.5\n5,1.5\n"
    (run,) = read_stdin(data)
    assert (run.channels["train_loss"].steps.tolist(), losses(run)) == ([1, 2, 5], [5.5, 4.5, 1.5])


def test_patterns_of_the_user_see_through_holes():
    (run,) = read_stdin(HOLE + b"T 3.5\nT 2.5\nT 1.5\n" + HOLE, ReadOptions(patterns=(r"T (?P<loss>\S+)",)))
    assert losses(run) == [3.5, 2.5, 1.5]


def binaries(folder):
    """Files that hold a loss and NUL bytes, and are no text."""
    np.save(folder / "loss.npy", np.linspace(1, 0, 50))
    np.savez(folder / "loss.npz", train_loss=np.linspace(1, 0, 50))
    (folder / "loss.pkl").write_bytes(pickle.dumps({"train_loss": [1.0, 0.5, 0.25], "step": list(range(3))}))
    (folder / "loss.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x10\0\0\0\x10\x08\x02\0\0\0" * 3)
    header = json.dumps({"loss: 0.5 loss: 0.4 loss: 0.3": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}})
    (folder / "loss.safetensors").write_bytes(struct.pack("<Q", len(header)) + header.encode() + bytes(8))
    (folder / "loss.bin").write_bytes(np.linspace(1, 0, 500).astype("<f4").tobytes())
    (folder / "zero.bin").write_bytes(HOLE * 40)
    (folder / "utf16.txt").write_bytes(("loss: 0.5\n" * 9).encode("utf-16-le"))
    return sorted(folder.iterdir())


def test_binary_files_stay_binary(tmp_path):
    for path in binaries(tmp_path):
        assert without_nul(path.read_bytes()) is None, path
        assert not is_log(path.name, path.read_bytes()[:65536]), path
        with pytest.raises(LogError, match=r"no known log format|zip archive"):
            read_file(path)


def test_a_database_is_not_mended(tmp_path):
    with sqlite3.connect(tmp_path / "x.db") as connection:
        connection.execute("CREATE TABLE train_loss (step INTEGER, loss REAL)")
        connection.executemany("INSERT INTO train_loss VALUES (?, ?)", [(k, k / 2) for k in range(99)])
    with pytest.raises(LogError, match="database"):
        read_file(tmp_path / "x.db")


def test_a_run_without_a_loss_says_so_though_there_are_holes(tmp_path):
    rows = [{"run_id": "a", "loss": 3 - k} for k in range(3)] + [{"run_id": "b", "accuracy": k} for k in range(3)]
    (tmp_path / "x.jsonl").write_bytes("".join(json.dumps(row) + "\n" for row in rows).encode() + HOLE)
    run, failure = read_runs([tmp_path])
    assert "NUL" in run.notes[-1]
    assert "no loss column" in failure.reason
