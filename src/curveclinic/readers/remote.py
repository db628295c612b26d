"""Object stores: the few file operations that finding and reading runs needs, on URIs such as `s3://bucket/archive`.

pyarrow.fs knows `s3://`, `gs://`, `abfs://`, `hdfs://` and `file://`; other schemes go through fsspec where that is
installed. Credentials, region and endpoint come from the environment (`AWS_PROFILE`, `AWS_ENDPOINT_URL`, ...). A remote
source is copied to a temporary folder piece by piece and then read like a local one, so that every format works.
"""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from shutil import rmtree
from typing import Any, TypeAlias, TypeVar

from curveclinic.errors import InputError
from curveclinic.readers.source import HEAD_BYTES, Source

PIECE_BYTES = 8 * 2**20
"""Bytes of a remote file held in memory at once."""

COPIES = 8
"""Sources copied at once: a request takes tens of milliseconds, mostly of waiting. Also how many copies lie on disk."""

TRIES = 4
"""How often a request is made before it counts as failed; pauses of 0.5, 1 and 2 s lie between."""

FIRST_PAUSE = 0.5
"""Seconds."""

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")

_FINAL = ("ACCESS_DENIED", "NO_SUCH_BUCKET", "NO_SUCH_KEY", "INVALID_ACCESS_KEY_ID", "SIGNATURE_DOES_NOT_MATCH")
"""Words in pyarrow's messages of S3 errors that another try does not help."""

T = TypeVar("T")


@dataclass(frozen=True)
class Entry:
    """A remote file: bytes, and nanoseconds since 1970 at which it was written (0 where unknown)."""

    size: int
    mtime_ns: int


@dataclass
class Folder:
    """What lies in one remote folder."""

    files: dict[str, Entry] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)


Listing: TypeAlias = dict[str, Folder]
"""URI of a folder -> what lies in it."""

_SEARCHED: dict[str, Listing] = {}
"""Root -> listing, for the searches under way: one request a thousand files instead of one a folder."""


def is_remote(path: str) -> bool:
    """Says whether a path is a URI."""
    return _URI.match(path) is not None


def is_plain(name: str) -> bool:
    """Says whether a part of a remote path is safe as a name here: keys may hold `..` and backslashes."""
    return name not in ("", ".", "..") and os.path.basename(name) == name


def is_folder(path: str) -> bool:
    """Says whether there is such a remote folder."""
    listing = _listing(path)
    return _kind(path) == "Directory" if listing is None else path in listing


def is_file(path: str) -> bool:
    """Says whether there is such a remote file."""
    folder, _, name = path.rpartition("/")
    listing = _listing(folder)
    return _kind(path) == "File" if listing is None else name in listing.get(folder, Folder()).files


def names(folder: str, *, files: bool) -> list[str]:
    """Names of the files, or of the folders, in a remote folder, in no order."""
    listing = _listing(folder)
    found = _list(folder, recursive=False)[folder] if listing is None else listing.get(folder, Folder())
    return list(found.files if files else found.folders)


def stat(path: str) -> Entry:
    """Returns size and time of a remote file.

    Raises:
        FileNotFoundError: there is none.
    """
    folder, _, name = path.rpartition("/")
    known = (_listing(folder) or {}).get(folder, Folder()).files.get(name)
    if known is not None:
        return known
    store, inner = open_uri(path)
    info = _tried(lambda: store.get_file_info(inner))
    if info.type.name != "File":
        raise FileNotFoundError(2, "no such file", path)
    return _entry(info)


def open_file(uri: str) -> Any:
    """Returns a pyarrow file of which any part can be read.

    Raises:
        OSError: there is none, or it cannot be reached.
    """
    store, inner = open_uri(uri)
    return _tried(lambda: store.open_input_file(inner))


def head(uri: str, size: int) -> bytes:
    """Returns the first bytes of a remote file."""
    with open_file(uri) as file:
        return bytes(file.read(size))


@contextmanager
def listed(root: str) -> Iterator[None]:
    """Lists a folder and all below it once, for the time of a search."""
    _SEARCHED[root] = _list(root, recursive=True)
    try:
        yield
    finally:
        _SEARCHED.pop(root, None)


def copied(
    sources: Iterable[Source], is_log: Callable[[str, bytes], bool]
) -> Iterator[tuple[Source, Source | OSError]]:
    """Yields every remote source with its copy, in order, or with what keeps it from being copied.

    A copy lives until the next one is asked for. Files of more than a piece that are no log by name and head are cut to
    their head.

    Args:
        sources: remote ones.
        is_log: (file name, head) -> whether the whole file is wanted.
    """
    waiting: deque[tuple[Source, str, Future[Source | OSError]]] = deque()
    with tempfile.TemporaryDirectory(prefix="curveclinic-") as top:
        pool = ThreadPoolExecutor(COPIES)
        try:
            for k, source in enumerate(sources):
                if len(waiting) == COPIES:
                    yield from _next_copy(waiting)
                place = os.path.join(top, str(k))
                waiting.append((source, place, pool.submit(_copy, source, place, is_log)))
            while waiting:
                yield from _next_copy(waiting)
        finally:
            pool.shutdown(cancel_futures=True)


def _next_copy(
    waiting: deque[tuple[Source, str, Future[Source | OSError]]],
) -> Iterator[tuple[Source, Source | OSError]]:
    source, place, copy = waiting.popleft()
    yield source, copy.result()
    rmtree(place, ignore_errors=True)


def _copy(source: Source, place: str, is_log: Callable[[str, bytes], bool]) -> Source | OSError:
    """Copies the files of a source to a new folder."""
    try:
        os.mkdir(place)
        if not source.parts:
            return replace(source, path=_copy_file(source.path, place, is_log))
        if source.as_it_lies:
            return _copy_folder(source, place)
        parts = []
        for k, (prefix, uri) in enumerate(source.parts):
            inner = os.path.join(place, str(k))
            os.mkdir(inner)
            parts.append((prefix, _copy_file(uri, inner, lambda *_: True)))
        return replace(source, path=place, parts=tuple(parts))
    except OSError as error:
        return error


def _copy_folder(source: Source, place: str) -> Source:
    """Copies the files of a run folder, and those beside it, to where they lay relative to each other."""
    parent, _, name = source.path.rpartition("/")
    for _, uri in source.parts:
        inner = uri.removeprefix(f"{parent}/").split("/")
        folder = os.path.join(place, *inner[:-1])
        os.makedirs(folder, exist_ok=True)
        _copy_file(uri, folder, lambda *_: True)
    return replace(source, path=os.path.join(place, name), parts=())


def _copy_file(uri: str, folder: str, is_log: Callable[[str, bytes], bool]) -> str:
    """Copies a remote file under its own name and returns where to; a request that fails goes on where it stopped."""
    store, inner = open_uri(uri)
    name = os.path.basename(uri)
    target = os.path.join(folder, name)
    with open(target, "wb") as out:
        piece, size = _tried(lambda: _piece(store, inner, 0, wanted=lambda head: is_log(name, head)))
        out.write(piece)
        while size > len(piece) >= PIECE_BYTES and out.tell() < size:
            more, size = _tried(lambda: _piece(store, inner, out.tell()))
            out.write(more)
    return target


def _piece(store: Any, inner: str, start: int, wanted: Callable[[bytes], bool] | None = None) -> tuple[bytes, int]:
    """Returns the bytes from `start` on, a piece at most, and the size of the file."""
    with store.open_input_file(inner) as file:
        size = file.size()
        if wanted and size > PIECE_BYTES:
            head = bytes(file.read_at(HEAD_BYTES, 0))
            if not wanted(head):
                return head, size
        return bytes(file.read_at(min(PIECE_BYTES, size - start), start)), size


def _tried(request: Callable[[], T]) -> T:
    """Makes a request, again after a pause if the error may pass."""
    for attempt in range(TRIES - 1):
        try:
            return request()
        except OSError as error:
            if isinstance(error, (FileNotFoundError, PermissionError)) or any(word in str(error) for word in _FINAL):
                raise
            time.sleep(FIRST_PAUSE * 2**attempt)
    return request()


def _listing(path: str) -> Listing | None:
    """Returns the listing of a search under way that tells of a path; what is not in it does not exist."""
    found = (known for root, known in list(_SEARCHED.items()) if path == root or path.startswith(f"{root}/"))
    return next(found, None)


def _list(root: str, *, recursive: bool) -> Listing:
    """Lists a remote folder; the root is always among the keys."""
    import pyarrow.fs as fs

    store, inner = open_uri(root)
    found = _tried(lambda: store.get_file_info(fs.FileSelector(inner, recursive=recursive)))
    strip = len(inner.rstrip("/")) + 1
    out: Listing = {root: Folder()}
    for info in found:
        uri = f"{root}/{info.path[strip:]}"
        parent, _, name = uri.rpartition("/")
        if info.type == fs.FileType.Directory:
            out.setdefault(uri, Folder())
            out.setdefault(parent, Folder()).folders.add(name)
        elif name:
            out.setdefault(parent, Folder()).files[name] = _entry(info)
    return out


def _entry(info: Any) -> Entry:
    return Entry(info.size or 0, info.mtime_ns or 0)


def _kind(path: str) -> str:
    store, inner = open_uri(path)
    kind: str = _tried(lambda: store.get_file_info(inner)).type.name
    return kind


def open_uri(uri: str) -> tuple[Any, str]:
    """Returns the file system of a URI and the path in it."""
    scheme, _, rest = uri.partition("://")
    place, slash, key = rest.partition("/")
    store, base = open_store(scheme, place)
    return store, f"{base}{slash}{key}".rstrip("/") or "/"


@lru_cache(maxsize=64)
def open_store(scheme: str, place: str) -> tuple[Any, str]:
    """Returns the file system behind a scheme and bucket or host, and what its paths begin with.

    Raises:
        InputError: nothing that is installed knows the scheme, or the store cannot be reached.
    """
    import pyarrow as pa
    import pyarrow.fs as fs

    uri = f"{scheme}://{place or '/'}"
    try:
        store, base = fs.FileSystem.from_uri(uri)
    except pa.ArrowInvalid as error:
        store, base = _by_fsspec(uri, str(error).splitlines()[0])
    except OSError as error:
        raise InputError(f"{uri}: cannot be reached; check network, region and endpoint ({error})") from None
    return store, base.rstrip("/")


def _by_fsspec(uri: str, reason: str) -> tuple[Any, str]:
    import pyarrow.fs as fs

    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise InputError(
            f"{uri}: {reason}; for stores pyarrow does not know: pip install fsspec and a driver"
        ) from None
    try:
        store, base = url_to_fs(uri)
    except (ImportError, ValueError) as error:
        raise InputError(f"{uri}: {error}") from None
    return fs.PyFileSystem(fs.FSSpecHandler(store)), base
