"""Programs that show what refnet does: `python -m refnet_fast.examples.digits`."""
