//! `Force`: which refusals of a run the caller waives, each by its own word.

use std::fmt;

/// What is waived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Force {
    /// That the plan takes longer than the timeout.
    pub time: bool,
    /// That a unit runs another Kratos, or has not told which.
    pub units: bool,
}

impl Force {
    /// Whether anything is waived.
    pub fn is_any(self) -> bool {
        self != Self::default()
    }

    /// Waives one thing more; `false`: there is none of this name.
    pub fn add(&mut self, name: &str) -> bool {
        match name {
            "time" => self.time = true,
            "units" => self.units = true,
            _ => return false,
        }
        true
    }
}

impl fmt::Display for Force {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [(self.time, "time"), (self.units, "units")];
        let names: Vec<&str> = names.into_iter().filter_map(|(is_on, name)| is_on.then_some(name)).collect();
        formatter.write_str(&names.join(","))
    }
}
