"""What tags say: codes, reads and where things are.

raw = read_llrp("reads.csv")                   # as a reader's client wrote them
reads, wrong = check_reads(raw, antennas=[1, 2])
decode_epcs(reads["epc"].cat.categories)       # product and serial number of each tag
"""

from retailkit.store.rfid.epc import decode_epcs, encode_products, normalise_epcs
from retailkit.store.rfid.reads import check_reads, count_problems, read_llrp

__all__ = ["check_reads", "count_problems", "decode_epcs", "encode_products", "normalise_epcs", "read_llrp"]
