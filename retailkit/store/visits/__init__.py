"""What tracks say of visits: who passed a line, and when.

A tracks frame has a row for each visit and moment: visit (a key that means nothing outside of this recording),
time (seconds), x, y (metres on the floor plan, of the feet). Every verb here takes and gives such tidy frames:

    tracks, wrong = check_tracks(raw)                 # what cannot be is set aside and listed
    tracks = smooth_tracks(stitch_tracks(tracks))     # broken tracks joined, jitter taken out
    find_crossings(tracks, line=((0, 2), (4, 2)))     # a row for each time that somebody passed the line
"""

from retailkit.store.visits.crossings import find_crossings
from retailkit.store.visits.stitching import stitch_tracks
from retailkit.store.visits.tracks import check_tracks, smooth_tracks

__all__ = ["check_tracks", "find_crossings", "smooth_tracks", "stitch_tracks"]
