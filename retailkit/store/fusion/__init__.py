"""Who took what: sensors of a store without cashiers, brought together.

scene = prepare(sensors_of(day))                # what devices tell, made ready
found = fuse_scene(scene)                       # who left with what: ours; ARMS has simpler methods
sums = score_day(found, truth_of(day))          # how right that is
try_days(sense_day, SETTINGS, seeds, Methods(EVERY))    # the same of many days and methods
"""

from retailkit.store.fusion.arms import ARMS, hands_and_plates
from retailkit.store.fusion.attribution import Attribution
from retailkit.store.fusion.calibration import calibrate, most_probable, reliability
from retailkit.store.fusion.health import check_store
from retailkit.store.fusion.joint import Options, fuse, fuse_scene
from retailkit.store.fusion.lessons import check_apart, learn_days
from retailkit.store.fusion.measures import close_gap, compare, summarise, tally
from retailkit.store.fusion.points import as_points, join_points, name_metric, pick_arms, read_points
from retailkit.store.fusion.review import Costs, decide, errors_after_review, review_curve
from retailkit.store.fusion.scoring import score_day
from retailkit.store.fusion.sensors import oracle_of, prepare, sensors_of
from retailkit.store.fusion.story import NOBODY, show_minute, tell_story
from retailkit.store.fusion.telling import (
    by_seed,
    most_probable_of,
    pool_strata,
    reliability_of,
    review_curves,
    summarise_health,
    tell_lead,
    tell_outcomes,
    tell_upgrades,
    weigh_change,
    weigh_upgrades,
)
from retailkit.store.fusion.trial import ABLATIONS, EVERY, RIVALS, Methods, as_input, try_arms, try_days
from retailkit.store.fusion.truth import truth_of

__all__ = [
    "ABLATIONS",
    "ARMS",
    "EVERY",
    "NOBODY",
    "RIVALS",
    "Attribution",
    "Costs",
    "Methods",
    "Options",
    "as_input",
    "as_points",
    "by_seed",
    "calibrate",
    "check_apart",
    "check_store",
    "close_gap",
    "compare",
    "decide",
    "errors_after_review",
    "fuse",
    "fuse_scene",
    "hands_and_plates",
    "join_points",
    "learn_days",
    "most_probable",
    "most_probable_of",
    "name_metric",
    "oracle_of",
    "pick_arms",
    "pool_strata",
    "prepare",
    "read_points",
    "reliability",
    "reliability_of",
    "review_curve",
    "review_curves",
    "score_day",
    "sensors_of",
    "show_minute",
    "summarise",
    "summarise_health",
    "tally",
    "tell_lead",
    "tell_outcomes",
    "tell_story",
    "tell_upgrades",
    "truth_of",
    "try_arms",
    "try_days",
    "weigh_change",
    "weigh_upgrades",
]
