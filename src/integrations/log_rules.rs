//! Alerts over log lines: what Kratos prints, and what only the charm knows and says itself (`charm::alarms`).

use super::rules::{Group, Rule};

/// The charm's own lines come with its dispatches, which Juju lets be an hour apart, so they count for longer than that.
/// One line alone must not raise an alert: a migration that is done takes it back unless it is said again, and a fence has
/// to be seen three times, because that of a run elsewhere may be seen.
/// The lines that Pebble forwards carry Juju's labels, and so do the charm's own. A line of Kratos is JSON.
pub const RULES: &[Group] = &[
    Group {
        name: "kratos_logs",
        rules: &[
            Rule {
                alert: "KratosManyErrors",
                expr: "sum by (juju_model, juju_application, juju_unit) (count_over_time({TOPOLOGY} |~ `\"level\":\"(error|fatal|panic)\"` [5m])) > 100",
                hold: "0m",
                severity: "error",
                summary: "{{ $labels.juju_unit }} logged more than 100 errors in 5 minutes",
                description: "See: juju ssh {{ $labels.juju_unit }} env PEBBLE_SOCKET=/charm/containers/kratos/pebble.socket /charm/bin/pebble logs",
            },
            Rule {
                alert: "KratosWritesRefused",
                expr: "sum by (juju_model, juju_application) (count_over_time({TOPOLOGY} |= `SQLSTATE 25006` [5m])) > 0",
                hold: "15m",
                severity: "critical",
                summary: "The database refuses what {{ $labels.juju_application }} writes",
                description: "For 15 minutes Kratos has met a read-only database. While a migration runs that is its write fence; \
                              afterwards the fence was left up, or the database is a standby: \
                              juju run {{ $labels.juju_application }}/leader show-migrations",
            },
            Rule {
                alert: "KratosOlderSchema",
                expr: "sum by (juju_model, juju_application) (count_over_time({TOPOLOGY} |= `migrations have not yet been fully applied` [5m])) > 0",
                hold: "5m",
                severity: "critical",
                summary: "Kratos runs on a database that is not migrated",
                description: "A Kratos that runs finds migrations pending: juju run {{ $labels.juju_application }}/leader run-migration",
            },
        ],
    },
    Group {
        name: "kratos_migration",
        rules: &[
            Rule {
                alert: "KratosMigrationPending",
                expr: "sum by (juju_model, juju_application) (count_over_time({TOPOLOGY} |= `kratos-operator: migration pending` [70m])) > 0 unless (sum by (juju_model, juju_application) (count_over_time({TOPOLOGY} |= `kratos-operator: migration completed` [70m])) > 0 unless sum by (juju_model, juju_application) (count_over_time({TOPOLOGY} |= `kratos-operator: migration pending` [10m])) > 0)",
                hold: "15m",
                severity: "critical",
                summary: "The database of {{ $labels.juju_application }} waits for its migration, and no new Kratos runs until then",
                description: "Look at what it locks and for how long, then run it: juju run {{ $labels.juju_application }}/leader plan-migration; \
                              juju run {{ $labels.juju_application }}/leader run-migration",
            },
            Rule {
                alert: "KratosMigrationFailed",
                expr: "sum by (juju_model, juju_application) (count_over_time({TOPOLOGY} |= `kratos-operator: migration failed` [15m])) > 0",
                hold: "0m",
                severity: "critical",
                summary: "A migration of the database of {{ $labels.juju_application }} failed",
                description: "What failed, and what to run next: juju run {{ $labels.juju_application }}/leader show-migrations",
            },
            Rule {
                alert: "KratosFenceUp",
                expr: "sum by (juju_model, juju_application) (count_over_time({TOPOLOGY} |= `kratos-operator: write fence up` [70m])) > 2",
                hold: "15m",
                severity: "critical",
                summary: "The write fence in the database of {{ $labels.juju_application }} is up, and no migration runs",
                description: "Nobody can register or log in. Who raised it: juju run {{ $labels.juju_application }}/leader show-migrations",
            },
        ],
    },
];
