"""The public contract: what users write, what the operator answers, and every name they may rely on."""
