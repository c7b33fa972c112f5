//! The plan file of `preflight-report` and `stage-run`: a graph of stages and checks.
