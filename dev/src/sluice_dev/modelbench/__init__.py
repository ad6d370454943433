"""Measurements of the model server by itself, without a cluster: its answers, hostile files, its speed."""
