"""Archives from the network: fetched with resume, checked by checksum, unpacked into one folder and nowhere else."""

from __future__ import annotations

import json
import lzma
import re
import shutil
import stat
import tarfile
import time
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any

from retailkit.datasets.catalogue import DataError

ATTEMPTS = 5
TIMEOUT = 30  # seconds without a byte
PAUSE = 1.0  # seconds before the second try, doubled with every further one
CHUNK = 16 * 1024  # bytes; what a cut connection costs at most
LARGEST_RATIO, FREE_BYTES = 100, 2**30  # photographs hardly shrink: 100 times an archive's size, or 1 GiB


def fetch(url: str, sha256: str, folder: Path, progress: bool = True) -> Path:
    """Download a file with pooch, going on where an earlier try was cut off, and check it.

    A file that does not match its checksum is removed, its partial download too.

    Parameters
    ----------
    url : str
        http or https.
    sha256 : str
        Its checksum, 64 hexadecimal figures.
    folder : Path
        Where it is kept, under its checksum.
    progress : bool
        Show a bar.

    Raises
    ------
    DataError
        No connection, an answer other than success (404), or a wrong checksum, with what was expected and found.
    """
    import pooch

    pooch.get_logger().setLevel("WARNING")
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{sha256.lower()}.part"
    try:
        return Path(
            pooch.retrieve(
                url,
                known_hash=f"sha256:{sha256.lower()}",
                fname=sha256.lower(),
                path=folder,
                downloader=Resuming(partial, progress),
            )
        )
    except ValueError as error:
        if isinstance(error, DataError) or "hash" not in str(error):
            raise
        found = (re.findall(r"\b[0-9a-f]{64}\b", str(error)) or ["?"])[-1]
        raise DataError(
            f"{url} does not match its card and was not installed: sha256 expected {sha256.lower()}, found {found}"
        ) from error


class Resuming:
    """A downloader for pooch that keeps what it has and asks only for the rest.

    The part waits in `partial` with what the server said about it (``ETag`` or ``Last-Modified``) beside it. The
    rest is asked for with ``Range`` and ``If-Range``, so a file that changed meanwhile is sent whole again.
    """

    def __init__(self, partial: Path, progress: bool = True) -> None:
        self.partial, self.progress = partial, progress
        self.memo = partial.with_suffix(".json")

    def __call__(self, url: str, output_file: Any, pooch: Any, check_only: bool = False) -> None:
        import requests

        for attempt in range(1, ATTEMPTS + 1):
            try:
                self._attempt(url)
                shutil.move(self.partial, output_file)
                self.memo.unlink(missing_ok=True)
                return
            except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
                reason = _reason(error)
            except requests.RequestException as error:
                raise DataError(f"{url} cannot be downloaded: {error}") from error
            if attempt < ATTEMPTS:
                time.sleep(PAUSE * 2 ** (attempt - 1))
        kept = self.partial.stat().st_size if self.partial.exists() else 0
        raise DataError(
            f"{url} cannot be reached after {ATTEMPTS} tries: {reason}."
            + (f" {kept:,} bytes are kept, the next try goes on from there." if kept else "")
        )

    def _attempt(self, url: str) -> None:
        import requests

        have = self.partial.stat().st_size if self.partial.exists() else 0
        with requests.get(url, headers=self._headers(url, have), stream=True, timeout=TIMEOUT) as answer:
            if answer.status_code == 416:  # nothing is left to send, or the part belongs to another file
                self._settle(url, answer, have)
                return
            if answer.status_code >= 500 or answer.status_code == 429:
                raise requests.ConnectionError(f"{answer.status_code} {answer.reason}")
            if answer.status_code not in (200, 206):
                raise DataError(f"{url} cannot be downloaded: {answer.status_code} {answer.reason}")
            if answer.status_code == 200 or _range_start(answer) != have:
                have = 0
                if answer.status_code == 206:
                    self._forget()
                    raise requests.ConnectionError("the server sent another part than the one asked for")
            self._write(url, answer, have)

    def _headers(self, url: str, have: int) -> dict[str, str]:
        headers = {"Accept-Encoding": "identity"}  # compressed on the way, sizes would not add up
        try:
            memo = json.loads(self.memo.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            memo = {}
        if have and memo.get("url") == url:
            headers["Range"] = f"bytes={have}-"
            if memo.get("version"):
                headers["If-Range"] = memo["version"]
        return headers

    def _write(self, url: str, answer: Any, have: int) -> None:
        import requests
        from tqdm import tqdm

        length = int(answer.headers.get("Content-Length", 0))
        if length > shutil.disk_usage(self.partial.parent).free:
            raise DataError(f"{url} has {length:,} bytes, more than the disk has free")
        etag = answer.headers.get("ETag", "")
        version = etag if etag and not etag.startswith("W/") else answer.headers.get("Last-Modified", "")
        self.memo.write_text(json.dumps({"url": url, "version": version}), encoding="utf-8")
        with (
            self.partial.open("ab" if have else "wb") as part,
            tqdm(
                total=have + length or None, initial=have, unit="B", unit_scale=True, desc="downloading",
                disable=None if self.progress else True,
            ) as bar,
        ):  # fmt: skip
            for block in answer.iter_content(CHUNK):
                part.write(block)
                bar.update(len(block))
        got = self.partial.stat().st_size
        if length and got != have + length:
            raise requests.ConnectionError(f"the connection ended at {got:,} of {have + length:,} bytes")

    def _settle(self, url: str, answer: Any, have: int) -> None:
        import requests

        total = answer.headers.get("Content-Range", "").rpartition("/")[2]
        if total != str(have):
            self._forget()
            raise requests.ConnectionError(f"{url} is not the file that the kept part belongs to")

    def _forget(self) -> None:
        self.partial.unlink(missing_ok=True)
        self.memo.unlink(missing_ok=True)


def _range_start(answer: Any) -> int:
    match = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    return int(match.group(1)) if match else -1


def _reason(error: Exception) -> str:
    """The last, plainest part of requests' nested messages: 'Connection refused', not 400 characters."""
    text = str(error)
    known = re.search(
        r"Connection refused|Name or service not known|Temporary failure in name resolution|Network is unreachable"
        r"|timed out|No route to host|Connection reset by peer|certificate verify failed",
        text,
    )
    return known.group(0) if known else text[:200]


def unpack(archive: Path, folder: Path, limit: int | None = None) -> None:
    """Unpack a .zip, .tar or .tar.gz (told by content) into an empty folder, files only.

    Files are written one by one from their content, so no member can be a link, a device, or lie outside.

    Parameters
    ----------
    archive : Path
    folder : Path
        Left as far as it came where an error is raised; unpack into a folder that can be thrown away.
    limit : int, optional
        Most bytes to write; 100 times the archive's size or 1 GiB if not given, and never more than the disk has.

    Raises
    ------
    DataError
        Naming the member that would leave the folder, is no plain file, comes twice, or makes too many bytes.
    """
    left = limit if limit is not None else max(FREE_BYTES, LARGEST_RATIO * archive.stat().st_size)
    left = min(left, shutil.disk_usage(folder).free)
    try:
        for name, kind, stream in _members(archive):
            target = _safe_path(archive, folder, name, kind)
            if kind == "folder":
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as output:
                left = _copy(archive, name, stream, output, left)
    except (FileExistsError, NotADirectoryError) as error:
        raise DataError(f"{archive}: member '{name}' comes twice, or is file and folder at once") from error
    except (
        tarfile.TarError,
        zipfile.BadZipFile,
        zlib.error,
        lzma.LZMAError,
        EOFError,
        RuntimeError,
        OSError,
    ) as error:
        raise DataError(f"{archive} cannot be unpacked: {error}") from error


def _members(archive: Path) -> Iterator[tuple[str, str, IO[bytes]]]:
    """Name, kind (file, folder or what else it is) and content of each member."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as bundle:
            for info in bundle.infolist():
                mode = info.external_attr >> 16
                linked = stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR)
                kind = "link or device" if linked else "folder" if info.is_dir() else "file"
                with bundle.open(info) as stream:
                    yield info.filename, kind, stream
    elif tarfile.is_tarfile(archive):
        with tarfile.open(archive) as bundle:
            for member in bundle:
                content = bundle.extractfile(member) if member.isreg() else None
                yield member.name, _tar_kind(member), content  # type: ignore[misc]  # folders have no content
    else:
        raise DataError(f"{archive} is neither a .zip nor a .tar archive (compressed or not)")


def _tar_kind(member: tarfile.TarInfo) -> str:
    if member.isreg():
        return "file"
    if member.isdir():
        return "folder"
    return "symbolic link" if member.issym() else "hard link" if member.islnk() else "device or pipe"


def _safe_path(archive: Path, folder: Path, name: str, kind: str) -> Path:
    if kind not in ("file", "folder"):
        raise DataError(f"{archive}: member '{name}' is a {kind}; only files and folders are unpacked")
    path = PurePosixPath(name.replace("\\", "/"))
    outside = path.is_absolute() or ".." in path.parts or re.match(r"[A-Za-z]:", name) or "\0" in name
    if outside or not (folder / path).resolve().is_relative_to(folder.resolve()):
        raise DataError(f"{archive}: member '{name}' would be written outside its folder; nothing was installed")
    return folder / path


def _copy(archive: Path, name: str, stream: IO[bytes], output: IO[bytes], left: int) -> int:
    while block := stream.read(CHUNK):
        left -= len(block)
        if left < 0:
            raise DataError(f"{archive}: at member '{name}' the content grows beyond any set of photographs")
        output.write(block)
    return left
