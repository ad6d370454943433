"""What people see: pure functions from a Rollout and a moment to what rich prints."""
