"""Our own server processes and ports on this machine: guarded, with a password each, and ended with their parent process."""
