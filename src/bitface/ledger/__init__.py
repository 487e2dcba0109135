"""The record of datasets, consents, runs, models, decisions and promotions: append-only, and chained by hashes.

Read `entries` (what is written), `tables` (where), `chain` (how an edit is detected), `ledger` (the only way in): its methods are those of
`trusted_log` (opening, appending, trusting), `recorded` (by kind of entry), and `doors` (whether something may be used now).
"""
