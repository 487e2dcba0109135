"""What a command's terminal shows: progress, and nothing that native libraries say at every start."""
