"""What tags say: codes, reads, presence, speed, whose they are and where they hang.

raw = read_llrp("reads.csv")                   # as a reader's client wrote them
reads, wrong = check_reads(raw, antennas=[1, 2])
decode_epcs(reads["epc"].cat.categories)       # product and serial number of each tag
find_presence(reads)                           # reads by tag, antenna and half second, silence included
match_tags(reads, tracks, antenna)             # which track wears which tag
locate_tags(reads, fixtures)                   # which fixture a tag hangs on
"""

from retailkit.store.rfid.epc import decode_epcs, encode_products, normalise_epcs
from retailkit.store.rfid.layout import place_tags
from retailkit.store.rfid.location import locate_tags
from retailkit.store.rfid.phase import phase_speed
from retailkit.store.rfid.presence import find_presence
from retailkit.store.rfid.reads import check_reads, count_problems, read_llrp
from retailkit.store.rfid.studies import as_input, compare_speeds, count_consistent, study_fixtures, study_wearers
from retailkit.store.rfid.whose import match_tags, score_tracks

__all__ = [
    "as_input",
    "check_reads",
    "compare_speeds",
    "count_consistent",
    "count_problems",
    "decode_epcs",
    "encode_products",
    "find_presence",
    "locate_tags",
    "match_tags",
    "normalise_epcs",
    "phase_speed",
    "place_tags",
    "read_llrp",
    "score_tracks",
    "study_fixtures",
    "study_wearers",
]
