from sluice_dev.cluster.cli import app

app(prog_name="python -m sluice_dev.cluster")
