"""The networks: `landmark_net` trains; `landmark_codes`, `exported` and `bundle_spec` are what is left to run it, in numpy."""
