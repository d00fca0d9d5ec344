"""Errors cross from worker processes to the one that tells them: none is lost or changed on the way."""

from __future__ import annotations

import pickle

import pytest

from gland_assets.core import errors
from gland_assets.core.errors import Fault, GlandError, SettingsError, WarehouseBusy

MADE: dict[str, GlandError] = {
    "SettingsError": SettingsError(
        [Fault("taxonomy.toml", 8, "[defaults]", "pairs is -1", "give 1 or more"), Fault("a", 0, "b", "c", "d")]
    ),
    "WarehouseBusy": WarehouseBusy("warehouse/gland.duckdb", "process 7 (duckdb)"),
}
EVERY = [found for found in vars(errors).values() if isinstance(found, type) and issubclass(found, GlandError)]


@pytest.mark.parametrize("kind", EVERY)
def test_an_error_comes_out_of_a_pipe_as_it_went_in(kind: type[GlandError]) -> None:
    error = MADE.get(kind.__name__) or kind("what, where, and the next step")
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is kind and str(back) == str(error) and vars(back) == vars(error)
