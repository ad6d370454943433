"""What Sluice decides, as pure functions of frozen data: no I/O, no clock, no frameworks."""
