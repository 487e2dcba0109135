"""What is true about datasets, consents, runs, models, decisions and promotions: append-only, and chained by hashes.

Read `entries` (what is written), `tables` (where), `chain` (why an edit shows), `ledger` (the one door to all of it).
"""
