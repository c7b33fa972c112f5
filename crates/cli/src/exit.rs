//! The exit codes, one table for all tools: a promise to users.

use fault::Kind;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: everything asked for holds.
    Success,
    /// 1: it ran and failed.
    Failed,
    /// 2: wrong usage, or an input that cannot be read or understood.
    Usage,
    /// 3: something promised did not report, nothing ran, or the run was interrupted before its end.
    Incomplete,
    /// 75: try again later.
    Temporary,
    /// 77: not permitted.
    Permission,
    /// 130: interrupted by SIGINT, after cleaning up and reporting.
    Interrupted,
    /// 143: terminated by SIGTERM, after cleaning up and reporting.
    Terminated,
    /// A child's own code, or 125 to 127 about it: `secrets-env COMMAND` only.
    Child(u8),
}

impl Exit {
    /// The number the process ends with.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Incomplete => 3,
            Self::Temporary => 75,
            Self::Permission => 77,
            Self::Interrupted => 130,
            Self::Terminated => 143,
            Self::Child(code) => code,
        }
    }

    /// The worst of several items' ends: an interruption, then 77, 1, 2, 75, 3; of the rest, anything but success.
    pub fn worst(ends: impl IntoIterator<Item = Self>) -> Self {
        ends.into_iter().max_by_key(|end| end.weight()).unwrap_or(Self::Success)
    }

    fn weight(self) -> u8 {
        match self {
            Self::Success | Self::Child(0) => 0,
            Self::Child(_) => 1,
            Self::Incomplete => 2,
            Self::Temporary => 3,
            Self::Usage => 4,
            Self::Failed => 5,
            Self::Permission => 6,
            Self::Interrupted => 7,
            Self::Terminated => 8,
        }
    }
}

impl From<Kind> for Exit {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Failed => Self::Failed,
            Kind::Usage => Self::Usage,
            Kind::Incomplete => Self::Incomplete,
            Kind::Temporary => Self::Temporary,
            Kind::Permission => Self::Permission,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Exit;

    #[test]
    fn the_worst_of_several_wins_in_the_order_77_1_2_75_3() {
        let mut ends =
            vec![Exit::Success, Exit::Incomplete, Exit::Temporary, Exit::Usage, Exit::Failed, Exit::Permission];
        while let Some(worst) = ends.last().copied() {
            assert_eq!(Exit::worst(ends.iter().rev().copied()), worst);
            ends.pop();
        }
        assert_eq!(Exit::worst([]), Exit::Success);
    }
}
