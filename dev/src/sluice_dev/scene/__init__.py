"""A scene: a namespace with a ModelDeployment, its traffic, and a recording of all that happens to it.

Demo, end-to-end tests and benchmarks play on it.
"""
