"""Benchmarks of the main job, on the real cluster under real load. Each writes its figures beside their targets."""
