import shutil
import zlib

import numpy as np
import pytest
from tracker_logs import FIXTURES, assert_holds, last_per_step, logged, same

from curveclinic.errors import LogError
from curveclinic.readers import ReadFailure, read_file, read_runs, read_stdin

FILES = sorted((FIXTURES / "wandb").rglob("*.wandb"))


def record(number, payload):
    """A Record with one field, framed as the only piece of a block."""
    tag = number << 3 | 2
    data = (bytes((tag,)) if tag < 128 else bytes((tag & 127 | 128, tag >> 7))) + bytes((len(payload),)) + payload
    return zlib.crc32(data, zlib.crc32(b"\1")).to_bytes(4, "little") + len(data).to_bytes(2, "little") + b"\1" + data


def item(key, value, field=0x12):
    body = bytes((field, len(key))) + key + b"\x82\x01" + bytes((len(value),)) + value
    return bytes((0x0A, len(body))) + body


def log(*rows):
    return b":W&B\xe1\xbe\x00" + b"".join(record(2, b"".join(item(k, v) for k, v in row)) for row in rows)


def test_offline_runs():
    runs = {r.run_id.rpartition("/")[2]: r for r in read_runs([FIXTURES / "wandb"]) if r.format == "wandb"}
    expected = logged("wandb")
    assert sorted(runs) == sorted(expected)
    for name, run in runs.items():
        assert_holds(run, expected[name])
    assert same(runs["nested"].channels["lr"], expected["falls"]["lr"])
    assert "train_loss <- train.loss" in runs["nested"].notes
    assert runs["falls"].run_id.startswith("wandb/offline-run-20240610_000000-run00000/run-run00000.wandb#fixture/")


def test_a_run_folder_is_one_run_and_a_link_to_it_none(tmp_path):
    folder = tmp_path / "wandb" / "offline-run-20240610_000000-run00000"
    shutil.copytree(FILES[0].parent, folder)
    (folder / "files").mkdir()
    (folder / "files" / "history.csv").write_text("epoch,loss\n0,2\n1,1\n")
    (tmp_path / "wandb" / "latest-run").symlink_to(folder.name)
    (run,) = read_runs([tmp_path])
    assert run.run_id == "wandb/offline-run-20240610_000000-run00000/run-run00000.wandb#fixture/falls"
    (same_run,) = read_file(folder)
    assert same_run.channels["train_loss"].values.tolist() == run.channels["train_loss"].values.tolist()


def test_a_torn_file_gives_the_rows_before_and_a_note(tmp_path):
    data = FILES[0].read_bytes()
    steps, values = last_per_step(logged("wandb")["falls"]["train/loss"])
    seen = set()
    for size in range(2000, len(data), 1777):
        path = tmp_path / "run.wandb"
        path.write_bytes(data[:size])
        (run,) = read_runs([path])
        n = len(run.channels["train_loss"])
        seen.add(n)
        assert run.channels["train_loss"].steps.tolist() == steps[:n]
        assert run.channels["train_loss"].values.tolist() == values[:n]
        if size < len(data) - 2000:
            assert n < 60
    assert len(seen) > 10
    path.write_bytes(data[:-5])
    (run,) = read_runs([path])
    assert "the last record is cut off and is left out" in run.notes
    assert len(run.channels["train_loss"]) == 60


def test_flipped_bits_lose_a_block_never_change_a_value(tmp_path):
    data = FILES[3].read_bytes()
    _, values = last_per_step(logged("wandb")["falls"]["train/loss"])
    rng = np.random.default_rng(1)
    for at in rng.integers(8, len(data), 40):
        flipped = bytearray(data)
        flipped[at] ^= 1 << int(rng.integers(8))
        for run in [r for r in _runs(tmp_path, bytes(flipped)) if not isinstance(r, ReadFailure)]:
            assert set(run.channels["train_loss"].values.tolist()) <= set(values)
            assert len(run.channels["train_loss"]) == 60 or any("damaged" in n or "cut off" in n for n in run.notes)


def _runs(folder, data):
    path = folder / "run.wandb"
    path.write_bytes(data)
    return read_runs([path])


def test_values_as_text_dicts_and_gaps():
    rows = [
        [(b"loss", b"3"), (b"_step", b"0"), (b"hist", b'{"_type": "histogram", "values": [1]}')],
        [(b"loss", b'"Infinity"'), (b"_step", b"5"), (b"val", b'{"loss": 4.5, "name": "x"}')],
        [(b"loss", b"null"), (b"_step", b"6")],
        [(b"loss", b"NaN"), (b"loss", b"2.5"), (b"_step", b"7")],
        [(b"loss", b"NaN"), (b"_step", b"9")],
    ]
    (run,) = read_stdin(log(*rows))
    assert run.channels["train_loss"].steps.tolist() == [0, 5, 7, 9]
    assert run.channels["train_loss"].values.tolist()[:3] == [3, np.inf, 2.5]
    assert np.isnan(run.channels["train_loss"].values[3])
    assert run.channels["val_loss"].values.tolist() == [4.5]


def test_plain_keys_and_steps_of_old_versions():
    def row(step, value):
        return record(2, item(b"loss", value, 0x0A) + b"\x12\x02\x08" + bytes((step,)))

    (run,) = read_stdin(b":W&B\xe1\xbe\x00" + row(10, b"2.0") + row(20, b"1.0"))
    assert (run.channels["train_loss"].steps.tolist(), run.channels["train_loss"].values.tolist()) == ([10, 20], [2, 1])


def test_epochs_that_repeat_are_no_axis():
    cells = [(str(9 - k).encode(), str(k // 4).encode(), str(k).encode()) for k in range(8)]
    rows = [list(zip((b"loss", b"epoch", b"_step"), row, strict=True)) for row in cells]
    (run,) = read_stdin(log(*rows))
    assert run.channels["train_loss"].values.tolist() == [9, 8, 7, 6, 5, 4, 3, 2]
    assert run.channels["train_loss"].steps.tolist() == list(range(8))


def test_no_history(tmp_path):
    empty = b":W&B\xe1\xbe\x00" + record(17, b"\x0a\x01x")
    with pytest.raises(LogError, match="no history in this W&B run"):
        read_stdin(empty)
    with pytest.raises(LogError, match="cut off"):
        read_stdin(log([(b"loss", b"1")])[:-4])
    with pytest.raises(LogError, match="no loss column; found only metrics or rewards, 'acc'"):
        read_stdin(log([(b"acc", b"1")], [(b"acc", b"2")]))
