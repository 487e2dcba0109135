"""One-bit arithmetic: sign and its pseudo-gradients, layers, folding of BatchNorm, packing, and what it all costs.

Read `sign` for the two symbols, `layers` for what trains, `folding` for how training becomes integers, `packing` for
the bytes, `cost` for what is saved. Only `sign` and `layers` need torch: a model that is merely used does without it.
"""
