"""What an auditor asks, retention, erasure, and whether the installation is sound."""
