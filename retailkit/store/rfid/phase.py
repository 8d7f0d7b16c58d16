"""How fast tags move towards an antenna or away from it, from the phase of what they send back.

    speeds = phase_speed(reads, frequency="fcc")     # from each two reads in a row: metres per second, and their limit

Readers tell a Doppler frequency too. It is not used: it scatters by 7 to 84 Hz from one read to the next, depending on
the reader's mode, while walking makes 6 Hz for each metre per second. The phase of a tag at rest scatters by about
0.02 radians within a dwell, which over a tenth of a second is 0.01 m/s.
"""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from retailkit.store.rfid.presence import in_order, order_by

LIGHT = 299_792_458.0  # metres per second
CARRIERS = {  # MHz of channel 1, 2, ... of what regulators allow
    "fcc": 902.75 + 0.5 * np.arange(50),  # 47 CFR 15.247, United States
    "etsi": 865.7 + 0.6 * np.arange(4),  # EN 302 208, lower band, Europe
    "china": 920.625 + 0.25 * np.arange(16),
}


def phase_speed(
    reads: pd.DataFrame, frequency: str | float | ArrayLike = "fcc", longest: float = 0.2, half_turns: bool = False
) -> pd.DataFrame:
    """Tell radial speeds from the phases of reads in a row of one tag, by one antenna on one channel.

    The wave goes to the tag and back, so a step of d metres turns its phase by 4 pi d / wavelength (Nikitin et al.,
    IEEE RFID 2010). Only differences count, since cables, tags and every channel add an angle of their own; none is
    taken across antennas, channels, or dwells: an antenna's reads, of whatever tags, up to its next change of channel.
    A step of more than a quarter wavelength looks like a shorter one the other way: speeds beyond the limit cannot be
    told.

    >>> times = np.arange(0, 0.5, 0.05)                            # a tag that leaves by 1 m/s
    >>> turn = 4 * np.pi * times / (LIGHT / 915.25e6)
    >>> reads = pd.DataFrame({"time": times, "epc": "a", "antenna": 1, "channel": 26, "phase": turn % (2 * np.pi)})
    >>> phase_speed(reads).head(2).round(3)
      epc  antenna   time    dt  speed  limit
    0   a        1  0.025  0.05    1.0  1.638
    1   a        1  0.075  0.05    1.0  1.638

    Parameters
    ----------
    reads : DataFrame with time (seconds), epc, antenna, channel, phase (radians)
        As `check_reads` returns them; reads without a phase make no pair. Phases grow with the way: of a reader that
        counts down, turn the sign of the speeds.
    frequency : str, float, or array, MHz
        ``fcc``, ``etsi`` or ``china``, where channel 1 is the lowest; one carrier for all channels; or the carriers of
        channel 1, 2, ..., where a reader's table is another.
    longest : float, seconds
        Reads further apart make no pair.
    half_turns : bool
        The reader tells phases up to half a turn only: the limit is an eighth of a wavelength per step.

    Returns
    -------
    DataFrame
        A row for each pair, by epc, antenna and time: epc, antenna, time (its middle, seconds), dt (seconds), speed
        (metres per second, above 0 away from the antenna), limit (metres per second, of what can be told from it).

    Raises
    ------
    ValueError
        A column or a code is missing, a time is not finite, no read tells a phase, or a channel has no carrier.
    """
    reads = in_order(reads, ["time", "epc", "antenna", "channel", "phase"])
    if len(reads) and reads["phase"].isna().all():
        raise ValueError(f"none of the {len(reads)} reads tells a phase: speeds need the reader's phase report")
    before, after = _pairs(reads, longest)
    time, phase = reads["time"].to_numpy(float), reads["phase"].to_numpy(float)
    dt, turn = time[after] - time[before], np.pi if half_turns else 2 * np.pi
    step = (phase[after] - phase[before] + turn / 2) % turn - turn / 2
    per_turn = _wavelengths(reads["channel"].to_numpy()[after], frequency) / (4 * np.pi * dt)
    found = reads[["epc", "antenna"]].take(after).reset_index(drop=True)
    return found.assign(time=time[before] + dt / 2, dt=dt, speed=step * per_turn, limit=turn / 2 * per_turn)


def _pairs(reads: pd.DataFrame, longest: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Reads in a row of one tag, by one antenna within one dwell."""
    codes, antenna = reads["epc"].cat.codes.to_numpy(), pd.factorize(reads["antenna"])[0]
    channel, time = reads["channel"].to_numpy(), reads["time"].to_numpy(float)
    rows = order_by(antenna)  # by antenna and time
    changes = np.append(True, (np.diff(antenna[rows]) != 0) | (np.diff(channel[rows]) != 0))[: len(rows)]
    dwell = np.empty(len(rows), dtype=np.int64)
    dwell[rows] = np.cumsum(changes)
    rows = rows[reads["phase"].notna().to_numpy()[rows]]
    rows = rows[order_by(codes[rows])]  # by tag, antenna and time
    before, after = rows[:-1], rows[1:]
    dt = time[after] - time[before]
    alike = (codes[before] == codes[after]) & (dwell[before] == dwell[after]) & (dt > 0) & (dt <= longest)
    return before[alike], after[alike]


def _wavelengths(channel: NDArray, frequency: str | float | ArrayLike) -> NDArray[np.float64]:
    """Metres, for each of many channels."""
    if isinstance(frequency, str) and frequency not in CARRIERS:
        raise ValueError(f"frequency {frequency!r}: {', '.join(CARRIERS)}, or numbers in MHz are needed")
    carriers = np.asarray(CARRIERS[frequency] if isinstance(frequency, str) else frequency, dtype=float)
    if not ((carriers >= 100) & (carriers <= 10_000)).all():
        raise ValueError(f"frequency {frequency!r}: carriers from 100 to 10000 MHz are needed")
    if carriers.ndim == 0:
        return np.full(len(channel), LIGHT / 1e6 / carriers)
    if len(wrong := channel[(channel < 1) | (channel > len(carriers))]):
        raise ValueError(
            f"channel {wrong[0]} has no carrier: {frequency if isinstance(frequency, str) else 'the table'} has 1 to "
            f"{len(carriers)}; give one carrier in MHz, or those of all channels"
        )
    return LIGHT / 1e6 / carriers[channel.astype(int) - 1]
