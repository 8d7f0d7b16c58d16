"""A shop window and who looks at it: empty without a name, and on the real films what the films say."""

import pytest

from retailkit.datasets import DataError
from retailkit.store.visits.window_study import NOTHING, study_windows


def test_without_a_name_there_is_nothing_but_the_reason():
    study = study_windows()
    assert [picture.alt for picture in study.pictures] == [NOTHING]
    for table, columns in (
        (study.shares, ["scene", "figure", "value", "low", "high", "visits"]),
        (study.details, ["scene", "figure", "value", "low", "high", "visits"]),
        (study.motion, ["scene", "target", "predictor", "value", "low", "high", "positives"]),
    ):
        assert table.empty and table.columns.tolist() == columns


def test_the_real_window(real_data):
    study = study_windows("tracks_ucy", ["zara01"], motion=False)
    rows = study.shares.set_index("figure")
    looked = rows.loc["looked towards the window, of those who came near"]
    assert looked["low"] < looked["value"] < looked["high"] and looked["visits"] > 100
    details = study.details.set_index("figure")["value"]
    wider = details[[name for name in details.index if name.startswith("looked")]]
    assert wider.is_monotonic_increasing and wider.iloc[1] == looked["value"]
    assert 2 < details["middle angle between head and way (degrees)"] < 3.5
    assert "shop window of zara01" in study.pictures[0].alt and study.motion.empty


def test_scenes_without_a_window_are_refused(real_data):
    with pytest.raises(DataError, match="no window is drawn for the scenes of tracks_eth"):
        study_windows("tracks_eth")
    with pytest.raises(DataError, match="has no scene 'zara09'"):
        study_windows("tracks_ucy", ["zara09"])
