"""`thousands`: numbers that blanks, apostrophes, or points beside decimal commas part into thousands."""

import pytest

from curveclinic.readers import read_file

LOSSES = [0.5 * 0.9**k + 0.25 for k in range(14)]
STEPS = [100 * k for k in range(4, 18)]


def read(path, lines):
    path.write_text("".join(line + "\n" for line in lines))
    (run,) = read_file(path)
    return run


def spelt(number, mark):
    return f"{number:,}".replace(",", mark)


def decimal(loss, digits=4):
    return f"{loss:.{digits}f}".replace(".", ",")


def is_read(run, digits=4):
    series = run.channels["train_loss"]
    return (series.steps.tolist(), series.values.tolist()) == (STEPS, [round(loss, digits) for loss in LOSSES])


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
@pytest.mark.parametrize("mark", [".", " ", "'", "\u00a0", "\u202f", "\u2009", "\u2019"])
@pytest.mark.parametrize("size", [1, 1000, 1_000_000])
def test_steps_of_thousands_beside_decimal_commas(mark, delimiter, size, tmp_path):
    rows = [f"{spelt(k * size, mark)}{delimiter}{decimal(loss)}" for k, loss in zip(STEPS, LOSSES, strict=True)]
    run = read(tmp_path / "run.csv", [f"step{delimiter}train_loss", *rows])
    assert run.channels["train_loss"].steps.tolist() == [k * size for k in STEPS]
    assert run.channels["train_loss"].values.tolist() == [round(loss, 4) for loss in LOSSES]
    assert run.notes == ()


def test_steps_of_thousands_tell_what_commas_with_three_digits_mean(tmp_path):
    rows = [f"{spelt(k, '.')};{decimal(loss + 1, 3)}" for k, loss in zip(STEPS, LOSSES, strict=True)]
    run = read(tmp_path / "run.csv", ["step;train_loss", *rows])
    assert run.channels["train_loss"].steps.tolist() == STEPS
    assert run.channels["train_loss"].values.tolist() == [round(loss + 1, 3) for loss in LOSSES]


@pytest.mark.parametrize("mark", [" ", "'", "\u00a0"])
def test_blanks_and_apostrophes_part_thousands_beside_decimal_points(mark, tmp_path):
    rows = [f"{spelt(k, mark)},{loss:.4f}" for k, loss in zip(STEPS, LOSSES, strict=True)]
    assert is_read(read(tmp_path / "run.csv", ["step,train_loss", *rows]))
    large = [f"{k},{spelt(12345.5 - k, mark)}" for k in range(4)]
    assert read(tmp_path / "run.csv", ["step,train_loss", *large]).channels["train_loss"].values[1] == 12344.5


def test_points_in_steps_stay_decimal_where_commas_part_thousands(tmp_path):
    rows = [f'{1 + k / 8:.3f},"{12_445 - k:,}"' for k in range(20)]
    run = read(tmp_path / "run.csv", ["epoch,train_loss", *rows])
    assert run.channels["train_loss"].steps.tolist() == [1 + k / 8 for k in range(20)]
    assert run.channels["train_loss"].values.tolist() == [12_445 - k for k in range(20)]
    rows = [f'{1 + k / 8:.3f},"{12_445.5 - k:,}"' for k in range(20)]
    assert read(tmp_path / "run.csv", ["epoch,train_loss", *rows]).channels["train_loss"].steps[-1] == 1 + 19 / 8


def test_fractions_of_epochs_beside_decimal_commas_stay_fractions(tmp_path):
    rows = [f"{k / 8};{decimal(loss)}" for k, loss in enumerate(LOSSES)]
    run = read(tmp_path / "run.csv", ["epoch;train_loss", *rows])
    assert run.channels["train_loss"].steps.tolist() == [k / 8 for k in range(14)]


def test_other_texts_with_blanks_stay_as_they_are(tmp_path):
    rows = [f"{k},{loss:.4f},run of 1 000 steps" for k, loss in zip(STEPS, LOSSES, strict=True)]
    assert is_read(read(tmp_path / "run.csv", ["step,train_loss,note", *rows]))
    rows = [f"1 00{k % 2},{k},{loss:.4f}" for k, loss in enumerate(LOSSES)]
    (tmp_path / "run.csv").write_text("\n".join(["run,step,train_loss", *rows, ""]))
    assert [run.run_id for run in read_file(tmp_path / "run.csv")] == ["run.csv#1 000", "run.csv#1 001"]
