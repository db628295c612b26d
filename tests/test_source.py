from curveclinic.readers import source as module
from curveclinic.readers.source import Source

TEXT = b"epoch,loss\n0,2.0\n1,1.5\n"


def test_a_small_file_once_opened_is_not_needed_any_more(tmp_path):
    path = tmp_path / "log.csv"
    path.write_bytes(TEXT)
    source = Source(str(path), "log.csv").opened()
    path.unlink()
    assert (source.head(), source.content(), source.size()) == (TEXT, TEXT, len(TEXT))
    assert source.ends_with(b"1.5\n")
    assert source.opened() is source


def test_a_large_file_is_not_kept(tmp_path, monkeypatch):
    path = tmp_path / "log.csv"
    path.write_bytes(TEXT)
    monkeypatch.setattr(module, "_KEPT_BYTES", len(TEXT) - 1)
    source = Source(str(path), "log.csv")
    assert source.opened() is source
    assert source.content() == TEXT


def test_a_run_of_several_files_is_not_opened(tmp_path):
    source = Source(str(tmp_path), "run", parts=(("", str(tmp_path / "missing")),), format="tensorboard")
    assert source.opened() is source
