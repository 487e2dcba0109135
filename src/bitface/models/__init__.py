"""The networks: `landmark_net` trains; `landmark_codes`, `exported` and `bundle_spec` run it, without torch."""
