"""Every error a user can meet, in one small tree. A message says what, where, and the next step."""

from __future__ import annotations

from dataclasses import dataclass


class GlandError(Exception):
    """Base of all errors that are told to the user as they stand, without a traceback."""

    exit_code = 2


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing wrong in a file: `file:line: node: what is wrong; how to mend it`.

    `line` counts from 1, 0 = the whole file; `node` is empty where nothing is declared.
    """

    file: str
    line: int
    node: str
    what: str
    fix: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return ": ".join(filter(None, [place, self.node, self.what])) + f"; {self.fix}"


class SettingsError(GlandError):
    """The taxonomy or a file it names is wrong. Holds every fault found, in order of place."""

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = tuple(sorted(faults))
        super().__init__("\n".join(map(str, self.faults)))

    def __reduce__(self) -> tuple[type[SettingsError], tuple[list[Fault]]]:
        """Faults come whole from a worker process."""
        return type(self), (list(self.faults),)


class EnvironmentFault(GlandError):
    """Something outside the taxonomy is missing: a key's variable, the local model, a folder that cannot be written."""


class WarehouseError(GlandError):
    """A file under the warehouse cannot be read or written as it must."""


class DamagedPartition(WarehouseError):
    """A partition file that cannot be read; it counts as missing for the plan, and names itself when read directly."""


class DamagedDatabase(WarehouseError):
    """A DuckDB file that holds something else than what was written."""


class WarehouseBusy(WarehouseError):
    """Another process holds a DuckDB file. `holder` names it as far as the system tells."""

    def __init__(self, path: str, holder: str) -> None:
        self.path, self.holder = path, holder
        super().__init__(f"{path} is held by {holder}; close it there, then run `gland publish`")

    def __reduce__(self) -> tuple[type[WarehouseBusy], tuple[str, str]]:
        return type(self), (self.path, self.holder)


class Stopped(GlandError):
    """The build was asked to stop (Ctrl-C, SIGTERM). What was paid for is stored; the next build goes on from there."""

    exit_code = 130


class BudgetReached(Stopped):
    """The next request could pass a cap. What was paid for is stored; the next build goes on from there."""

    exit_code = 2
