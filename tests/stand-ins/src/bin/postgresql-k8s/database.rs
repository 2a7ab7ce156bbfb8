//! Roles and databases on the real server.
//!
//! A relation's role owns its database. When the relation goes, the role goes and the data stays: a role without login,
//! one per database, keeps the objects until another relation asks for the same database.

use anyhow::{Context, Result};
use tokio_postgres::config::Host;
use tokio_postgres::{Client, Config, NoTls};

/// The server, and a session of the superuser in the database of its connection string.
pub struct Server {
    config: Config,
    client: Client,
    version: String,
}

impl Server {
    pub async fn connect(dsn: &str) -> Result<Self> {
        let config: Config = dsn.parse().context("SANDBOX_POSTGRESQL is no connection string")?;
        let client = session(&config).await?;
        let row = client.query_one("SHOW server_version", &[]).await?;
        // "15.18 (Debian 15.18-0+deb12u1)"
        let version = row.get::<_, &str>(0).split(' ').next().unwrap_or_default().to_owned();
        Ok(Self { config, client, version })
    }

    pub fn version(&self) -> &str {
        &self.version
    }

    /// host:port of the connection string.
    pub fn endpoint(&self) -> String {
        let host = match self.config.get_hosts().first() {
            Some(Host::Tcp(host)) if host.contains(':') => format!("[{host}]"),
            Some(Host::Tcp(host)) => host.clone(),
            _ => "localhost".to_owned(),
        };
        format!("{host}:{}", self.config.get_ports().first().unwrap_or(&5432))
    }

    /// Makes the role, or gives it the password when that is `new`.
    pub async fn ensure_role(
        &self,
        role: &str,
        password: &str,
        new: bool,
        attributes: &[&str],
    ) -> Result<()> {
        let verb = match self.role_exists(role).await? {
            false => "CREATE",
            true if new => "ALTER",
            true => return Ok(()),
        };
        let (role, password, attributes) = (identifier(role), literal(password), attributes.join(" "));
        self.execute(&format!("{verb} ROLE {role} WITH LOGIN PASSWORD {password} {attributes}")).await
    }

    /// Makes the database and lets `role` own it. A database that another relation's role owns is shared with that.
    pub async fn ensure_database(&self, database: &str, role: &str) -> Result<()> {
        let (quoted, quoted_role) = (identifier(database), identifier(role));
        match self.owner(database).await? {
            None => self.execute(&format!("CREATE DATABASE {quoted} OWNER {quoted_role}")).await?,
            Some(owner) if owner == role => return Ok(()),
            Some(owner) if owner.starts_with("relation_id_") => {
                return self.execute(&format!("GRANT {} TO {quoted_role}", identifier(&owner))).await;
            }
            Some(_) => self.execute(&format!("ALTER DATABASE {quoted} OWNER TO {quoted_role}")).await?,
        }
        let inside = self.session_in(database).await?;
        let keeper = keeper_of(database);
        if self.role_exists(&keeper).await? {
            let keeper = identifier(&keeper);
            inside
                .batch_execute(&format!(
                    "REASSIGN OWNED BY {keeper} TO {quoted_role}; DROP OWNED BY {keeper}; DROP ROLE {keeper}"
                ))
                .await?;
        }
        // Since version 15 nobody but the owner may create tables in it.
        inside.batch_execute(&format!("ALTER SCHEMA public OWNER TO {quoted_role}")).await?;
        Ok(())
    }

    /// Drops the role and keeps everything it owned.
    pub async fn drop_role(&self, role: &str) -> Result<()> {
        if !self.role_exists(role).await? {
            return Ok(());
        }
        let quoted_role = identifier(role);
        let rows = self
            .client
            .query(
                "SELECT d.datname, d.datdba = r.oid FROM pg_database d, pg_roles r WHERE r.rolname = $1 AND d.datallowconn
                 AND (d.datdba = r.oid OR EXISTS (SELECT FROM pg_shdepend s WHERE s.dbid = d.oid
                     AND s.refclassid = 'pg_authid'::regclass AND s.refobjid = r.oid))",
                &[&role],
            )
            .await?;
        let databases: Vec<(String, bool)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        // Ownership of databases goes first, because reassigning in one database would take the others along.
        for (database, _) in databases.iter().filter(|(_, owned)| *owned) {
            let keeper = keeper_of(database);
            if !self.role_exists(&keeper).await? {
                self.execute(&format!("CREATE ROLE {} NOLOGIN", identifier(&keeper))).await?;
            }
            self.execute(&format!(
                "ALTER DATABASE {} OWNER TO {}",
                identifier(database),
                identifier(&keeper)
            ))
            .await?;
        }
        for (database, _) in &databases {
            let owner = self.owner(database).await?.context("a database went away")?;
            let sql = format!(
                "REASSIGN OWNED BY {quoted_role} TO {}; DROP OWNED BY {quoted_role}",
                identifier(&owner)
            );
            self.session_in(database).await?.batch_execute(&sql).await?;
        }
        self.execute(&format!("DROP ROLE {quoted_role}")).await
    }

    async fn role_exists(&self, role: &str) -> Result<bool> {
        Ok(self.client.query_opt("SELECT 1 FROM pg_roles WHERE rolname = $1", &[&role]).await?.is_some())
    }

    async fn owner(&self, database: &str) -> Result<Option<String>> {
        let sql = "SELECT pg_get_userbyid(datdba)::text FROM pg_database WHERE datname = $1";
        Ok(self.client.query_opt(sql, &[&database]).await?.map(|row| row.get(0)))
    }

    async fn session_in(&self, database: &str) -> Result<Client> {
        session(self.config.clone().dbname(database)).await
    }

    async fn execute(&self, sql: &str) -> Result<()> {
        Ok(self.client.batch_execute(sql).await?)
    }
}

async fn session(config: &Config) -> Result<Client> {
    let (client, connection) = config.connect(NoTls).await.context("cannot connect to the server")?;
    // It ends with the client; the client's calls report its errors.
    tokio::spawn(connection);
    Ok(client)
}

/// Who keeps a database between two relations. Database names have at most 49 bytes, so this fits into a name's 63.
fn keeper_of(database: &str) -> String {
    format!("keeper_of_{database}")
}

fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
