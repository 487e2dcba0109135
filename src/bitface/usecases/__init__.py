"""What people ask for, as functions that the command line and the flows call: steps with their tools handed to them."""
