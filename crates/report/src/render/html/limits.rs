//! The steps in which a page gets shorter.

/// How much is shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Lines of a log or a detail.
    pub(super) lines: usize,
    /// Findings and legs of a check.
    pub(super) findings: usize,
    /// Checks that failed, are missing or were cancelled.
    pub(super) troubles: usize,
    /// Rows of the table of checks.
    pub(super) rows: usize,
    /// Stages in it.
    pub(super) stages: usize,
    /// How the footer describes this step.
    pub(super) step: &'static str,
}

/// From everything to counts only.
pub(super) static STEPS: [Limits; 6] = [
    Limits { lines: 400, findings: 200, troubles: 500, rows: 2000, stages: 500, step: "" },
    Limits {
        lines: 60,
        findings: 50,
        troubles: 500,
        rows: 2000,
        stages: 500,
        step: "logs cut to 60 lines, 50 findings per check",
    },
    Limits {
        lines: 15,
        findings: 10,
        troubles: 200,
        rows: 500,
        stages: 200,
        step: "logs cut to 15 lines, 10 findings per check",
    },
    Limits {
        lines: 0,
        findings: 3,
        troubles: 100,
        rows: 100,
        stages: 100,
        step: "no logs, 3 findings per check, 100 checks",
    },
    Limits {
        lines: 0,
        findings: 1,
        troubles: 20,
        rows: 0,
        stages: 20,
        step: "no logs, 20 failures, passed checks counted",
    },
    Limits { lines: 0, findings: 0, troubles: 0, rows: 0, stages: 0, step: "counts only" },
];
