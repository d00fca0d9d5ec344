"""Pytest plugin: a test that is skipped or expected to fail is a failure. What a test needs is installed, or the test says what is missing.

Loaded by pyproject.toml for every run, and so by every worker of pytest-xdist.
"""

from __future__ import annotations

from collections.abc import Generator

import pytest


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skipped, xfailed or xpassed test into a failed one."""
    report = yield
    if report.skipped or hasattr(report, "wasxfail"):
        report.longrepr = f"{report.nodeid}: skipped, or marked to fail: {getattr(report, 'wasxfail', '') or _reason(report)}"
        report.outcome = "failed"
        report.__dict__.pop("wasxfail", None)
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Turn a module that skips itself while it is collected into a failed one."""
    report = yield
    if report.skipped:
        report.longrepr = f"{report.nodeid}: the whole module is skipped: {_reason(report)}"
        report.outcome = "failed"
    return report


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    return str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else str(report.longrepr)
