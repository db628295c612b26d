"""Tags, steps and values against TensorBoard's own reader, on every event file there is."""

import os
from pathlib import Path

import numpy as np
import pytest

from curveclinic.readers.event_file import decode

accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
tensor_util = pytest.importorskip("tensorboard.util.tensor_util")

EXAMPLES = Path(__file__).parent.parent / "examples"
YARD = Path(os.environ.get("CURVECLINIC_YARDSTICKS", "no yardsticks")) / "real_runs" / "raw" / "tensorboard"
FILES = sorted([*EXAMPLES.rglob("*tfevents*"), *(YARD.iterdir() if YARD.is_dir() else ())])


def by_accumulator(path):
    """Tag -> (steps, values), the TensorFlow 2 scalars (tensors of one number) included."""
    guidance = {"scalars": 0, "tensors": 0}
    reader = accumulators.EventAccumulator(str(path), size_guidance=guidance, purge_orphaned_data=False)
    reader.Reload()
    found = {tag: [(e.step, e.value) for e in reader.Scalars(tag)] for tag in reader.Tags()["scalars"]}
    for tag in reader.Tags()["tensors"]:
        arrays = [(e.step, tensor_util.make_ndarray(e.tensor_proto)) for e in reader.Tensors(tag)]
        if all(a.size == 1 and a.dtype.kind in "fiu" for _, a in arrays):
            found[tag] = [(step, float(a.ravel()[0])) for step, a in arrays]
    return found


def check(path):
    expected = by_accumulator(path)
    assert expected
    for columnwise in (True, False):
        with open(path, "rb", buffering=0) as file:
            tags = decode(file, columnwise=columnwise).tags
        assert tags.keys() == expected.keys()
        for tag, points in expected.items():
            assert np.array_equal(np.array(tags[tag][1:]).T, np.array(points, dtype=float), equal_nan=True), tag


@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}-{FILES.index(p)}")
def test_a_real_file(path):
    check(path)


@pytest.fixture(params=["tensorboardX", "torch.utils.tensorboard"])
def written(request, tmp_path):
    writers = pytest.importorskip(request.param)

    def save(fill, **options):
        writer = writers.SummaryWriter(str(tmp_path), **options)
        fill(writer)
        writer.close()
        return sorted(p for p in tmp_path.iterdir() if "tfevents" in p.name)

    return save


def test_everything_a_writer_writes(written):
    rng = np.random.default_rng(0)

    def fill(writer):
        for k in range(300):
            writer.add_scalar("loss/train", rng.normal(), k)
            writer.add_scalar("loss/value", [np.nan, np.inf, -np.inf, 0.0][k % 4], k)
            if k % 20 == 0:
                writer.add_scalar("loss/valid", rng.normal(), k)
                writer.add_histogram("weights", rng.normal(size=50), k)
                writer.add_image("picture", rng.random((3, 30, 30)), k)
                writer.add_text("note", "words " * k, k)

    (path,) = written(fill)
    check(path)


def test_steps_of_every_size_and_sign(written):
    steps = [0, 1, 127, 128, 16_383, 16_384, 2**21, 2**28, 2**31, 2**35, 2**62, -1, -5, 0]

    def fill(writer):
        for round_ in range(20):
            for step in steps:
                writer.add_scalar("loss", round_, step)
                writer.add_scalar("rate", -round_, step)

    (path,) = written(fill)
    check(path)


@pytest.mark.parametrize("options", [{"new_style": True}, {"double_precision": True}, {"new_style": False}])
def test_torchs_styles_of_scalars(tmp_path, options):
    writers = pytest.importorskip("torch.utils.tensorboard")
    writer = writers.SummaryWriter(str(tmp_path))
    for k in range(300):
        writer.add_scalar("loss/train", 1 / (k + 1), k, **options)
        writer.add_scalar("loss/valid", 2 / (k + 1), k, **options)
    writer.close()
    (path,) = tmp_path.iterdir()
    check(path)


def test_several_series_of_one_name(written, tmp_path):
    def fill(writer):
        for k in range(100):
            writer.add_scalars("loss", {"train": 1.0 / (k + 1), "valid": 2.0 / (k + 1)}, k)

    written(fill)
    files = [p for p in tmp_path.rglob("*tfevents*") if p.parent != tmp_path]
    assert len(files) == 2
    for path in files:
        check(path)
