//! The description of a schema that other tests compare: what it sees, and what it does not.

use super::support::{side, sql};
use crate::described::describe_schema;
use crate::world::*;

#[tokio::test(flavor = "multi_thread")]
async fn every_change_of_the_schema_shows_and_rows_do_not() {
    let world = World::new();
    let (database, other) = (world.database("db").await, world.database("other").await);
    database.migrate(NEW);
    // The long way round ends in the same schema, though columns and rows came and went.
    other.migrate(OLD);
    other.migrate(NEW);
    assert_eq!(other.run(NEW, "migrate sql down -e --yes --steps 7").code, Some(0));
    other.migrate(NEW);
    let (side, other) = (side(&database).await, side(&other).await);
    let before = describe_schema(&side).await;
    assert_eq!(describe_schema(&other).await, before);

    let alter = |what: &str| format!("ALTER TABLE courier_messages {what}");
    for (change, undo) in [
        (alter("ADD extra INT"), alter("DROP extra")),
        (alter("ALTER body TYPE VARCHAR(9)"), alter("ALTER body TYPE TEXT")),
        (alter("ALTER body DROP NOT NULL"), alter("ALTER body SET NOT NULL")),
        (alter("ALTER body SET DEFAULT 'x'"), alter("ALTER body DROP DEFAULT")),
        (alter("RENAME body TO text"), alter("RENAME text TO body")),
        (alter("ADD CONSTRAINT extra CHECK (status > 0)"), alter("DROP CONSTRAINT extra")),
        ("CREATE INDEX extra ON courier_messages (body)".into(), "DROP INDEX extra".into()),
        ("CREATE TABLE extra ()".into(), "DROP TABLE extra".into()),
        (
            "INSERT INTO schema_migration (version) VALUES ('30000101000000000000')".into(),
            "DELETE FROM schema_migration WHERE version = '30000101000000000000'".into(),
        ),
    ] {
        sql(&side, &change).await;
        assert_ne!(describe_schema(&side).await, before, "{change}");
        sql(&side, &undo).await;
        assert_eq!(describe_schema(&side).await, before, "{undo}");
    }
    sql(&side, "INSERT INTO networks VALUES (gen_random_uuid(), now(), now())").await;
    assert_eq!(describe_schema(&side).await, before);
}
