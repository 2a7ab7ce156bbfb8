//! How far the fence is, whose it is, and since when.

/// How far the fence is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Some can write no more, others still can.
    Raising,
    /// No session that is not spared can write.
    Up,
    /// Some can write again, others perhaps not yet.
    Lifting,
}

/// Our fence, or a read-only default of our role in this database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FenceState {
    pub phase: Phase,
    /// Who raised it; `None`: there is no mark of ours, so an administrator made the setting.
    pub who: Option<String>,
    /// Sessions that began later are fenced; RFC 3339 in UTC with microseconds. `None` in [`Phase::Raising`].
    pub since: Option<String>,
}

impl FenceState {
    /// Whether this is our fence, and not a setting that an administrator made.
    pub fn is_marked_ours(&self) -> bool {
        self.who.is_some()
    }
}
