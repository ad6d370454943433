"""The demo: real models, real traffic, rollouts that succeed and rollouts that do not."""
