import numpy as np
import pytest
from door_cases import steps, values

from curveclinic.errors import LogError
from curveclinic.readers import ReadOptions, read_file, read_runs
from curveclinic.readers.number_table import column_names


@pytest.fixture
def read(tmp_path):
    def write_and_read(text, name="run.csv", **options):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_file(path, ReadOptions(**options))

    return write_and_read


def test_keras_csv_logger(read):
    (run,) = read("epoch,accuracy,loss,val_loss\n0,0.1,2.5,2.4\n1,0.2,2.0,NA\n2,0.3,nan,1.9\n")
    assert np.array_equal(values(run), [2.5, 2.0, np.nan], equal_nan=True)
    assert (steps(run, "val_loss"), values(run, "val_loss")) == ([0, 2], [2.4, 1.9])
    assert (run.format, run.run_id) == ("csv", "run.csv")


def test_semicolons_and_decimal_commas(read):
    (run,) = read("epoch;loss;val_loss\n0;2,5;2,4\n1;1,5e0;2\n")
    assert values(run) == [2.5, 1.5]
    assert values(run, "val_loss") == [2.4, 2.0]


def test_keras_append_of_a_new_run_is_two_runs(read):
    first, second = read("epoch,loss\n0,4\n1,2\n2,1\nepoch,loss\n0,4.1\n1,2.1\n")
    assert (values(first), values(second)) == ([4, 2, 1], [4.1, 2.1])
    assert (first.run_id, second.run_id) == ("run.csv#1", "run.csv#2")


def test_append_without_a_second_header_is_two_runs_too(read):
    first, second = read("epoch,loss\n0,4\n1,2\n2,1\n0,4.1\n1,2.1\n")
    assert (values(first), values(second)) == ([4, 2, 1], [4.1, 2.1])


def test_append_of_a_continued_run_is_one_run_and_said(read):
    (run,) = read("epoch,loss\n0,4\n1,2\n2,1\n0,0.9\n1,0.8\n")
    assert (steps(run), values(run)) == ([0, 1, 2, 3, 4], [4, 2, 1, 0.9, 0.8])
    assert "read as one run continued" in run.notes[0]


def test_a_second_header_may_bring_new_columns(read):
    first, second = read("epoch,loss\n0,4\n1,2\nepoch,loss,val_loss\n0,4,5\n1,2,3\n")
    assert set(first.channels) == {"train_loss"}
    assert values(second, "val_loss") == [5, 3]


def test_a_resumed_run_keeps_the_last_value_of_a_step(read):
    (run,) = read("epoch,loss\n0,4\n1,3\n2,2\n1,3.5\n2,2.5\n3,1\n")
    assert (steps(run), values(run)) == ([0, 1, 2, 3], [4, 3.5, 2.5, 1])
    assert any("resumed at step 1" in note for note in run.notes)


LIGHTNING = """epoch,step,test_loss,train_loss_epoch,train_loss_step,val_loss
0,,,,,
0,49,,,2.0,
0,99,,,1.5,
0,99,,,,1.9
0,99,,1.75,,
1,149,,,1.0,
1,199,,,inf,
1,199,,,,1.8
1,199,,1.0,,
2,200,1.7,,,
"""


def test_lightning_rows_of_train_and_validation(read):
    (run,) = read(LIGHTNING, "metrics.csv")
    assert (steps(run), values(run)) == ([49, 99, 149, 199], [2.0, 1.5, 1.0, np.inf])
    assert (steps(run, "val_loss"), values(run, "val_loss")) == ([99, 199], [1.9, 1.8])
    assert "train_loss <- train_loss_step" in run.notes


def test_ultralytics_padded_cells(read):
    names = [
        "epoch",
        *[f"{s}/{p}_loss" for s in ("train", "val") for p in ("box", "cls", "dfl")],
        "metrics/mAP50(B)",
        "lr/pg0",
    ]
    rows = [[k, 3, 2, 1, 4, 3, "nan" if k == 2 else 2, 0.5, 0.01] for k in (1, 2)]
    text = "\n".join(",".join(str(c).rjust(20) for c in row) for row in [names, *rows])
    (run,) = read(text + "\n", "results.csv")
    assert values(run) == [6, 6]
    assert np.array_equal(values(run, "val_loss"), [9, np.nan], equal_nan=True)
    assert (values(run, "val_metric"), values(run, "lr")) == ([0.5, 0.5], [0.01, 0.01])
    assert run.metric_goal == "max"


@pytest.mark.parametrize("name", ["nan", "NaN", "inf", "Infinity", "-inf", "NA", "None", "null", ""])
def test_nan_infinity_and_missing_are_told_apart(read, name):
    (run,) = read(f"epoch,loss,val_loss\n0,1,1\n1,{name},1\n2,1,1\n")
    expected = {"nan": np.nan, "inf": np.inf, "infinity": np.inf, "-inf": -np.inf}.get(name.lower())
    if expected is None:
        assert steps(run) == [0, 2]
    else:
        assert np.array_equal(values(run), [1, expected, 1], equal_nan=True)


def test_long_table_of_runs(read):
    runs = read("run_id,step,loss\nb,1,2\nb,2,1\na,1,5\na,2,4\n")
    assert [(r.run_id, values(r)) for r in runs] == [("run.csv#b", [2, 1]), ("run.csv#a", [5, 4])]


def test_long_table_of_metrics(read):
    (run,) = read("step,metric,value\n1,train_loss,3\n1,val_loss,4\n2,train_loss,2\n2,val_loss,nan\n")
    assert (steps(run), values(run)) == ([1, 2], [3, 2])
    assert np.isnan(values(run, "val_loss")[1])


def test_other_tools_come_free(read):
    (timm,) = read("epoch,train_loss,eval_loss,eval_top1,eval_top5,lr\n0,3,2,10,30,0.1\n1,2,1,20,40,0.1\n")
    assert (values(timm, "val_loss"), values(timm, "val_metric")) == ([2, 1], [10, 20])
    (fastai,) = read("epoch,train_loss,valid_loss,accuracy,time\n0,3,2,0.1,00:05\n1,2,1,0.2,00:05\n")
    assert (values(fastai), values(fastai, "val_metric")) == ([3, 2], [0.1, 0.2])


def test_text_in_cells_is_left_out(read):
    (run,) = read('epoch,loss,note\n0,3,"a, b"\n1,oops,c\n2,1,d\n')
    assert (steps(run), values(run)) == ([0, 2], [3, 1])
    assert "loss: left out 1 cell that is not a number ('oops')" in run.notes


def test_text_in_cells_of_any_block_is_said(read):
    first, _ = read("epoch,loss\n0,4\n1,oops\n2,1\nepoch,loss\n0,4.1\n1,2.1\n")
    assert "loss: left out 1 cell that is not a number ('oops')" in first.notes


def test_lines_that_do_not_fit_are_left_out_and_said(read):
    (run,) = read("epoch,loss,acc\n0,3,1\n1,2\n2,1,1\n")
    assert values(run) == [3, 1]
    assert "left out 1 line that does not fit the header" in run.notes


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_encodings(read, encoding):
    (run,) = read("epoch,loss,größe\n0,3,1\n1,2,1\n".encode(encoding))
    assert values(run) == [3, 2]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("epoch,loss\n0,1.5\n", [1.5]),
        ("loss\n3\n2\n", [3, 2]),
        ("epoch,loss\n0,0\n1,0\n", [0, 0]),
        ("epoch,loss\r\n2,1\r\n1,2\r\n", [2, 1]),
        (",epoch,loss\n0,1,3\n1,2,2\n", [3, 2]),
    ],
    ids=["one point", "one column", "zeros", "out of order, CRLF", "pandas index"],
)
def test_odd_but_sound(read, text, expected):
    assert values(read(text)[0]) == expected


def test_all_nan_is_a_run(read):
    assert np.isnan(values(read("epoch,loss\n0,nan\n1,nan\n")[0])).all()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "run.csv: the file is empty"),
        (b"\n\n", "run.csv: the file is empty"),
        (b"\x00\x01\x02junk\xff" * 50, "run.csv: no known log format; expected one of neptune, parquet"),
        (bytes(range(128, 256)) * 9, "run.csv: no known log format"),
        (b"step,acc\n1,2\n", "run.csv: no loss column; found only metrics or rewards, 'acc'; log a loss, too"),
        (b"epoch,loss\n", "run.csv: no numbers in 0 rows"),
        (b"epoch,loss\n0,a\n1,b\n", r"run.csv: no loss column; .*; loss: no cell is a number \('a', 'b'\)"),
        (b"epoch,loss\n0,a\n1,b\n2,1\n", r"run.csv: no loss column; .*; loss: most cells are not numbers \('a', 'b'\)"),
    ],
)
def test_bad_files_say_what_is_wrong(read, content, message):
    with pytest.raises(LogError, match=message):
        read(content)


def test_a_header_of_numbers_and_names_is_no_block_of_its_own(read):
    (run,) = read("1,loss\n0,4\n1,2\n")
    assert values(run) == [4, 2]


def test_named_columns(read):
    text = "step,objective_x,held\n1,3,4\n2,2,3\n"
    (run,) = read(text, train_loss="objective", val_loss="held")
    assert (values(run), values(run, "val_loss")) == ([3, 2], [4, 3])
    with pytest.raises(LogError, match="no column matches train_loss 'nope'"):
        read(text, train_loss="nope")


def test_a_very_long_line_ends_soon(read, tmp_path):
    text = "epoch,loss\n0," + "9" * 30_000_000 + "\n1,2\n"
    (run,) = read(text)
    assert values(run)[1] == 2
    (failure,) = list(read_runs([tmp_path / "missing.csv"]))
    assert failure.reason.endswith("missing.csv: no such file or folder")


def test_a_cell_cut_short_is_left_out_and_said(read):
    (run,) = read("epoch,loss,val_loss\n1,2.5,3.5\n2,1.25,2.125\n3,0.625,1.0", "log.csv")
    assert (values(run), values(run, "val_loss")) == ([2.5, 1.25, 0.625], [3.5, 2.125])
    assert "the last line has no end: its last cell may be cut short and is left out" in run.notes
    (run,) = read("epoch,loss\n1,2.5\n2,1.25\n3,", "log.csv")
    assert values(run) == [2.5, 1.25]
    assert not any("cut short" in note for note in run.notes)


def test_a_quotation_mark_that_is_not_closed_is_noted(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text('step,loss\n0,2.0\n1,1.5\n2,"1.2\n3,1.1\n4,1.0\n')
    (run,) = read_file(path)
    assert run.channels["train_loss"].values.tolist() == [2.0, 1.5]
    assert "left out 2 lines within quotation marks; is a mark damaged or not closed?" in run.notes


TABLE = "epoch,loss,val_loss\n0,2.5,2.75\n1,1.5,1.75\n2,0.5,0.75\n"
COMMENTS = {
    "one": "# run 17\n",
    "with commas": "# lr=0.1, batch=32, seed=3\n",
    "many, and blank lines": "\n" + "# a line\n" * 30 + "\n  \n#\n",
    "semicolon": "; run 17\n",
    "slashes": "// run 17\r\n",
    "percent": "% run 17\n",
    "Excel's": "sep=,\n",
}


@pytest.mark.parametrize("name", COMMENTS)
def test_comments_above_the_header_are_passed_over(read, name):
    (run,) = read(COMMENTS[name] + TABLE)
    assert (steps(run), values(run), values(run, "val_loss")) == ([0, 1, 2], [2.5, 1.5, 0.5], [2.75, 1.75, 0.75])
    assert run.notes == read(TABLE)[0].notes


@pytest.mark.parametrize(
    "text",
    [
        "# epoch,loss\n0,2.5\n1,1.5\n",
        "# made by a tool, today\n# epoch,loss\n0,2.5\n1,1.5\n",
        "#,loss\n0,2.5\n1,1.5\n",
        ";epoch;loss\n0;0;2.5\n1;1;1.5\n",
        "# loss\n2.5\n1.5\n",
        "sep=;\nepoch;loss\n0;2.5\n1;1.5\n",
        "# epoch,loss,0,1\n0,2.5,7,8\n1,1.5,7,8\n",
    ],
)
def test_a_comment_with_the_names_is_the_header(read, text):
    assert values(read(text)[0]) == [2.5, 1.5]


@pytest.mark.parametrize("mark", ["#", "# ", "// ", "%"])
def test_a_comment_that_is_the_header_keeps_its_first_column(read, mark):
    run = read(f"{mark}step,loss\n0,2.5\n100,1.5\n200,1.0\n")[0]
    assert run.channels["train_loss"].steps.tolist() == [0.0, 100.0, 200.0]


def test_columns_without_a_name_get_one():
    assert column_names(["", "a", " a ", ""]) == ["index", "a", "a", "column 4"]


@pytest.mark.parametrize("accuracy", ["0.5", '"0.5"'], ids=["plain", "cell by cell"])
def test_of_columns_with_one_name_the_first_is_read_and_said(tmp_path, accuracy):
    path = tmp_path / "log.csv"
    path.write_text(f"step,box_loss,box_loss,a,a,acc\n0,2.0,7.0,1,1,{accuracy}\n1,1.5,8.0,1,1,{accuracy}\n")
    (run,) = read_file(path)
    assert run.channels["train_loss"].values.tolist() == [2.0, 1.5]
    assert [note for note in run.notes if "named" in note] == ["2 columns are named 'box_loss': the first is read"]


def test_percentages_are_numbers(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("step,loss,val_acc\n0,2.0,23.3%\n1,1.5,24 %\n")
    (run,) = read_file(path)
    assert run.channels["val_metric"].values.tolist() == [23.3, 24.0]


def test_a_loss_without_a_number_beside_another_is_said(read):
    (run,) = read("epoch,loss,val_loss\n0,2,x\n1,1,y\n")
    assert "val_loss: no cell is a number ('x', 'y')" in run.notes


def written(rows, delimiter, quote=""):
    lines = [delimiter.join(f"{quote}{cell}{quote}" for cell in row) for row in rows]
    return "epoch,train_loss,val_loss\n".replace(",", delimiter) + "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("delimiter", "quote"), [(";", ""), ("\t", ""), ("|", ""), (",", '"'), (";", '"'), ("\t", '"')]
)
def test_decimal_commas(read, delimiter, quote):
    rows = [(0, "2,05", "2,1875"), (1, "1,5", "1,75e0"), (2, "0,125", "1"), (3, "1e-05", "-0,5")]
    (run,) = read(written(rows, delimiter, quote))
    assert values(run) == [2.05, 1.5, 0.125, 1e-5]
    assert values(run, "val_loss") == [2.1875, 1.75, 1, -0.5]
    assert run.notes == ()


@pytest.mark.parametrize(("delimiter", "quote"), [(";", ""), (",", '"')])
@pytest.mark.parametrize(
    ("cells", "expected", "notes"),
    [
        (["12,445", "10,994", "1,200", "994"], [12445, 10994, 1200, 994], 1),
        (["12,445.5", "10,994", "1,200", "994"], [12445.5, 10994, 1200, 994], 0),
        (["1,112,445", "10,994", "1,200", "999,994"], [1112445, 10994, 1200, 999994], 0),
        (["12,445", "10,994", "1,200", "994.5"], [12445, 10994, 1200, 994.5], 0),
        (["2,445", "1,994", "1,200", "0,994"], [2.445, 1.994, 1.2, 0.994], 0),
        (["12,445", "10,994", "1,200", "1,100"], [12.445, 10.994, 1.2, 1.1], 1),
        (["2.445,5", "994,25", "20,5", "4"], [2445.5, 994.25, 20.5, 4], 0),
    ],
    ids=["few", "points", "groups", "a point", "a nought", "either", "points for thousands"],
)
def test_what_a_comma_means_is_told_by_the_column(read, delimiter, quote, cells, expected, notes):
    rows = [(k, cell, k + 1) for k, cell in enumerate(cells)]
    (run,) = read(written(rows, delimiter, quote))
    assert values(run) == expected
    assert len([note for note in run.notes if note.startswith("train_loss: commas are taken for ")]) == notes


@pytest.mark.parametrize(("other", "expected"), [("0,5", 2.445), ("0.5", 2445)])
def test_what_a_comma_means_is_told_by_other_columns(read, other, expected):
    (run,) = read(written([(k, "2,445", other) for k in range(4)], ";"))
    assert values(run) == [expected] * 4
    assert run.notes == ()


def test_small_whole_numbers_do_not_outweigh_decimal_commas_beside_them(read):
    (run,) = read(written([(0, "2,445", "0,5"), (1, "1,994", "0,25"), (2, "1", "0,75")], ";"))
    assert values(run) == [2.445, 1.994, 1]


def test_names_of_runs_keep_their_commas(read):
    runs = read('run,step,loss\n"1,5",1,2\n"1,5",2,1\n"2,5",1,4\n"2,5",2,3\n')
    assert [run.run_id for run in runs] == ["run.csv#1,5", "run.csv#2,5"]


def test_a_comma_that_nothing_explains_is_left_out_and_said(read):
    (run,) = read(written([(0, "2.5", 3), (1, "2,25", 3), (2, "1.5", 3)], ";"))
    assert (steps(run), values(run)) == ([0, 2], [2.5, 1.5])
    assert "train_loss: left out 1 cell that is not a number ('2,25')" in run.notes


@pytest.mark.parametrize(
    "cell",
    ["{:.2f}D+00", "{:.2f}d0", "tensor({})", "tensor({}, device='cuda:0')", "np.float32({})", "tensor([{}])"],
)
@pytest.mark.parametrize("quote", ["", '"'])
def test_numbers_of_fortran_torch_and_numpy(read, cell, quote):
    rows = [(k, cell.format(4.5 - k), cell.format(5.5 - k)) for k in range(4)]
    (run,) = read(written(rows, ",", quote))
    assert (values(run), values(run, "val_loss")) == ([4.5, 3.5, 2.5, 1.5], [5.5, 4.5, 3.5, 2.5])


@pytest.mark.parametrize(("end", "kept"), [("2;0,5", 2), ("2;0,", 2), ("2;0,5\n", 3)])
def test_a_decimal_comma_cut_short_is_left_out(read, end, kept):
    (run,) = read("epoch;loss\n0;2,5\n1;1,5\n" + end)
    assert values(run) == [2.5, 1.5, 0.5][:kept]


@pytest.mark.parametrize(("end", "kept"), [('"2","0,5', 2), ('"2","0,', 2), ('"2","0,5"', 3)])
def test_a_quoted_cell_cut_short_is_left_out(read, end, kept):
    (run,) = read('"epoch","loss"\n"0","2,5"\n"1","1,5"\n' + end)
    assert values(run) == [2.5, 1.5, 0.5][:kept]


def test_columns_of_decimal_commas_alone_are_recognised(read):
    (run,) = read("train_loss;val_loss\n2,5;2,75\n1,5;1,75\n")
    assert (values(run), values(run, "val_loss")) == ([2.5, 1.5], [2.75, 1.75])


def test_a_table_without_names_is_told_of_them(tmp_path):
    (tmp_path / "bare.csv").write_text("1,0.5,0.6\n2,0.4,0.5\n3,0.3,0.4\n")
    with pytest.raises(LogError, match="of a table, write the names of its columns into a first line"):
        read_file(tmp_path / "bare.csv")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_rows_may_end_with_a_delimiter_that_the_header_lacks(read, delimiter, end):
    lines = ["epoch,loss,val_loss", *(f"{k},{4.5 - k},{5.5 - k}," for k in range(4))]
    (run,) = read("".join(line.replace(",", delimiter) + end for line in lines))
    assert (values(run), values(run, "val_loss")) == ([4.5, 3.5, 2.5, 1.5], [5.5, 4.5, 3.5, 2.5])
    assert run.notes == ("train_loss <- loss",)


def test_a_delimiter_at_the_end_of_few_rows_is_left_out_and_said(read):
    (run,) = read("epoch,loss\n0,4.5,\n1,3.5\n2,2.5\n")
    assert (steps(run), values(run)) == ([1, 2], [3.5, 2.5])
    assert "left out 1 line that does not fit the header" in run.notes


def test_a_column_that_joins_in_the_middle_shifts_no_other(read):
    late = "".join(f"{k},{2 - k / 10},{1.9 - k / 10},0.001\n" for k in range(3, 9))
    (run,) = read(f"epoch,train_loss,lr\n1,2.1,0.001\n2,1.9,0.001\n{late}")
    assert values(run, "train_loss") == [2.1, 1.9]
    assert values(run, "lr") == [0.001, 0.001]
    assert "left out 6 lines that do not fit the header" in run.notes


RULE = "+-------+------+----------+"
NAMES = "| epoch | loss | val_loss |"
CELLS = [f"|     {k} | {4.5 - k}  | {5.5 - k:8} |" for k in range(4)]


@pytest.mark.parametrize(
    "lines",
    [
        [RULE, NAMES, RULE, *CELLS, RULE],
        [RULE, NAMES, RULE.replace("-", "="), *(line for row in CELLS for line in (row, RULE))],
        [NAMES, "|------:|:----:|---------:|", *CELLS],
        [NAMES, "|-------+------+----------|", *CELLS],
        [line.strip("|") for line in (NAMES, RULE.strip("+"), *CELLS)],
    ],
    ids=["box", "a rule a row", "Markdown", "Org", "psql"],
)
def test_tables_with_drawn_lines(read, lines):
    (run,) = read("\n".join(lines) + "\n", "table.txt")
    assert (steps(run), values(run)) == ([0, 1, 2, 3], [4.5, 3.5, 2.5, 1.5])
    assert values(run, "val_loss") == [5.5, 4.5, 3.5, 2.5]
    assert run.notes == ("train_loss <- loss",)
