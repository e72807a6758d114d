"""What every room needs: time, identifiers, fixed numbers, settings, refusals, signals and background tasks.
Imports no other room of the stand-in."""
