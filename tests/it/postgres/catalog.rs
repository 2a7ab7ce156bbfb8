//! What the catalog says.

use std::collections::BTreeSet;

use kratos_operator::postgres::catalog::{
    applied_versions, extensions, has_tables, invalid_indexes, role_facts,
};

use super::support::{block_on, eventually, open, shared, sql, try_sql};

#[test]
fn the_bookkeeping_is_found_through_the_search_path() {
    let server = shared();
    block_on(async {
        let dsn = server.database().await;
        let connection = open(&dsn).await;
        assert_eq!(applied_versions(&connection).await.unwrap(), None);
        assert!(!has_tables(&connection).await.unwrap());

        sql(
            &connection,
            "CREATE SCHEMA ory; CREATE TABLE ory.schema_migration (version varchar(48), version_self int)",
        )
        .await;
        assert_eq!(applied_versions(&connection).await.unwrap(), None);
        assert!(!has_tables(&connection).await.unwrap());

        let ory = open(&dsn.with_param("search_path", "ory, public")).await;
        assert_eq!(applied_versions(&ory).await.unwrap(), Some(BTreeSet::new()));
        assert!(has_tables(&ory).await.unwrap());
        sql(
            &ory,
            "INSERT INTO schema_migration VALUES ('20150100000001000000', 0), ('20250708190000000000', 0)",
        )
        .await;
        let versions = ["20150100000001000000", "20250708190000000000"].map(str::to_owned);
        assert_eq!(applied_versions(&ory).await.unwrap(), Some(versions.into()));
    });
}

#[test]
fn tables_of_an_extension_make_no_database_used() {
    let server = shared();
    block_on(async {
        let dsn = server.database().await;
        let admin = open(&server.admin(dsn.database())).await;
        sql(&admin, "CREATE TABLE public.spatial (); ALTER EXTENSION plpgsql ADD TABLE public.spatial").await;
        let connection = open(&dsn).await;
        assert!(!has_tables(&connection).await.unwrap());
        assert!(role_facts(&connection).await.unwrap().tables_of_others.is_empty());
        assert_eq!(extensions(&connection).await.unwrap(), BTreeSet::from(["plpgsql".to_owned()]));
    });
}

#[test]
fn what_a_failed_concurrent_build_leaves_is_found_and_can_be_repaired() {
    let server = shared();
    block_on(async {
        let dsn = server.database().await;
        let connection = open(&dsn).await;
        sql(&connection, r#"CREATE TABLE "Mails" (id int); INSERT INTO "Mails" VALUES (1), (1)"#).await;
        assert_eq!(invalid_indexes(&connection, &[]).await.unwrap(), []);

        let error =
            try_sql(&connection, r#"CREATE UNIQUE INDEX CONCURRENTLY "Mails id" ON "Mails" (id)"#).await;
        assert_eq!(error.unwrap_err().kind(), "other");
        let found = invalid_indexes(&connection, &[]).await.unwrap();
        let [index] = &found[..] else { panic!("{found:?}") };
        assert_eq!((&*index.schema, &*index.table, &*index.name), ("public", "Mails", "Mails id"));
        assert_eq!(index.quoted, r#"public."Mails id""#);
        assert!(!index.being_built);

        sql(&connection, r#"TRUNCATE "Mails""#).await;
        sql(&connection, &format!("REINDEX INDEX CONCURRENTLY {}", index.quoted)).await;
        assert_eq!(invalid_indexes(&connection, &[]).await.unwrap(), []);
    });
}

#[test]
fn an_index_in_the_making_is_told_from_a_ruin() {
    let server = shared();
    block_on(async {
        let dsn = server.database().await;
        let (connection, writer, builder) = (open(&dsn).await, open(&dsn).await, open(&dsn).await);
        sql(&connection, "CREATE TABLE mails (id int)").await;
        sql(&writer, "BEGIN; INSERT INTO mails VALUES (1)").await;
        let build =
            tokio::spawn(async move { try_sql(&builder, "CREATE INDEX CONCURRENTLY ON mails (id)").await });
        let index = eventually("the build begins", || async {
            invalid_indexes(&connection, &[]).await.unwrap().pop()
        })
        .await;
        assert!(index.being_built);
        sql(&writer, "COMMIT").await;
        build.await.unwrap().unwrap();
        assert_eq!(invalid_indexes(&connection, &[]).await.unwrap(), []);
    });
}

#[test]
fn the_role_knows_what_it_may_do() {
    let server = shared();
    block_on(async {
        let dsn = server.database().await;
        let name = dsn.username();
        let owner = role_facts(&open(&dsn).await).await.unwrap();
        assert_eq!((&*owner.name, owner.superuser, owner.schema.as_deref()), (name, false, Some("public")));
        assert!(owner.can_create_in_schema && owner.can_create_in_database);

        let admin = open(&server.admin(name)).await;
        assert!(role_facts(&admin).await.unwrap().superuser);
        sql(
            &admin,
            &format!("CREATE TABLE public.foreign_one (id int); GRANT ALL ON public.foreign_one TO {name}"),
        )
        .await;
        sql(&admin, &format!("ALTER DATABASE {name} OWNER TO CURRENT_USER")).await;
        sql(&admin, &format!("REVOKE CREATE ON SCHEMA public FROM PUBLIC, {name}")).await;
        let guest = role_facts(&open(&dsn).await).await.unwrap();
        assert!(!guest.can_create_in_schema && !guest.can_create_in_database);
        assert_eq!(guest.tables_of_others, ["foreign_one"]);
        let error = try_sql(&open(&dsn).await, "CREATE TABLE own ()").await.unwrap_err();
        assert_eq!(error.kind(), "permission", "{error}");

        let nowhere = role_facts(&open(&dsn.with_param("search_path", "absent")).await).await.unwrap();
        assert_eq!((nowhere.schema, nowhere.can_create_in_schema), (None, false));
    });
}
