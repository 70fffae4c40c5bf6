"""What the notebooks stand on: figures, widgets, sizes for each machine, and their runner."""
