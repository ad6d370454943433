"""What is wrong with a manifest, without a cluster?

`documents` finds the ModelDeployments, `shape` holds them against the schema of the CRD, with `rules` for what that
says in CEL, and `advice` tells what is allowed and yet no good idea.
"""
