"""Thousands of simulated rollouts, judged by the operator's own code: how often is it wrong, how soon is it right?"""
