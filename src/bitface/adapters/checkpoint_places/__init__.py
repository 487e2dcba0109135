"""Places outside the home where signed ends of the log are kept: a folder, a bucket, a branch of a git repository."""
