"""Graphs and nodes that leave nothing behind, or the test fails."""

from tests.graph_fixtures import graphs
from tests.graph_nodes import nodes

__all__ = ["graphs", "nodes"]
