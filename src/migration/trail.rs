//! The trail of a run: what is kept of it, and how far it came.

/// What is kept of a run for those who ask later.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trail {
    /// When it began, by the database's clock; RFC 3339 in UTC.
    pub begun: String,
    /// The digest of the plan, if there was one.
    pub digest: Option<String>,
    /// Each applied migration with the time until it was done, in milliseconds.
    pub steps: Vec<(String, u64)>,
}

/// How far a run came that did not reach its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// Applied by this run.
    pub applied: usize,
    /// Still to do; `None`: the program cannot tell.
    pub pending: Option<usize>,
    pub trail: Box<Trail>,
}
