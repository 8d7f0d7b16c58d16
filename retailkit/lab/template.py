"""The templates of pages and gallery, filled with everything escaped that isn't safe HTML already."""

import re
from datetime import datetime
from functools import cache
from importlib import resources
from typing import Any

_ESTIMATE = re.compile(r"([-−+]?\d[\d.,]*(?:\s?%)?)(\s*)(\(\d+(?:\.\d+)?\s*%\s+interval\s[^()]+\))")


@cache
def template(name: str) -> Any:
    """Load a template of ``retailkit/lab/page``; `style` and the filters below are known in it."""
    import jinja2
    from markupsafe import Markup

    folder = resources.files("retailkit.lab") / "page"
    loader = jinja2.FunctionLoader(lambda wanted: (folder / wanted).read_text(encoding="utf-8"))
    world = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True,
                               undefined=jinja2.StrictUndefined)  # fmt: skip
    world.globals["style"] = Markup((folder / "style.css").read_text(encoding="utf-8"))
    world.filters |= {"day": day, "length": length, "emphasised": emphasised}
    return world.get_template(name)


@cache
def script(name: str) -> str:
    """Load a script of ``retailkit/lab/page``."""
    return (resources.files("retailkit.lab") / "page" / name).read_text(encoding="utf-8")


def emphasised(sentence: str) -> Any:
    """Set the figure of an answer in bold and keep its interval on one line; everything is escaped.

    >>> print(emphasised("AP50 is 0.41 (95 % interval 0.36 to 0.46)."))
    AP50 is <strong>0.41</strong> <span class='interval'>(95 % interval 0.36 to 0.46)</span>.
    """
    from markupsafe import Markup, escape

    bold = r"<strong>\1</strong>\2<span class='interval'>\3</span>"
    return Markup(_ESTIMATE.sub(bold, str(escape(sentence))))


def day(moment: datetime | None) -> str:
    """Say a moment in words that no country misreads.

    >>> day(datetime(2026, 3, 4, 15, 6))
    '4 March 2026, 15:06'
    """
    return f"{moment.day} {moment:%B %Y, %H:%M}" if moment else ""


def length(minutes: float | None) -> str:
    """Say how long something took.

    >>> length(0.01), length(0.5), length(4.02), length(130)
    ('under a second', '30 seconds', '4 minutes', '2 hours 10 minutes')
    """
    if minutes is None or minutes != minutes:
        return ""
    if minutes < 1 / 60:
        return "under a second"
    if minutes < 1.5:
        return f"{minutes * 60:.0f} seconds"
    hours, rest = divmod(round(minutes), 60)
    return f"{hours} hour{'s' * (hours > 1)} {rest} minutes" if hours else f"{rest} minutes"
