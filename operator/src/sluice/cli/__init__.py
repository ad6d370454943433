"""The kubectl plugin: what people and CI ask about rollouts, and what they ask of them. Uses the API and the core."""
