import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curveclinic.readers.parquet_footer import values_of_groups


def test_values_are_counted_as_arrow_counts_them(tmp_path):
    lists = pa.ListArray.from_arrays(np.array([0, 3, 3, 10, 4_000], dtype=np.int32), np.zeros(4_000))
    table = pa.table({"run_id": ["a", "b", None, "d"], "loss": lists, "long": [[1.5] * 20, None, [], [2.0]]})
    table = table.replace_schema_metadata({"k" * 300: "v" * 300})
    path = tmp_path / "curves.parquet"
    pq.write_table(table, path, row_group_size=2)
    metadata = pq.read_metadata(path)
    groups = [metadata.row_group(k) for k in range(2)]
    assert values_of_groups(metadata) == [sum(g.column(c).num_values for c in range(3)) for g in groups]


def test_a_file_without_rows_has_no_values(tmp_path):
    path = tmp_path / "curves.parquet"
    pq.write_table(pa.table({"loss": pa.array([], pa.float64())}), path)
    assert sum(values_of_groups(pq.read_metadata(path))) == 0
