//! An application that was deployed without `--trust`.

use super::{failures, kubernetes};
use crate::life::support::*;

const COMMAND: &str = "juju trust kratos --scope=cluster";

#[test]
fn weakness_53_without_trust_the_status_names_the_command_and_no_hook_fails() {
    with_sandbox(async |sandbox| {
        juju(&sandbox, &format!("deploy kratos --channel {} -n 2", newest())).await;
        let text = status(&sandbox, 0);
        assert!(text.starts_with("blocked ") && text.ends_with(COMMAND), "{text}");
        juju(&sandbox, "deploy postgresql-k8s --channel 14/stable").await;
        juju(&sandbox, &format!("integrate {} {}", DATABASE.0, DATABASE.1)).await;
        for unit in [0, 1] {
            let text = status(&sandbox, unit);
            assert!(text.starts_with("blocked ") && text.ends_with(COMMAND), "{text}");
        }
        assert_eq!(failures(&sandbox), Vec::<String>::new());
        assert!(kubernetes(&sandbox).config_map("identity-schemas").is_none());

        juju(&sandbox, "trust kratos --scope=cluster").await;
        for unit in [0, 1] {
            assert_eq!(status(&sandbox, unit), "active ");
            assert!(is_active(&sandbox, unit, "kratos").await);
        }
        for name in ["identity-schemas", "oidc-providers"] {
            assert!(kubernetes(&sandbox).config_map(name).is_some(), "{name}");
        }
    });
}

#[test]
fn trust_that_is_taken_back_stops_nothing_that_runs() {
    with_sandbox(async |sandbox| {
        deploy(&sandbox, &newest(), 1).await;
        juju(&sandbox, "trust kratos --remove --scope=cluster").await;
        sandbox.fire("kratos/0", "update-status").await.unwrap();
        let text = status(&sandbox, 0);
        assert!(text.starts_with("blocked ") && text.ends_with(COMMAND), "{text}");
        assert!(is_active(&sandbox, 0, "kratos").await);
        assert_eq!(failures(&sandbox), Vec::<String>::new());
    });
}
