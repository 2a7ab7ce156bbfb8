//! Which release of Kratos the double plays, and what differs between releases.

use std::fmt;

/// The environment variable that chooses the release (`v1.3.1`, `v25.4.0`, `v26.2.0`).
pub const VERSION_VARIABLE: &str = "KRATOS_DOUBLE_VERSION";

/// A release of Kratos, in order of age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Release {
    /// v1.3.1: `migrate sql` only applies; no `status`, `up`, `down`.
    V1_3_1,
    /// v25.4.0: the sub-commands of `migrate sql`; no `identity_id` on identifiers and devices.
    V25_4_0,
    /// v26.2.0: writes `identity_id` on identifiers and devices.
    V26_2_0,
}

impl Release {
    /// Every release, oldest first.
    pub const ALL: [Release; 3] = [Release::V1_3_1, Release::V25_4_0, Release::V26_2_0];

    /// Reads the name of a release; `None` (variable unset) or empty is the newest.
    pub fn named(name: Option<&str>) -> Option<Self> {
        match name {
            None | Some("") => Some(Release::V26_2_0),
            Some(name) => Self::ALL.into_iter().find(|release| release.label() == name),
        }
    }

    /// The version as the program prints it, e.g. `v26.2.0`.
    pub fn label(self) -> &'static str {
        match self {
            Release::V1_3_1 => "v1.3.1",
            Release::V25_4_0 => "v25.4.0",
            Release::V26_2_0 => "v26.2.0",
        }
    }

    /// Commit and time of the build. Only those of v26.2.0 were recorded; nobody reads the others.
    pub fn build(self) -> (&'static str, &'static str) {
        match self {
            Release::V1_3_1 => ("0000000000000000000000000000000000000131", "2024-10-14T00:00:00Z"),
            Release::V25_4_0 => ("0000000000000000000000000000000000002540", "2025-11-18T00:00:00Z"),
            Release::V26_2_0 => ("9d7085948039ffb8960160d4979f71527b5cf4d5", "2026-03-20T11:01:06Z"),
        }
    }

    /// The highest migration that this release brings.
    pub fn last_migration(self) -> &'static str {
        match self {
            Release::V1_3_1 => "20240425095000000001",
            Release::V25_4_0 => "20250710085000000000",
            Release::V26_2_0 => "20260114175904000000",
        }
    }

    /// Whether `migrate sql` has `up`, `down` and `status`.
    pub fn has_migrate_commands(self) -> bool {
        self >= Release::V25_4_0
    }

    /// Whether identities are written and read with `external_id`.
    pub fn has_external_id(self) -> bool {
        self >= Release::V25_4_0
    }

    /// Whether identifiers and devices are written with `identity_id`.
    pub fn writes_identity_id(self) -> bool {
        self >= Release::V26_2_0
    }

    /// Whether the admin port answers without the prefix `/admin` (older ones redirect).
    pub fn answers_without_prefix(self) -> bool {
        self >= Release::V26_2_0
    }

    /// Whether `/admin/health/config` and the configuration key `revision` exist.
    pub fn has_revision(self) -> bool {
        self >= Release::V25_4_0
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}
