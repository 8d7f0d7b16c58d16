"""Small photograph folders for the tests: no two photographs alike, every label correct until a test spoils it."""

from pathlib import Path

import numpy as np
from PIL import Image

NAMES = ["empty", "disorganized"]


def scene(seed: int, size: tuple[int, int] = (96, 72)) -> Image.Image:
    """A photograph-like picture of coarse random patches; another seed shows another scene."""
    rng = np.random.default_rng(seed)
    patches = rng.integers(0, 256, (9, 12, 3), dtype=np.uint8)
    return Image.fromarray(patches).resize(size, Image.Resampling.BICUBIC)


def make_folder(folder: Path, photos: int = 6, names: list[str] | None = None) -> Path:
    """Write images/scene_*.jpg, labels/scene_*.txt (one or two boxes each) and data.yaml."""
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for number in range(photos):
        scene(number).save(folder / "images" / f"scene_{number:03}.jpg", quality=92)
        lines = ["0 0.5 0.5 0.2 0.4", "1 0.25 0.25 0.1 0.1"][: 1 + number % 2]
        (folder / "labels" / f"scene_{number:03}.txt").write_text("\n".join(lines) + "\n")
    (folder / "data.yaml").write_text(f"names: {names or NAMES}\n")
    return folder


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file with its time of change and content."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
