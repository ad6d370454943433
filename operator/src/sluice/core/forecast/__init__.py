"""What a rollout would decide: simulated rollouts, judged by the very functions that judge real ones.

Pure: the seed comes in as an argument, and equal arguments give equal answers.
"""
