//! The schema of a database as text, to compare what two ways of migrating lead to.

use kratos_operator::postgres::{Connection, catalog};

/// Describes columns, constraints, indexes and booked migrations, one sorted line each. Names of schemas are left out, so
/// that databases with different ones can be compared.
pub async fn describe_schema(connection: &Connection) -> String {
    // Columns are counted among those that are left, since a dropped one leaves a gap that nobody sees.
    let sql = "
        WITH tables AS (
            SELECT c.oid, c.relname, c.relkind, c.relpersistence FROM pg_class c
            WHERE c.relkind IN ('r', 'p')
              AND c.relnamespace = ANY (SELECT to_regnamespace(quote_ident(name)) FROM unnest(current_schemas(false)) AS name)
              AND NOT EXISTS (SELECT FROM pg_depend d
                              WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'))
        SELECT concat_ws(' ', 'table', relname, relkind, relpersistence) FROM tables
        UNION ALL
        SELECT concat_ws(' ', 'column', t.relname, row_number() OVER (PARTITION BY t.oid ORDER BY a.attnum), a.attname,
                         format_type(a.atttypid, a.atttypmod),
                         CASE WHEN a.attnotnull THEN 'NOT NULL' ELSE 'NULL' END,
                         'DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), a.attidentity, a.attgenerated,
                         (SELECT collname FROM pg_collation WHERE oid = a.attcollation))
        FROM tables t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_attrdef d ON d.adrelid = t.oid AND d.adnum = a.attnum
        UNION ALL
        SELECT concat_ws(' ', 'constraint', t.relname, c.conname, pg_get_constraintdef(c.oid))
        FROM tables t JOIN pg_constraint c ON c.conrelid = t.oid
        UNION ALL
        SELECT concat_ws(' ', 'index', t.relname,
                         regexp_replace(pg_get_indexdef(i.indexrelid), ' ON (ONLY )?\\S+ USING ', ' USING '),
                         CASE WHEN i.indisvalid THEN 'valid' ELSE 'INVALID' END)
        FROM tables t JOIN pg_index i ON i.indrelid = t.oid";
    let rows = connection.client().query(sql, &[]).await.unwrap();
    let mut lines: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let versions = catalog::applied_versions(connection).await.unwrap().unwrap_or_default();
    lines.extend(versions.into_iter().map(|version| format!("migration {version}")));
    lines.sort_unstable();
    lines.join("\n")
}
