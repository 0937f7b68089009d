"""Marks name rows that exist."""

import importlib.util
import pathlib


def test_every_mark_names_a_row_of_the_table() -> None:
    spec = importlib.util.spec_from_file_location("api_coverage", pathlib.Path(__file__).parent / "coverage.py")
    assert spec is not None and spec.loader is not None
    coverage = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(coverage)
    known = {name for _, name in coverage.rows()}
    assert len(known) > 170
    assert [(name, where) for name, where in coverage.marks() if name not in known] == []
