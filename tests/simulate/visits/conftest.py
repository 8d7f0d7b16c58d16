"""One simulated day that many tests look at."""

import pytest

from retailkit.simulate.visits import StoreDay, simulate_store_day


@pytest.fixture(scope="session")
def day() -> StoreDay:
    return simulate_store_day(shoppers=400, hours=6, seed=1)
