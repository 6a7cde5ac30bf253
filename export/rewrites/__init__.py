"""Rewrites of a traced graph, one idea per file. Each changes the graph in place and keeps what it computes."""
