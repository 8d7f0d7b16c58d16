"""Speeds from phases: right where they can be told, never across channels, antennas or dwells."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from retailkit.store.rfid.phase import CARRIERS, LIGHT, phase_speed

FCC = CARRIERS["fcc"]
READERS_LIGHT = 3e8  # metres per second, as the software that wrote the real recordings has it


def wavelength(channel):
    return LIGHT / 1e6 / FCC[np.asarray(channel) - 1]


def recorded(time, way, antenna=1, channel=1, epc="a", offset=0.0, noise=0.0, seed=0) -> pd.DataFrame:
    """Reads of a tag on its way, with an angle of cables and tag of its own."""
    time = np.asarray(time, dtype=float)
    channel = np.broadcast_to(channel, time.shape)
    angle = 4 * np.pi * np.asarray(way) / wavelength(channel) + offset
    angle = angle + np.random.default_rng(seed).normal(0, noise, time.shape)
    return pd.DataFrame(
        {"time": time, "epc": epc, "antenna": antenna, "channel": channel, "phase": angle % (2 * np.pi)}
    ).astype({"epc": "category"})


def hopping(rng: np.random.Generator, reads: int = 200) -> pd.DataFrame:
    """Two tags on two antennas, with hops in between, every reader's angle unknown."""
    time = np.sort(rng.uniform(0, 3, reads))
    channel = rng.permutation(FCC.size)[(time // 0.2).astype(int)] + 1
    frame = recorded(time, 2 + 0.35 * time, rng.integers(1, 3, reads), channel)
    return frame.assign(epc=pd.Categorical(rng.choice(["a", "b"], reads)))


@settings(deadline=None)
@given(some.floats(-1.6, 1.6), some.integers(1, 50), some.floats(0, 7))
def test_a_steady_walk_is_told_exactly(speed, channel, offset):
    time = np.arange(0, 1, 0.05)
    told = phase_speed(recorded(time, 3 + speed * time, channel=channel, offset=offset))
    assert len(told) == len(time) - 1
    np.testing.assert_allclose(told["speed"], speed, atol=1e-6)
    np.testing.assert_allclose(told["limit"], wavelength(channel) / 4 / 0.05)
    np.testing.assert_allclose(told["time"], (time[1:] + time[:-1]) / 2)
    assert list(told) == ["epc", "antenna", "time", "dt", "speed", "limit"]


def test_beyond_the_limit_a_walk_looks_slower_or_turned():
    time = np.arange(0, 2, 0.1)  # a quarter wavelength is 8.2 cm
    limit = float(wavelength(26) / 4 / 0.1)
    for speed, looks in ((0.9 * limit, 0.9 * limit), (1.1 * limit, -0.9 * limit), (2 * limit, 0.0)):
        told = phase_speed(recorded(time, speed * time, channel=26))
        np.testing.assert_allclose(told["limit"], limit)
        np.testing.assert_allclose(told["speed"], looks, atol=1e-6)


def test_a_tag_at_rest_scatters_as_its_phase_does():
    time = np.arange(0, 100, 0.05)
    told = phase_speed(recorded(time, 2.0, channel=26, noise=0.02))
    expected = np.sqrt(2) * 0.02 * float(wavelength(26)) / (4 * np.pi * 0.05)
    assert told["speed"].std() == pytest.approx(expected, rel=0.06)
    assert abs(told["speed"].mean()) < 0.001  # increments telescope


@settings(deadline=None)
@given(some.floats(-0.7, 0.7), some.integers(0, 2**32 - 1))
def test_half_turns_do_not_matter_where_the_reader_has_them(speed, seed):
    time = np.arange(0, 1, 0.05)
    reads = recorded(time, 3 + speed * time, channel=9)
    flipped = np.random.default_rng(seed).integers(0, 2, len(reads)) * np.pi
    told = phase_speed(reads.assign(phase=(reads["phase"] + flipped) % (2 * np.pi)), half_turns=True)
    np.testing.assert_allclose(told["speed"], speed, atol=1e-6)
    np.testing.assert_allclose(told["limit"], wavelength(9) / 8 / 0.05)


@settings(deadline=None)
@given(some.integers(0, 2**32 - 1))
def test_angles_of_channels_and_antennas_change_nothing(seed):
    rng = np.random.default_rng(seed)
    reads = hopping(rng)
    before = phase_speed(reads)
    assert len(before) > 20
    np.testing.assert_allclose(before["speed"], 0.35, atol=1e-6)  # 7 cm in the longest pair
    angles = rng.uniform(0, 2 * np.pi, (2, 3, 51))
    shifted = reads["phase"] + angles[reads["epc"].cat.codes, reads["antenna"], reads["channel"]]
    after = phase_speed(reads.assign(phase=shifted % (2 * np.pi)))
    pd.testing.assert_frame_equal(after, before, atol=1e-6)


def test_nothing_is_told_across_a_dwell_that_only_another_tag_saw():
    reads = pd.DataFrame({"time": [0.0, 0.05, 0.1], "epc": ["a", "b", "a"], "antenna": 1, "channel": [1, 2, 1],
                          "phase": 1.0})  # fmt: skip
    assert len(phase_speed(reads)) == 0
    assert len(phase_speed(reads.assign(channel=1))) == 1
    assert len(phase_speed(reads.assign(channel=1, phase=[1.0, np.nan, 1.0]))) == 1
    assert len(phase_speed(reads.assign(phase=[1.0, np.nan, 1.0]))) == 0  # without a phase, it still saw the hop
    assert len(phase_speed(reads.assign(antenna=[1, 2, 1]))) == 1  # another antenna's channel is no hop


def test_two_tags_make_no_pair():
    reads = recorded([0.0, 0.05, 0.1, 0.15], 1.0).assign(epc=["a", "a", "b", "b"])
    assert phase_speed(reads)["epc"].tolist() == ["a", "b"]


@pytest.mark.parametrize(("longest", "pairs"), [(0.05, 0), (0.1000001, 1), (0.2, 2)])
def test_reads_far_apart_make_no_pair(longest, pairs):
    assert len(phase_speed(recorded([0.0, 0.1, 0.3 - 1e-9, 0.9], 1.0), longest=longest)) == pairs


def test_the_order_of_rows_does_not_matter():
    rng = np.random.default_rng(5)
    reads = hopping(rng)
    pd.testing.assert_frame_equal(phase_speed(reads.sample(frac=1, random_state=5)), phase_speed(reads))


def test_pairs_are_those_of_a_plain_loop():
    reads = hopping(np.random.default_rng(6))
    channel_of, last, expected = {}, {}, []
    for row in reads.itertuples():
        if channel_of.get(row.antenna) != row.channel:  # a hop: this antenna begins anew
            channel_of[row.antenna] = row.channel
            last = {key: before for key, before in last.items() if key[1] != row.antenna}
        before = last.get((row.epc, row.antenna))
        if before is not None and row.time - before.time <= 0.2:
            turn = np.angle(np.exp(1j * (row.phase - before.phase)))
            speed = turn * float(wavelength(row.channel)) / (4 * np.pi * (row.time - before.time))
            expected.append((row.epc, row.antenna, (row.time + before.time) / 2, speed))
        last[row.epc, row.antenna] = row
    told = phase_speed(reads)
    table = pd.DataFrame(expected, columns=["epc", "antenna", "time", "speed"]).sort_values(["epc", "antenna", "time"])
    assert told["epc"].tolist() == table["epc"].tolist() and told["antenna"].tolist() == table["antenna"].tolist()
    np.testing.assert_allclose(told[["time", "speed"]], table[["time", "speed"]], atol=1e-9)


@pytest.mark.parametrize(
    ("frequency", "channel", "megahertz"),
    [("fcc", 1, 902.75), ("fcc", 50, 927.25), ("etsi", 4, 867.5), ("china", 16, 924.375), (866.9, 77, 866.9),
     ([900.0, 910.0], 2, 910.0)],
)  # fmt: skip
def test_the_limit_is_a_quarter_of_the_wavelength_of_its_channel(frequency, channel, megahertz):
    reads = recorded([0.0, 0.1], 1.0).assign(channel=channel)
    told = phase_speed(reads, frequency=frequency)
    assert told["limit"][0] == pytest.approx(LIGHT / (megahertz * 1e6) / 4 / 0.1)


@pytest.mark.parametrize(
    ("changed", "settings", "message"),
    [
        ({"channel": 0}, {}, "channel 0 has no carrier: fcc has 1 to 50; give one carrier"),
        ({"channel": 5}, {"frequency": "etsi"}, "channel 5 has no carrier: etsi has 1 to 4"),
        ({}, {"frequency": "mars"}, "frequency 'mars': fcc, etsi, china"),
        ({}, {"frequency": 915e6}, "carriers from 100 to 10000 MHz"),
        ({"phase": np.nan}, {}, "none of the 2 reads tells a phase"),
        ({"time": [0.0, np.inf]}, {}, "time of row 2 is inf"),
    ],
)
def test_what_tells_no_speed_is_refused(changed, settings, message):
    with pytest.raises(ValueError, match=message):
        phase_speed(recorded([0.0, 0.1], 1.0).assign(**changed), **settings)


def test_no_reads_tell_no_speed():
    assert not len(phase_speed(recorded([0.0, 0.1], 1.0).iloc[:0]))


@pytest.fixture
def kinect(real_data) -> list[pd.DataFrame]:
    """What the reader of the real recordings told: Doppler from phase, its own, and speed."""
    names = ["epc", "doppler", "reader", "speed", "time"]
    found = sorted((real_data / "rfid_kinect").glob("RFID_*.txt"))
    return [pd.read_csv(path, header=None, names=names) for path in found]


def test_the_real_carriers_are_the_regulator_s(kinect):
    """Doppler is 2 v / wavelength: the wavelengths of five recordings are those of the table, each channel of them."""
    for told in kinect:
        told = told[told["doppler"].abs() > 1e-6]
        carriers = READERS_LIGHT / (2 * told["speed"] / told["doppler"]) / 1e6
        nearest = FCC[np.abs(carriers.to_numpy()[:, None] - FCC).argmin(axis=1)]
        np.testing.assert_allclose(carriers, nearest, atol=0.001)
        assert len(np.unique(nearest)) >= 45


def test_the_reader_s_own_doppler_is_noise(kinect):
    """It scatters by more than walking moves it (6 Hz for each m/s), and by far more than what phases tell."""
    for told in kinect:
        assert told["reader"].std() > 6 and told["reader"].std() > 4 * told["doppler"].std()
