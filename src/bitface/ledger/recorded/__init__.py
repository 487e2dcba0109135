"""What the ledger records, by kind: people, versions, aliases, permissions."""
