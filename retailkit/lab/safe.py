"""Text and HTML from outside, made fit for a page: nothing runs, nothing is fetched, nothing flickers.

A notebook's outputs hold file names, messages of libraries and tables of other people's data. All of it is
material to show, none of it may act: scripts and styles go, pictures stay only where they are embedded.
"""

import json
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

TAGS = frozenset(
    "a abbr b blockquote br caption code col colgroup dd del div dl dt em figcaption figure h1 h2 h3 h4 h5 h6 hr i "  # noqa: SIM905
    "img ins kbd li mark ol p pre s samp small span strong sub sup table tbody td tfoot th thead tr u ul".split()
)
ACTIVE = ["script", "style", "iframe", "object", "embed", "form", "link", "meta", "base", "svg", "math", "template",
          "noscript", "video", "audio", "textarea", "title"]  # fmt: skip
SECRET = re.compile("key|token|secret|password", re.IGNORECASE)
SHORTEST = 4  # characters of a secret that is scrubbed: shorter ones would spoil innocent words
_SHORTEST_SECRET = 8  # of an environment variable: a shorter one may be a word
_KEPT = {"th": {"colspan", "rowspan", "scope"}, "td": {"colspan", "rowspan"}, "a": {"href", "title", "rel"},
         "img": {"src", "alt", "width", "height"}, "ol": {"start"}, "abbr": {"title"}}  # fmt: skip
_EVERYWHERE = {"class", "id", "tabindex", "role", "aria-label"}
_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07]*\x07|\x1b[@-_]")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_PROGRESS = re.compile(r"\r|\d+%\s*[|━─╸]|\d(it|s|B)/(s|it)\b")
_NUMBER = re.compile(r"[-−+]?(\d[\d,]*\.?\d*|\.\d+)(e[-+]?\d+)?\s?%?|nan|NaN|—")
_WARNING = re.compile(r"^(?:.*?:\d+: )?(\w*Warning): (.+)$", re.MULTILINE)
_QUIET_WARNINGS = {"DeprecationWarning", "FutureWarning", "PendingDeprecationWarning", "ImportWarning", "TqdmWarning"}


def tidy_text(text: str) -> str:
    """Return what a terminal would show in the end: the last state of a progress bar, and no colour codes.

    >>> tidy_text("10%|#\\r100%|####\\n\\x1b[31mdone\\x1b[0m")
    '100%|####\\ndone'
    """
    lines = []
    for line in _ANSI.sub("", text).split("\n"):
        states = [state for state in line.split("\r") if state.strip()]
        lines.append(_CONTROL.sub("", states[-1]).rstrip() if states else "")
    return "\n".join(lines).strip("\n")


def is_progress(text: str) -> bool:
    """Tell a progress bar from something that somebody printed to be read.

    >>> is_progress("40%|####      | 4/10 [00:01<00:02, 2.5it/s]"), is_progress("40 photographs")
    (True, False)
    """
    return bool(_PROGRESS.search(text))


def warnings_in(text: str) -> list[str]:
    """Pick out the warnings that a reader should know of; those meant for programmers stay where they are.

    >>> warnings_in("/x/y.py:3: UserWarning: 7 photographs reached max_det\\n  detect(...)")
    ['7 photographs reached max_det']
    """
    found = [words for kind, words in _WARNING.findall(_ANSI.sub("", text)) if kind not in _QUIET_WARNINGS]
    return list(dict.fromkeys(found))


def secrets_among(parameters: Mapping[str, Any]) -> list[str]:
    """List the texts of parameters whose name says that they are secret, and what `secrets_around` finds."""
    given = [text for name, value in parameters.items() if SECRET.search(name) for text in texts_of(value)]
    return [*given, *secrets_around()]


def texts_of(value: Any) -> list[str]:
    """List how a value, and all that it holds, may be written.

    >>> texts_of({"first": ["sesame", 4711], "second": None})
    ['sesame', '4711']
    """
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping | list | tuple | set):
        held = value.values() if isinstance(value, Mapping) else value
        return [text for inside in held for text in texts_of(inside)]
    return [] if value is None or isinstance(value, bool) else [str(value)]


def secrets_around() -> list[str]:
    """List what environment variables hold whose name says that it is secret, if it is long enough to be one."""
    found = (value for name, value in os.environ.items() if SECRET.search(name) and not os.path.exists(value))
    return [value for value in found if len(value) >= _SHORTEST_SECRET]


def scrub(text: str, secrets: Iterable[str]) -> str:
    """Take secrets out of a text, as they are and as JSON and Python write them.

    >>> scrub('{"a": "pass sesame-42 on"}', ["sesame-42"])
    '{"a": "pass (redacted) on"}'
    """
    for secret in sorted(set(secrets), key=len, reverse=True):
        if len(secret) >= SHORTEST:
            for written in {secret, json.dumps(secret)[1:-1], json.dumps(repr(secret)[1:-1])[1:-1]}:
                text = text.replace(written, "(redacted)")
    return text


def redact(name: str, value: str) -> str:
    """Hide a value whose name says that it is a secret.

    >>> redact("api_key", "'abc'"), redact("minutes", "4.0")
    ('(redacted)', '4.0')
    """
    return "(redacted)" if SECRET.search(name) and value not in ("None", "", "''") else value


def safe_html(html: str) -> str:
    """Keep the words, tables and embedded pictures of some HTML; drop whatever runs, styles or fetches.

    Tables come back wrapped, so that wide ones scroll on a phone, numbers set to the right, and a quarantine
    table (columns `file` and `problem`) marked as such.
    """
    import bs4

    soup = bs4.BeautifulSoup(html, "html.parser")
    for element in soup.find_all(ACTIVE):
        element.decompose()
    for element in soup.find_all(True):
        for name in ("id", "class", "role", "tabindex", "style"):  # a page's own marks can't be borrowed
            if not (name == "class" and element.name in ("span", "div", "pre", "code")):
                element.attrs.pop(name, None)
    for picture in soup.find_all("img"):
        _keep_embedded(soup, picture)
    for link in soup.find_all("a"):
        link["rel"] = "noopener noreferrer"
    for table in soup.find_all("table"):
        _dress(soup, table)
    return _clean(str(soup))


def _clean(html: str) -> str:
    import bleach

    return bleach.clean(
        html, tags=TAGS, attributes=_allowed, protocols={"http", "https", "mailto", "data"}, strip=True
    )  # fmt: skip


def _allowed(tag: str, name: str, value: str) -> bool:
    if name in ("src", "href") and value.strip().lower().startswith("data:"):
        return tag == "img" and value.startswith("data:image/")
    if name == "src":
        return False
    return name in _EVERYWHERE or name in _KEPT.get(tag, ())


def _keep_embedded(soup: Any, picture: Any) -> None:
    """Replace a picture that lies elsewhere by its description: a page fetches nothing."""
    if str(picture.get("src", "")).startswith("data:image/"):
        picture["alt"] = picture.get("alt") or "A picture without a description"
        return
    note = soup.new_tag("em")
    note.string = f"[picture not embedded: {picture.get('alt') or picture.get('src') or 'no description'}]"
    picture.replace_with(note)


def _dress(soup: Any, table: Any) -> None:
    _drop_row_numbers(table)
    heads = {cell.get_text(strip=True).lower() for cell in table.find_all("th")}
    for cell in table.find_all(["td", "th"]):
        if cell.get_text(strip=True) in ("NaN", "<NA>", "None", "NaT"):
            cell.string = "–"
        if _NUMBER.fullmatch(cell.get_text(strip=True)):
            cell["class"] = ["number"]
    _align_heads(table)
    if {"file", "problem"} <= heads:
        table["class"] = ["quarantine"]
        if not table.find("caption"):
            caption = soup.new_tag("caption")
            there = table.select_one("tbody tr") is not None
            caption.string = "Set aside, and not used" if there else "Nothing had to be set aside"
            table.insert(0, caption)
    caption = table.find("caption")
    label = caption.get_text(" ", strip=True) if caption else "Table"
    table.wrap(soup.new_tag("div", attrs={"class": "scroll", "tabindex": "0", "role": "region", "aria-label": label}))


def _drop_row_numbers(table: Any) -> None:
    """Leave out the column that only counts a frame's rows from 0; a named index stays."""
    heads = [row.find("th") for row in table.select("thead tr")]
    rows = [row.find("th") for row in table.select("tbody tr")]
    counted = [cell.get_text(strip=True) if cell else "" for cell in rows] == [str(n) for n in range(len(rows))]
    if heads and all(head and not head.get_text(strip=True) for head in heads) and counted:
        for cell in [*heads, *rows]:
            cell.decompose()


def _align_heads(table: Any) -> None:
    """Set a column's head above its numbers."""
    head, first = table.find("thead"), table.select_one("tbody tr")
    for row in head.find_all("tr") if head and first else []:
        for name, cell in zip(row.find_all("th"), first.find_all(["td", "th"]), strict=False):
            if "number" in cell.get("class", []):
                name["class"] = ["number"]
