"""Graphs that leave nothing behind, or the test fails."""

from tests.graph_fixtures import graphs

__all__ = ["graphs"]
