"""Downloads against a server on this machine: whole, cut off, changed, wrong, absent; and archives that mean harm."""

import functools
import hashlib
import http.server
import io
import re
import shutil
import socket
import stat
import tarfile
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
from photo_folders import make_folder

from retailkit import datasets
from retailkit.datasets import DataError, download


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves `server.files` with ranges; cuts an answer after `server.cuts.pop()` bytes; writes down what was asked."""

    def do_GET(self):
        server = self.server
        server.asked.append(dict(self.headers))
        if server.failures:
            return self.send_error(server.failures.pop())
        content = server.files.get(self.path)
        if content is None:
            return self.send_error(404)
        etag = '"' + hashlib.md5(content).hexdigest() + '"'
        start, wanted = 0, re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if wanted and server.ranges and self.headers.get("If-Range", etag) == etag:
            start = int(wanted.group(1))
        if start and start >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("ETag", etag)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        limit = server.cuts.pop() if server.cuts else len(content)
        server.sent += len(content[start : start + limit])  # before: whoever has read all of it may look at once
        self.wfile.write(content[start : start + limit])
        self.close_connection = True

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as one:
        one.files, one.cuts, one.failures, one.asked, one.sent, one.ranges = {}, [], [], [], 0, True
        one.url = f"http://127.0.0.1:{one.server_address[1]}"
        thread = threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield one
        one.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(download, "PAUSE", 0.0)
    monkeypatch.delenv("RETAILKIT_DATA", raising=False)


CONTENT = bytes(range(256)) * 5000


def sha(content):
    return hashlib.sha256(content).hexdigest()


fetch = functools.partial(download.fetch, progress=False)


def test_a_whole_file(server, tmp_path):
    server.files["/a"] = CONTENT
    assert fetch(f"{server.url}/a", sha(CONTENT), tmp_path).read_bytes() == CONTENT
    assert len(list(tmp_path.iterdir())) == 1


def test_a_cut_connection_goes_on_where_it_was(server, tmp_path):
    server.files["/a"], server.cuts = CONTENT, [700_000, 300_000]
    assert fetch(f"{server.url}/a", sha(CONTENT), tmp_path).read_bytes() == CONTENT
    starts = [int(asked.get("Range", "=0-").strip("bytes=-")) for asked in server.asked]
    first, second, third = starts
    assert first == 0
    assert 300_000 - download.CHUNK < second <= 300_000  # a broken piece is asked for again
    assert second + 700_000 - download.CHUNK < third <= second + 700_000


def test_a_later_try_goes_on_too(server, tmp_path):
    server.files["/a"], server.cuts, server.failures = CONTENT, [500_000], []
    with pytest.MonkeyPatch.context() as patch, pytest.raises(DataError, match=r"\d bytes are kept, the next try"):
        patch.setattr(download, "ATTEMPTS", 1)
        fetch(f"{server.url}/a", sha(CONTENT), tmp_path)
    assert fetch(f"{server.url}/a", sha(CONTENT), tmp_path).read_bytes() == CONTENT
    assert len(CONTENT) <= server.sent < len(CONTENT) + download.CHUNK


def test_a_file_that_changed_meanwhile_is_sent_whole(server, tmp_path):
    server.files["/a"], server.cuts = b"old" + CONTENT, [500_000]
    with pytest.MonkeyPatch.context() as patch, pytest.raises(DataError):
        patch.setattr(download, "ATTEMPTS", 1)
        fetch(f"{server.url}/a", sha(CONTENT), tmp_path)
    server.files["/a"] = CONTENT
    assert fetch(f"{server.url}/a", sha(CONTENT), tmp_path).read_bytes() == CONTENT
    assert server.asked[-1]["If-Range"]


def test_a_server_without_ranges_sends_whole(server, tmp_path):
    server.files["/a"], server.cuts, server.ranges = CONTENT, [500_000], False
    assert fetch(f"{server.url}/a", sha(CONTENT), tmp_path).read_bytes() == CONTENT
    assert server.sent == len(CONTENT) + 500_000


def test_a_part_that_is_whole_already(server, tmp_path):
    server.files["/a"] = CONTENT
    partial = tmp_path / f"{sha(CONTENT)}.part"
    partial.write_bytes(CONTENT)
    partial.with_suffix(".json").write_text(f'{{"url": "{server.url}/a", "version": ""}}')
    assert fetch(f"{server.url}/a", sha(CONTENT), tmp_path).read_bytes() == CONTENT
    assert server.sent == 0


def test_a_busy_server_is_asked_again(server, tmp_path):
    server.files["/a"], server.failures = CONTENT, [503, 503]
    assert fetch(f"{server.url}/a", sha(CONTENT), tmp_path).read_bytes() == CONTENT


def test_a_wrong_checksum_is_refused_and_nothing_kept(server, tmp_path):
    server.files["/a"] = CONTENT
    with pytest.raises(DataError) as caught:
        fetch(f"{server.url}/a", sha(b"other"), tmp_path)
    assert sha(b"other") in str(caught.value) and sha(CONTENT) in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_not_found_is_said_at_once(server, tmp_path):
    with pytest.raises(DataError, match="/nothing cannot be downloaded: 404"):
        fetch(f"{server.url}/nothing", sha(CONTENT), tmp_path)
    assert len(server.asked) == 1


def test_no_connection(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(DataError, match=rf"127.0.0.1:{port}/a cannot be reached after 5 tries: Connection refused"):
        fetch(f"http://127.0.0.1:{port}/a", sha(CONTENT), tmp_path)


# ---- archives


def tar(path, members, mode="w:gz"):
    with tarfile.open(path, mode) as bundle:
        for name, content, kind, link in members:
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size = kind, link, len(content)
            bundle.addfile(info, io.BytesIO(content))
    return path


def zipped(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, content, mode in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            bundle.writestr(info, content)
    return path


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/tmp/evil", "..\\evil", "C:\\evil", "C:evil", "\\evil"])
@pytest.mark.parametrize("pack", ["zip", "tar"])
def test_members_outside_are_refused(tmp_path, name, pack):
    inside = tmp_path / "inside"
    inside.mkdir()
    if pack == "zip":
        archive = zipped(tmp_path / "a", [(name, b"x", 0)])
    else:
        archive = tar(tmp_path / "a", [(name, b"x", tarfile.REGTYPE, "")])
    with pytest.raises(DataError) as caught:
        download.unpack(archive, inside)
    assert name in str(caught.value) and "outside" in str(caught.value)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", "inside"]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (tarfile.SYMTYPE, "symbolic link"),
        (tarfile.LNKTYPE, "hard link"),
        (tarfile.CHRTYPE, "device or pipe"),
        (tarfile.BLKTYPE, "device or pipe"),
        (tarfile.FIFOTYPE, "device or pipe"),
    ],
)
def test_links_and_devices_are_refused(tmp_path, kind, words):
    archive = tar(tmp_path / "a", [("images/link", b"", kind, "/etc/passwd")])
    (tmp_path / "inside").mkdir()
    with pytest.raises(DataError, match=f"'images/link' is a {words}"):
        download.unpack(archive, tmp_path / "inside")
    assert not list((tmp_path / "inside").rglob("*"))


def test_a_link_in_a_zip_is_refused(tmp_path):
    archive = zipped(tmp_path / "a", [("link", b"/etc", stat.S_IFLNK | 0o777)])
    (tmp_path / "inside").mkdir()
    with pytest.raises(DataError, match="'link' is a link"):
        download.unpack(archive, tmp_path / "inside")


def test_a_bomb_is_stopped(tmp_path):
    archive = zipped(tmp_path / "a", [("a", b"\0" * 3_000_000, 0), ("b", b"\0" * 3_000_000, 0)])
    (tmp_path / "inside").mkdir()
    with pytest.raises(DataError, match="'b' the content grows"):
        download.unpack(archive, tmp_path / "inside", limit=4_000_000)


@pytest.mark.parametrize("names", [("a", "a"), ("a", "a/b"), ("a/b", "a")])
def test_a_member_that_comes_twice_is_refused(tmp_path, names):
    archive = tar(tmp_path / "a", [(name, b"x", tarfile.REGTYPE, "") for name in names])
    (tmp_path / "inside").mkdir()
    with pytest.raises(DataError, match="member 'a"):
        download.unpack(archive, tmp_path / "inside")


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04 cut off"])
def test_what_is_no_archive(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    (tmp_path / "inside").mkdir()
    with pytest.raises(DataError, match=r"neither|cannot be unpacked"):
        download.unpack(tmp_path / "a", tmp_path / "inside")


def test_an_archive_cut_short(tmp_path):
    whole = tar(tmp_path / "whole", [("a", bytes(range(256)) * 400, tarfile.REGTYPE, "")]).read_bytes()
    (tmp_path / "a").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "inside").mkdir()
    with pytest.raises(DataError, match="cannot be unpacked"):
        download.unpack(tmp_path / "a", tmp_path / "inside")


@pytest.mark.parametrize("kind", ["zip", "bztar", "xztar"])
def test_an_archive_with_a_spoilt_byte(tmp_path, kind):
    (tmp_path / "content").mkdir()
    (tmp_path / "content" / "a").write_bytes(np.random.default_rng(0).integers(0, 9, 40_000, dtype=np.uint8).tobytes())
    archive = Path(shutil.make_archive(str(tmp_path / "whole"), kind, tmp_path / "content"))
    spoilt = bytearray(archive.read_bytes())
    spoilt[len(spoilt) // 2 : len(spoilt) // 2 + 40] = b"\xff" * 40
    archive.write_bytes(spoilt)
    (tmp_path / "inside").mkdir()
    with pytest.raises(DataError, match=r"neither|cannot be unpacked"):
        download.unpack(archive, tmp_path / "inside")


# ---- from card to folder


def card_for(house, server, content, sha256=None, **more):
    server.files["/shop.zip"] = content
    lines = [
        "name: shop", "title: A shop", "kind: yolo", "names: [empty, disorganized]", "source: us",
        "licence: ours", "shareable: true", f"url: {server.url}/shop.zip", f"sha256: {sha256 or sha(content)}",
        *(f"{key}: {value}" for key, value in more.items()),
    ]  # fmt: skip
    (house / "datasets" / "shop.yaml").write_text("\n".join(lines))


def archive_of(folder, prefix, pack):
    stream = io.BytesIO()
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    if pack == "zip":
        with zipfile.ZipFile(stream, "w") as bundle:
            for path in files:
                bundle.write(path, prefix + path.relative_to(folder).as_posix())
    else:
        with tarfile.open(fileobj=stream, mode="w:gz") as bundle:
            for path in files:
                bundle.add(path, prefix + path.relative_to(folder).as_posix())
    return stream.getvalue()


@pytest.mark.parametrize("pack", ["zip", "tar.gz"])
@pytest.mark.parametrize("prefix", ["", "shop-main/", "shop-main/data/"])
def test_a_card_with_an_address_is_fetched_and_loaded(house, server, tmp_path, pack, prefix):
    card_for(house, server, archive_of(make_folder(tmp_path / "made"), prefix, pack))
    folder = datasets.get("shop", progress=False)
    assert folder == house / "datasets" / "shop"
    images = datasets.load("shop")
    assert (len(images), len(images.boxes), images.note) == (6, 9, "")
    assert sorted(path.name for path in (house / "datasets").iterdir()) == ["shop", "shop.yaml"]
    asked = len(server.asked)
    assert datasets.get("shop") == folder and len(server.asked) == asked  # it is there: nothing to fetch


def test_inside_says_where_the_photographs_are(house, server, tmp_path):
    made = make_folder(tmp_path / "made" / "second")
    make_folder(tmp_path / "made" / "first", photos=2)
    card_for(house, server, archive_of(made.parent, "", "zip"), inside="second")
    datasets.get("shop", progress=False)
    assert len(datasets.load("shop")) == 6


@pytest.mark.parametrize("harm", ["checksum", "outside", "no photographs"])
def test_what_fails_installs_nothing(house, server, tmp_path, harm):
    content = archive_of(make_folder(tmp_path / "made"), "", "zip")
    if harm == "outside":
        content = zipped(tmp_path / "a", [("images/a.jpg", b"x", 0), ("../../evil", b"x", 0)]).read_bytes()
    if harm == "no photographs":
        content = zipped(tmp_path / "a", [("readme.txt", b"x", 0)]).read_bytes()
    card_for(house, server, content, sha256=sha(b"other") if harm == "checksum" else None)
    before = sorted(house.parent.rglob("*evil*"))
    words = {"checksum": "does not match", "outside": "'../../evil'", "no photographs": "side by side"}
    with pytest.raises(DataError, match=words[harm]):
        datasets.get("shop", progress=False)
    assert sorted(path.name for path in (house / "datasets").iterdir()) == ["shop.yaml"]
    assert sorted(house.parent.rglob("*evil*")) == before


def test_a_card_without_an_address_says_how_to_get_it(house):
    with pytest.raises(DataError, match=r"no address to download from\. Take the photographs .* RETAILKIT_DATA"):
        datasets.get("shelf_gaps")
