//! Behind the real PgBouncer: whatever it makes of start-up parameters, a migration works, or is refused in seconds.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

use kratos_operator::migration::plan::{Method, plan};
use kratos_operator::postgres::Dsn;
use nix::unistd::{Uid, User};
use tempfile::TempDir;

use super::support::*;
use crate::world::*;

/// A running PgBouncer, which ends with this value.
struct PgBouncer {
    port: u16,
    child: Child,
    _dir: TempDir,
}

impl PgBouncer {
    /// Starts one before the server of `world` with a pool of `mode`; `target` is how databases are found there.
    async fn start(world: &World, mode: &str, ignored: &str, target: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (host, server) = (world.cluster.host(), world.cluster.port());
        let users = dir.path().join("users");
        fs::write(&users, "\"kratos\" \"s3cret\"\n").unwrap();
        let settings = format!(
            "[databases]\n* = host={host} port={server}{target}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = trust\nauth_file = {}\npool_mode = {mode}\nignore_startup_parameters = {ignored}\n",
            users.display()
        );
        let file = dir.path().join("pgbouncer.ini");
        fs::write(&file, settings).unwrap();
        // The Debian package puts it where only root looks.
        let program =
            ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"].into_iter().find(|path| fs::exists(path).unwrap());
        let program = program.expect("PgBouncer is not installed: apt-get install pgbouncer");
        let mut command = Command::new(program);
        command.arg("-q").stdout(Stdio::null()).stderr(Stdio::null());
        if Uid::effective().is_root() {
            // It refuses to be root.
            let nobody = User::from_name("nobody").unwrap().expect("a user named nobody");
            command.arg("-u").arg(nobody.name);
        }
        let child = command.arg(&file).spawn().unwrap();
        eventually("PgBouncer listens", async || std::net::TcpStream::connect(("127.0.0.1", port)).ok())
            .await;
        Self { port, child, _dir: dir }
    }

    /// The database `name`, through the proxy.
    fn database(&self, name: &str) -> Database {
        Database { dsn: format!("postgres://kratos:s3cret@127.0.0.1:{}/{name}", self.port) }
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_pgbouncer_in_session_mode_everything_works() {
    let world = World::new();
    world
        .operator("postgres")
        .await
        .batch_execute("CREATE ROLE kratos LOGIN CREATEDB PASSWORD 's3cret'")
        .await
        .unwrap();
    for (name, ignored) in [("bare", "extra_float_digits"), ("ignored", "extra_float_digits,options")] {
        let proxy = PgBouncer::start(&world, "session", ignored, "").await;
        world.database(name).await;
        let database = proxy.database(name);
        // A database with nothing in it, then one from which Kratos served, of the release before.
        let report = migrate(&kratos(&world, "0=0"), &job(&database, 60)).await.unwrap();
        assert_eq!(report.schema.pending_count(), Some(0), "{name}");
        let older = format!("{name}_used");
        let direct = used(&world, &older, MIDDLE).await;
        let database = proxy.database(&older);
        let job = job(&database, 60);
        let made = plan(&kratos(&world, "0=0"), &job.version, &job.dsn, None).await.unwrap();
        assert!(matches!(made.method, Method::Measured), "{name}: {:?}", made.method);
        let report = migrate(&kratos(&world, "0=0"), &job).await.unwrap();
        assert_eq!(report.applied, 7, "{name}");
        assert_clean(&direct).await;
    }
}

/// What holds for the role would hold for the migration too, where the proxy leaves our settings out.
#[tokio::test(flavor = "multi_thread")]
async fn behind_pgbouncer_a_limit_of_the_role_is_named_with_its_cure() {
    let world = World::new();
    let direct = used(&world, "limited", MIDDLE).await;
    let proxy = PgBouncer::start(&world, "session", "extra_float_digits,options", "").await;
    let limit = "ALTER ROLE kratos SET statement_timeout = '4s'";
    world.operator("limited").await.batch_execute(limit).await.unwrap();
    let failure = migrate(&kratos(&world, "0=0"), &job(&proxy.database("limited"), 60)).await.unwrap_err();
    assert_eq!(failure.kind(), "refused");
    for text in ["statement_timeout = 4s", "ALTER ROLE kratos RESET statement_timeout", "options"] {
        assert!(failure.to_string().contains(text), "{failure}");
    }
    assert_eq!(direct.pending().len(), 7);
    assert_clean(&direct).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_pgbouncer_that_pools_transactions_nothing_is_begun() {
    let world = World::new();
    let direct = used(&world, "pooled", MIDDLE).await;
    let proxy = PgBouncer::start(&world, "transaction", "extra_float_digits,options", "").await;
    let failure = migrate(&kratos(&world, "0=0"), &job(&proxy.database("pooled"), 60)).await.unwrap_err();
    assert!(failure.to_string().contains("past the proxy"), "{failure}");
    assert_eq!(direct.pending().len(), 7);
    assert_clean(&direct).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_pgbouncer_that_maps_every_name_to_production_a_plan_changes_nothing() {
    let world = World::new();
    world
        .operator("postgres")
        .await
        .batch_execute("CREATE ROLE kratos LOGIN CREATEDB PASSWORD 's3cret'")
        .await
        .unwrap();
    let direct = used(&world, "prod", MIDDLE).await;
    let proxy = PgBouncer::start(&world, "session", "extra_float_digits,options", " dbname=prod").await;
    let dsn = Dsn::parse(&proxy.database("prod").dsn).unwrap();
    let before = direct.booked().await;
    let made = plan(&kratos(&world, "0=0"), &job(&direct, 60).version, &dsn, None).await.unwrap();
    assert!(
        matches!(&made.method, Method::Classified { why } if why.contains("maps names")),
        "{:?}",
        made.method
    );
    assert_eq!(direct.booked().await, before);
    assert_clean(&direct).await;
}
