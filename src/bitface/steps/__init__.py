"""One stage of a flow each: what it reads, what it computes (by calling the core), what it writes. In flow order:
version, intake, admit, featurise, validate, train, export, evaluate, explain, drift, gate, register, summary.
"""
