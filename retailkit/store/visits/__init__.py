"""What tracks say of visits: who came in, where they stood, what held their eye.

A tracks frame has a row for each visit and moment: visit (a key that means nothing outside of this recording),
time (seconds), x, y (metres on the floor plan, of the feet). Every verb here takes and gives such tidy frames:

    tracks, wrong = check_tracks(raw)                 # what cannot be is set aside and listed
    tracks = clean_tracks(tracks)                     # broken tracks joined, exchanged ones put right, jitter out
    find_crossings(tracks, line=((0, 2), (4, 2)))     # a row for each time that somebody passed the line
    count_crossings(raw, {"door": line})              # how many, and how sure that is
"""

from retailkit.store.visits.cleaning import clean_tracks
from retailkit.store.visits.counts import count_crossings
from retailkit.store.visits.crossings import find_crossings
from retailkit.store.visits.occupancy import find_occupancy
from retailkit.store.visits.stitching import stitch_tracks
from retailkit.store.visits.tracks import check_tracks, smooth_tracks
from retailkit.store.visits.untangling import camera_error, untangle_tracks
from retailkit.store.visits.visitors import count_visitors, first_seen, learn_visitors, visitor_table

__all__ = [
    "camera_error",
    "check_tracks",
    "clean_tracks",
    "count_crossings",
    "count_visitors",
    "find_crossings",
    "find_occupancy",
    "first_seen",
    "learn_visitors",
    "smooth_tracks",
    "stitch_tracks",
    "untangle_tracks",
    "visitor_table",
]
