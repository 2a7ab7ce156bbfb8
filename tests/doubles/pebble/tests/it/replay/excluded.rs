//! The recordings that are not replayed, each with its reason.

/// Beginnings of names, with the reason.
pub const EXCLUDED: &[(&str, &str)] = &[
    ("07-", "asks as a second user, whom a test run without root does not have"),
    ("08-exec-041", "takes two minutes of waiting for Go's garbage collector"),
    ("09-exec-lifecycle-004", "takes thirty seconds to show what 003 shows in four"),
    ("09-exec-lifecycle-023", "terminal: the double has none"),
    ("09-exec-lifecycle-024", "terminal: the double has none"),
    ("09-exec-lifecycle-025", "terminal: the double has none"),
    ("09-exec-lifecycle-026", "terminal: the double has none"),
    ("11-", "ends the daemon in the middle of a session; lifecycle.rs looks at the double's own end"),
    ("12-daemon-stop-011", "ends the daemon while a request waits; see lifecycle.rs"),
    ("15-checks-062", "metrics: the double has none"),
    ("16-notices-028", "change-update notices: the double makes only custom ones"),
    ("17-logs-010", "follows logs: the double does not"),
    ("19-", "identities and metrics: the double has none"),
];

/// Beginnings of names that can only be replayed by root, because files change owner or commands the user.
pub const ROOT_ONLY: &[&str] = &[
    "05-files-046",
    "05-files-047",
    "05-files-092",
    "06-",
    "08-exec-025",
    "08-exec-027",
    "08-exec-028",
    "08-exec-029",
    "08-exec-030",
    "21-more-005",
    "21-more-011",
    "21-more-091",
    "23-exec-home-002",
];
