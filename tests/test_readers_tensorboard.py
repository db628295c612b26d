import os
import struct

import numpy as np
import pytest
from door_cases import steps, values
from event_cases import event, record, scalar
from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2, tensor_shape_pb2, types_pb2
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from tensorboardX import SummaryWriter

from curveclinic.errors import LogError
from curveclinic.readers import ReadFailure, read_file, read_runs
from curveclinic.readers.crc import masked_crc
from curveclinic.readers.event_file import decode


def write(folder, series, *, first=0, wall=None, suffix=""):
    """Writes {tag: values} with the real writer, one step apart."""
    writer = SummaryWriter(str(folder), filename_suffix=suffix)
    for tag, points in series.items():
        for k, value in enumerate(points):
            writer.add_scalar(tag, value, first + k, walltime=None if wall is None else wall + k)
    writer.close()
    return sorted(p for p in folder.iterdir() if "tfevents" in p.name)[-1]


def test_the_checksum_is_the_writers(tmp_path):
    path = write(tmp_path, {"loss": [1.0]})
    data = path.read_bytes()
    assert masked_crc(data[:8]) == struct.unpack_from("<I", data, 8)[0]


def test_a_folder_is_a_run(tmp_path):
    rng = np.random.default_rng(0)
    train, val = rng.normal(size=50).astype(np.float32), rng.normal(size=50).astype(np.float32)
    val[3] = np.nan
    train[7] = np.inf
    write(tmp_path, {"Loss/train": train, "Loss/val": val, "acc/val": [0.0, 0.5], "lr": [0.1, 0.2]})
    (run,) = read_file(tmp_path)
    assert np.array_equal(values(run), train.astype(float))
    assert np.array_equal(values(run, "val_loss"), val.astype(float), equal_nan=True)
    assert steps(run) == list(range(50))
    assert values(run, "val_metric") == [0.0, 0.5]
    assert (run.format, run.run_id) == ("tensorboard", tmp_path.name)


def test_torch_writes_the_same(tmp_path):
    tensorboard = pytest.importorskip("torch.utils.tensorboard")
    writer = tensorboard.SummaryWriter(str(tmp_path))
    for k in range(20):
        writer.add_scalar("train/loss", 1 / (k + 1), k)
        writer.add_histogram("weights", np.arange(5), k)
        writer.add_image("picture", np.zeros((3, 40, 40)), k)
        writer.add_text("note", "text", k)
    writer.close()
    (run,) = read_file(tmp_path)
    assert np.allclose(values(run), [1 / (k + 1) for k in range(20)])
    assert steps(run) == list(range(20))


def test_both_decoders_agree_on_mixed_records():
    rng = np.random.default_rng(1)
    data = record(event_pb2.Event(wall_time=1.0, file_version="brain.Event:2"))
    expected = []
    for k in range(2000):
        step = int(rng.choice([0, k, 127, 128, 16384 + k, 2**33 + k]))
        tag = str(rng.choice(["a", "bb", "loss/train", "loss/valid", "x" * 100, "ü"]))
        value = float(np.float32(rng.normal()))
        data += record(event(step, scalar(tag, value), wall=float(k)))
        expected.append((tag, step, value))
    fast, slow = decode(data), decode(data, columnwise=False)
    assert set(fast.tags) == set(slow.tags) == {tag for tag, _, _ in expected}
    for tag, columns in fast.tags.items():
        for mine, reference in zip(columns, slow.tags[tag], strict=True):
            assert np.array_equal(mine, reference)
        assert columns[1].tolist() == [s for t, s, _ in expected if t == tag]
        assert columns[2].tolist() == [v for t, _, v in expected if t == tag]


def tensor(dtype, shape=(), **fields):
    dims = [tensor_shape_pb2.TensorShapeProto.Dim(size=n) for n in shape]
    return tensor_pb2.TensorProto(dtype=dtype, tensor_shape=tensor_shape_pb2.TensorShapeProto(dim=dims), **fields)


@pytest.mark.parametrize(
    ("proto", "expected"),
    [
        (tensor(types_pb2.DT_FLOAT, float_val=[1.5]), 1.5),
        (tensor(types_pb2.DT_FLOAT, tensor_content=struct.pack("<f", 2.5)), 2.5),
        (tensor(types_pb2.DT_DOUBLE, double_val=[0.1]), 0.1),
        (tensor(types_pb2.DT_DOUBLE, tensor_content=struct.pack("<d", 0.1)), 0.1),
        (tensor(types_pb2.DT_INT32, int_val=[-3]), -3.0),
        (tensor(types_pb2.DT_INT64, int64_val=[7]), 7.0),
        (tensor(types_pb2.DT_HALF, half_val=[0x3E00]), 1.5),
        (tensor(types_pb2.DT_HALF, tensor_content=struct.pack("<e", 1.5)), 1.5),
        (tensor(types_pb2.DT_BFLOAT16, half_val=[0x3FC0]), 1.5),
        (tensor(types_pb2.DT_FLOAT), 0.0),
        (tensor(types_pb2.DT_FLOAT, (1,), float_val=[4.0]), 4.0),
        (tensor(types_pb2.DT_FLOAT, (2,), float_val=[4.0, 5.0]), None),
        (tensor(types_pb2.DT_DOUBLE, (3, 3), tensor_content=bytes(72)), None),
        (tensor(types_pb2.DT_STRING, string_val=[b"text"]), None),
    ],
)
def test_tensor_scalars(proto, expected):
    data = record(event(1, summary_pb2.Summary.Value(tag="loss", tensor=proto)))
    found = decode(data).tags
    assert (found["loss"][2].tolist() if found else None) == (None if expected is None else [expected])


def test_left_out_defaults_are_zeros():
    data = record(event(0, summary_pb2.Summary.Value(tag="loss"))) + record(event(1, scalar("loss", 0.0)))
    _, found_steps, found_values = decode(data).tags["loss"]
    assert (found_steps.tolist(), found_values.tolist()) == ([0, 1], [0, 0])


def test_hyper_parameters_are_no_scalars():
    metadata = summary_pb2.SummaryMetadata(plugin_data=summary_pb2.SummaryMetadata.PluginData(plugin_name="hparams"))
    data = record(event(0, summary_pb2.Summary.Value(tag="_hparams_/experiment", metadata=metadata)))
    assert decode(data).tags == {}


def test_several_files_are_merged_in_time_order(tmp_path):
    write(tmp_path, {"train_loss": [3.0, 2.0]}, first=2, wall=2000.0, suffix="a")
    write(tmp_path, {"train_loss": [5.0, 4.0]}, first=0, wall=1000.0, suffix="b")
    (run,) = read_file(tmp_path)
    assert (steps(run), values(run)) == ([0, 1, 2, 3], [5, 4, 3, 2])


def test_a_restart_voids_what_was_written_after_its_step(tmp_path):
    write(tmp_path, {"train_loss": [9, 8, 7, 6, 5]}, wall=1000.0, suffix="a")
    write(tmp_path, {"train_loss": [7.5, 6.5]}, first=2, wall=2000.0, suffix="b")
    (run,) = read_file(tmp_path)
    assert (steps(run), values(run)) == ([0, 1, 2, 3], [9, 8, 7.5, 6.5])
    assert any("restarted; left out 3 points" in note for note in run.notes)


def test_a_session_start_voids_later_steps(tmp_path):
    writer = SummaryWriter(str(tmp_path), filename_suffix="a")
    for k in range(5):
        writer.add_scalar("train_loss", 9 - k, k, walltime=1000.0 + k)
    writer.close()
    start = event_pb2.Event(
        wall_time=2000.0, step=3, session_log=event_pb2.SessionLog(status=event_pb2.SessionLog.START)
    )
    (tmp_path / "events.out.tfevents.2000.z").write_bytes(
        record(start) + record(event(3, scalar("train_loss", 1.0), wall=2001.0))
    )
    (run,) = read_file(tmp_path)
    assert (steps(run), values(run)) == ([0, 1, 2, 3], [9, 8, 7, 1])


def test_two_runs_written_into_one_folder_are_two(tmp_path):
    write(tmp_path, {"train_loss": [9, 5, 3]}, wall=1000.0, suffix="a")
    write(tmp_path, {"train_loss": [9.5, 6, 4]}, wall=2000.0, suffix="b")
    first, second = read_file(tmp_path)
    assert (values(first), values(second)) == ([9, 5, 3], [9.5, 6, 4])
    assert (first.run_id, second.run_id) == (f"{tmp_path.name}#1", f"{tmp_path.name}#2")


def test_files_without_a_common_curve_are_one_run_and_said(tmp_path):
    write(tmp_path, {"train/loss": [9, 5, 3]}, wall=1000.0, suffix="a")
    write(tmp_path, {"Loss/train": [4, 3, 2]}, wall=2000.0, suffix="b")
    (run,) = read_file(tmp_path)
    assert run.notes[0] == "2 event files are read as one run, though not all log the same curves"


def test_a_file_that_goes_on_is_joined_without_a_word(tmp_path):
    write(tmp_path, {"train_loss": [9, 5, 3]}, wall=1000.0, suffix="a")
    write(tmp_path, {"train_loss": [2, 1]}, first=3, wall=2000.0, suffix="b")
    (run,) = read_file(tmp_path)
    assert (values(run), run.notes) == ([9, 5, 3, 2, 1], ())


def test_a_counter_that_starts_over_while_the_loss_goes_on_loses_no_point(tmp_path):
    write(tmp_path, {"train_loss": [9, 5, 3], "lr": [0.5, 0.5, 0.1]}, wall=1000.0, suffix="a")
    write(tmp_path, {"train_loss": [2.9, 2, 1], "lr": [0.5, 0.5, 0.1]}, wall=2000.0, suffix="b")
    (run,) = read_file(tmp_path)
    assert (steps(run), values(run)) == ([0, 1, 2, 3, 4, 5], [9, 5, 3, pytest.approx(2.9), 2, 1])
    assert steps(run, "lr") == steps(run)
    assert run.notes == ("the step counter started over while the loss went on: read as one run continued",)


def test_a_lone_final_point_at_step_zero_restarts_nothing(tmp_path):
    writer = SummaryWriter(str(tmp_path))
    for k in range(1, 5):
        writer.add_scalar("train_loss", 5 - k, k)
    writer.add_scalar("train_loss", 0.5, 0)
    writer.close()
    assert steps(read_file(tmp_path)[0]) == [0, 1, 2, 3, 4]


def test_a_cut_off_tail_is_normal_and_noted(tmp_path):
    path = write(tmp_path, {"train_loss": [3.0, 2.0, 1.0]})
    path.write_bytes(path.read_bytes()[:-5])
    (run,) = read_file(tmp_path)
    assert values(run) == [3, 2]
    assert "the last record is cut off and is left out" in run.notes


def test_garbage_ends_the_file_and_is_noted(tmp_path):
    path = write(tmp_path, {"train_loss": [3.0, 2.0]})
    path.write_bytes(path.read_bytes() + b"garbage " * 9)
    (run,) = read_file(tmp_path)
    assert values(run) == [3, 2]
    assert any("garbage after 3 records" in note for note in run.notes)


def test_a_damaged_record_is_left_out_and_noted(tmp_path):
    path = write(tmp_path, {"train_loss": [3.0, 2.0, 1.0]})
    data = bytearray(path.read_bytes())
    data[-30] ^= 0xFF
    path.write_bytes(bytes(data))
    (run,) = read_file(path)
    assert values(run) == [3, 2]
    assert "left out 1 record with a wrong checksum" in run.notes


def test_a_file_of_nothing_but_garbage_is_an_error(tmp_path):
    path = tmp_path / "events.out.tfevents.1.host"
    path.write_bytes(b"\x01\x02\x03\x00" * 100)
    with pytest.raises(LogError, match="no scalar could be read; garbage after 0 records"):
        read_file(path)
    (failure,) = list(read_runs([tmp_path]))
    assert isinstance(failure, ReadFailure)
    assert failure.format == "tensorboard"


def test_keras_sub_folders_are_one_run(tmp_path):
    for name, first in (("train", 3.0), ("validation", 4.0)):
        writer = EventFileWriter(str(tmp_path / "fit" / name))
        for k in range(3):
            proto = tensor(types_pb2.DT_FLOAT, tensor_content=struct.pack("<f", first - k))
            writer.add_event(event(k, summary_pb2.Summary.Value(tag="epoch_loss", tensor=proto), wall=1.0 + k))
        writer.close()
    (run,) = list(read_runs([tmp_path]))
    assert run.run_id == "fit"
    assert (values(run), values(run, "val_loss")) == ([3, 2, 1], [4, 3, 2])
    assert steps(run) == [0, 1, 2]


def test_add_scalars_sub_folders_are_one_run(tmp_path):
    writer = SummaryWriter(str(tmp_path / "exp"))
    for k in range(4):
        writer.add_scalars("loss", {"train": 4.0 - k, "val": 5.0 - k}, k)
        writer.add_scalar("lr", 0.5, k)
    writer.close()
    (run,) = list(read_runs([tmp_path]))
    assert (values(run), values(run, "val_loss"), values(run, "lr")) == ([4, 3, 2, 1], [5, 4, 3, 2], [0.5] * 4)


def test_runs_called_train_are_runs_of_their_own(tmp_path):
    for name in ("train", "train2", "train10"):
        write(tmp_path / name, {"train/loss": [2.0, 1.0], "val/loss": [2.0, 1.0]})
    assert [run.run_id for run in read_runs([tmp_path])] == ["train", "train2", "train10"]


def curves(folder):
    runs = list(read_runs([folder]))
    return {r.run_id: tuple(values(r, c) if c in r.channels else [] for c in ("train_loss", "val_loss")) for r in runs}


@pytest.mark.parametrize(
    "names",
    [
        ("train", "val_seen", "val_unseen"), ("train", "eval_1", "eval_2"), ("train", "test_0"),
        ("train_resnet", "val"),
        ("train_20240101-101010", "val_20240101-101011"), ("tensorboard_train", "tensorboard_validation"),
    ],
)  # fmt: skip
def test_one_folder_of_training_and_those_of_its_evaluation_are_one_run(tmp_path, names):
    for k, name in enumerate(names):
        write(tmp_path / "exp" / name, {"loss": [2.0 + k, 1.0 + k]})
    assert curves(tmp_path) == {"exp": ([2, 1], [3, 2])}
    (run,) = read_file(tmp_path / "exp")
    assert (values(run), values(run, "val_loss")) == ([2, 1], [3, 2])


def test_of_several_pairs_of_siblings_each_is_a_run(tmp_path):
    for k in (1, 2):
        write(tmp_path / f"exp{k}_train", {"loss": [2.0, 1.0 / k]})
        write(tmp_path / f"exp{k}_val", {"loss": [3.0, 2.0 / k]})
        write(tmp_path / f"{'ab'[k - 1]}_train_2024010{k}", {"loss": [4.0, 3.0 / k]})
        write(tmp_path / f"{'ab'[k - 1]}_val_2024010{k + 1}", {"loss": [5.0, 4.0 / k]})
    write(tmp_path / "train_resnet", {"loss": [9.0, 8.0]})
    write(tmp_path / "test_run", {"loss": [7.0, 6.0]})
    assert curves(tmp_path) == {
        "exp1_train+exp1_val": ([2, 1], [3, 2]), "exp2_train+exp2_val": ([2, 0.5], [3, 1]),
        "a_train_20240101+a_val_20240102": ([4, 3], [5, 4]), "b_train_20240102+b_val_20240103": ([4, 1.5], [5, 2]),
        "test_run": ([], [7, 6]), "train_resnet": ([9, 8], []),
    }  # fmt: skip


def test_folders_whose_own_tags_name_both_sides_are_runs_of_their_own(tmp_path):
    places = (
        (1.0, ("new/train_v1", "new/test_run")),
        (2.0, ("old/train", "old/test")),
        (3.0, ("x/b_train", "x/b_test")),
    )
    for level, names in places:
        train = "loss" if level == 3 else "train/loss"
        for name in names:
            write(tmp_path / name, {train: [2.0, level], "val_loss": [3.0, level]})
    write(tmp_path / "y" / "train", {"loss": [2.0, 1.0], "val_loss": [3.0, 2.0]})
    write(tmp_path / "y" / "val", {"loss": [3.0, 2.0]})
    found = curves(tmp_path)
    assert found.pop("y")[0]
    assert found == {
        "old#train": ([2, 2], [3, 2]), "old#test": ([2, 2], [3, 2]), "new#test_run": ([2, 1], [3, 1]),
        "new#train_v1": ([2, 1], [3, 1]), "x#b_train": ([2, 3], [3, 3]), "x#b_test": ([2, 3], [3, 3]),
    }  # fmt: skip


def test_a_folder_of_evaluation_by_itself_is_no_training_unless_its_tags_say_so(tmp_path):
    for name in ("train_a", "train_b"):
        write(tmp_path / name, {"loss": [2.0, 1.0]})
    write(tmp_path / "val_c", {"loss": [3.0, 2.0]})
    write(tmp_path / "val_d", {"loss": [3.0, 1.0], "val_loss": [4.0, 3.0]})
    write(tmp_path / "val_e", {"train/loss": [3.0, 0.5]})
    write(tmp_path / "test" / "inner", {"loss": [5.0, 4.0]})
    write(tmp_path / "alone" / "test", {"loss": [6.0, 5.0]})
    assert curves(tmp_path) == {
        "train_a": ([2, 1], []), "train_b": ([2, 1], []), "val_c": ([], [3, 2]), "val_d": ([3, 1], [4, 3]),
        "val_e": ([3, 0.5], []), "test/inner": ([5, 4], []), "alone/test": ([6, 5], []),
    }  # fmt: skip


def test_the_results_beside_hyper_parameters_are_no_run(tmp_path):
    writer = SummaryWriter(str(tmp_path / "exp"))
    for step in range(3):
        writer.add_scalar("train/loss", 3.0 - step, step)
    writer.add_hparams({"lr": 0.1}, {"hparam/loss": 1.0}, name="trial")
    writer.close()
    assert [(r.run_id, values(r)) for r in read_runs([tmp_path])] == [("exp", [3, 2, 1])]


def test_curves_called_results_are_read_where_nothing_else_is_there(tmp_path):
    write(tmp_path / "exp", {"hparam/train_loss": [2.0, 1.0], "hparam/val_loss": [3.0, 2.0]})
    assert curves(tmp_path) == {"exp": ([2, 1], [3, 2])}


def test_hyper_parameter_folders_are_passed_over(tmp_path):
    writer = SummaryWriter(str(tmp_path / "exp"))
    writer.add_scalar("train/loss", 1.0, 0)
    writer.add_hparams({"lr": 0.1}, {"hparam/score": 1.0}, name="trial")
    writer.close()
    assert [type(r).__name__ for r in read_runs([tmp_path])] == ["Run"]


def test_a_folder_read_as_a_file_must_hold_events(tmp_path):
    with pytest.raises(LogError, match="found a folder without event files"):
        read_file(tmp_path)


def test_random_bytes_never_break_the_decoder():
    rng = np.random.default_rng(2)
    for size in (0, 1, 11, 12, 100, 1000):
        decode(rng.bytes(size))
        decode(record(rng.bytes(size)) * 20)
    good = b"".join(record(event(k, scalar("loss", 1.0))) for k in range(40))
    for _ in range(200):
        bad = bytearray(good)
        for at in rng.integers(0, len(good), 3):
            bad[at] = rng.integers(256)
        assert set(decode(bytes(bad)).tags) <= {"loss"}


def test_reading_leaves_no_file_open(tmp_path):
    write(tmp_path, {"train_loss": [1.0]})
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    for _ in range(20):
        read_file(tmp_path)
    after = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0
    assert after <= before + 2
