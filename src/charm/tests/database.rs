//! What a database that is too new leads to.

use super::*;

#[test]
fn a_database_that_is_too_new_is_told_with_the_kratos_that_migrated_it() {
    for (recorded, back) in [
        ("v27.1.0", "a charm with Kratos v27.1.0 or newer"),
        // Another application migrated it.
        ("v26.2.0", "the newer charm"),
        ("nonsense", "the newer charm"),
    ] {
        let mut observed = ready();
        observed.schema = schema(&[APPLIED, PENDING, "20270101000000000000"], false);
        observed.peers.as_mut().unwrap().application = bag(&[("migration_version_3", recorded)]);
        // A run that was refused for it says no more.
        observed.migration = Some(Err(Failure::Newer { unknown: 1, version: "v26.2.0".into() }));
        let expected = format!(
            "blocked The database was migrated by a newer Kratos (1 migrations are unknown to v26.2.0); go back to {back}: \
             juju refresh kratos"
        );
        assert_eq!(status(&observed), expected);
    }
}
