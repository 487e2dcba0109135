"""One stage of a flow each: what it reads, what it computes (by calling the core), what it writes. In flow order:
version, intake, admit, featurise, validate, train, export, evaluate, explain, drift, reference, window, gate, release, register,
summary. Beside retrains: promote, monitor, expire, consents, audit, checkpoints, dpia, erase.
"""
