"""Who allowed what, until when: consent events, the rule that admits an asset, and the policy no consent can override.

Read `events` (what one event says), `admission` (the rule), `policy` (purposes, contexts, licences), `known_sources`
(the events of synthetic people and of the London Set).
"""
