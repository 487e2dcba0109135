"""What users request, as functions that the command line and the flows call: steps with their tools passed in."""
