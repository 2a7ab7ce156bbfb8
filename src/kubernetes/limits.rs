//! How much of a node one container may take.

use super::quantity::Quantity;

/// The limits of the workload container; `None`: no limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    pub cpu: Option<Quantity>,
    pub memory: Option<Quantity>,
}

impl Limits {
    /// Whether nothing is limited.
    pub fn is_empty(&self) -> bool {
        self.cpu.is_none() && self.memory.is_none()
    }
}
