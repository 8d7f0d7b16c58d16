"""What tracks say of visits: who came in, where they stood, what held their eye.

A tracks frame has a row for each visit and moment: visit (a key that means nothing outside of this recording),
time (seconds), x, y (metres on the floor plan, of the feet). Every verb here takes and gives such tidy frames:

    tracks, wrong = check_tracks(raw)                 # what cannot be is set aside and listed
    tracks = clean_tracks(tracks)                     # broken tracks joined, exchanged ones put right, jitter out
    find_crossings(tracks, line=((0, 2), (4, 2)))     # a row for each time that somebody passed the line
    count_crossings(raw, {"door": line})              # how many, and how sure that is
    summarise_days(days, Layout(zones=zones), "out")  # all tables of many stores and days, in little memory
"""

from retailkit.store.visits.attention import find_funnel, name_hands
from retailkit.store.visits.choice_sets import find_choices
from retailkit.store.visits.cleaning import clean_tracks, describe_cleaning
from retailkit.store.visits.counts import count_crossings
from retailkit.store.visits.crossings import find_crossings
from retailkit.store.visits.day import summarise_day
from retailkit.store.visits.days import read_days, summarise_days
from retailkit.store.visits.dwell import dwell_curve, dwell_times
from retailkit.store.visits.flow import common_paths, heat_map, peak_hours, zone_flow
from retailkit.store.visits.funnel_truth import (
    beside_true_funnel,
    beside_true_preference,
    rank_agreement,
    watch_hands,
)
from retailkit.store.visits.gaze import find_gaze, find_headings, find_looks
from retailkit.store.visits.groups import find_groups, members
from retailkit.store.visits.interest import (
    funnel_table,
    interest_table,
    placebo_hands,
    recall_of,
    score_hands,
    stop_effect,
    unsure_takes,
)
from retailkit.store.visits.layout import Layout
from retailkit.store.visits.motion import compare_looks, describe_motion, score_motion
from retailkit.store.visits.occupancy import find_occupancy
from retailkit.store.visits.oracle import as_estimate, beside_truth
from retailkit.store.visits.pairs import describe_pairs
from retailkit.store.visits.preference import fit_preference
from retailkit.store.visits.privacy import new_keys, suppress
from retailkit.store.visits.queues import describe_queue, find_queue, queue_length
from retailkit.store.visits.smoothing import smooth_tracks
from retailkit.store.visits.staff import guess_staff
from retailkit.store.visits.stitching import stitch_tracks
from retailkit.store.visits.tracks import check_tracks
from retailkit.store.visits.untangling import camera_error, untangle_tracks
from retailkit.store.visits.visitors import count_visitors, first_seen, learn_visitors, visitor_table
from retailkit.store.visits.watched import correct_watched, watched_stays
from retailkit.store.visits.window_study import study_windows
from retailkit.store.visits.windows import draw_window, find_window
from retailkit.store.visits.zones import check_zones, find_zone_visits

__all__ = [
    "Layout",
    "as_estimate",
    "beside_true_funnel",
    "beside_true_preference",
    "beside_truth",
    "camera_error",
    "check_tracks",
    "check_zones",
    "clean_tracks",
    "common_paths",
    "compare_looks",
    "correct_watched",
    "count_crossings",
    "count_visitors",
    "describe_cleaning",
    "describe_motion",
    "describe_pairs",
    "describe_queue",
    "draw_window",
    "dwell_curve",
    "dwell_times",
    "find_choices",
    "find_crossings",
    "find_funnel",
    "find_gaze",
    "find_groups",
    "find_headings",
    "find_looks",
    "find_occupancy",
    "find_queue",
    "find_window",
    "find_zone_visits",
    "first_seen",
    "fit_preference",
    "funnel_table",
    "guess_staff",
    "heat_map",
    "interest_table",
    "learn_visitors",
    "members",
    "name_hands",
    "new_keys",
    "peak_hours",
    "placebo_hands",
    "queue_length",
    "rank_agreement",
    "read_days",
    "recall_of",
    "score_hands",
    "score_motion",
    "smooth_tracks",
    "stitch_tracks",
    "stop_effect",
    "study_windows",
    "summarise_day",
    "summarise_days",
    "suppress",
    "unsure_takes",
    "untangle_tracks",
    "visitor_table",
    "watch_hands",
    "watched_stays",
    "zone_flow",
]
