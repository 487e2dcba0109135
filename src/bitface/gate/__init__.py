"""Decides whether a model may go live, from evidence alone: what cannot be judged is never passed.

Read in this order: `evidence` (what is handed in), `cells` (one judged figure and its four states), `kinds` (which
cells there are, and the modules that judge them), `decision` (promote, hold or block), `bundle` (the same decision again, from a file).
"""
