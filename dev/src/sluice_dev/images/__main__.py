from sluice_dev.images.cli import app

app(prog_name="python -m sluice_dev.images")
