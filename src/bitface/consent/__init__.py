"""Who allowed what, until when: consent events, the rule that admits a sample, and the policy that no consent can override.

Read `events` (what one event states), `admission` (the rule), `policy` (purposes, contexts, licences), `known_sources`
(the events of synthetic people and of the London Set).
"""
