//! The verdict on the database that nobody has accepted yet: the one of this dispatch's migration, or the recorded one.

use crate::charm::observed::Observed;
use crate::integrations::peers::Verdict;
use crate::migration::HeldVerdict;

/// A verdict, and what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub verdict: HeldVerdict,
    pub reason: String,
}

impl Held {
    /// The text of the status and of a refusal.
    pub fn text(&self, application: &str) -> String {
        format!("Database migration failed: {}; {}", self.reason, self.verdict.next(application))
    }

    /// As the peer relation keeps it.
    pub fn record(&self) -> Verdict {
        Verdict { kind: self.verdict.kind().to_owned(), reason: self.reason.clone() }
    }
}

/// The verdict that holds at the end of this dispatch. A run that ends well has looked at the indexes again, and begins
/// after a loss of rows only if that was accepted.
pub fn held(observed: &Observed) -> Option<Held> {
    let judged = match &observed.migration {
        Some(Ok(_)) => return None,
        Some(Err(failure)) => {
            HeldVerdict::parse(failure.kind()).map(|verdict| Held { verdict, reason: failure.to_string() })
        }
        None => None,
    };
    judged.or_else(|| recorded(observed).filter(|_| !observed.is_verdict_accepted))
}

/// The verdict that an earlier dispatch recorded.
pub fn recorded(observed: &Observed) -> Option<Held> {
    let Verdict { kind, reason } = observed.peers.as_ref()?.verdict(&observed.database()?.id)?;
    Some(Held { verdict: HeldVerdict::parse(&kind)?, reason })
}
