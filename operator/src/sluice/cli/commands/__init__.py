"""The commands: each reads its options, asks, and prints."""
