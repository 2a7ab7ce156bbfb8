//! The noise after an error: a Go stack, which the original prints several times behind the reason of a failure.

/// One stack; its frames name the double, whose reader must skip them all the same.
pub const LINES: &str = "github.com/ory/x/popx.(*MigrationBox).exec
\t/double/popx/migrator.go:1
github.com/ory/x/popx.(*MigrationBox).UpTo
\t/double/popx/migrator.go:2
github.com/ory/kratos/persistence/sql.(*Persister).MigrateUp
\t/double/persistence/sql/persister.go:3
github.com/ory/kratos/cmd/cliclient.(*MigrateHandler).MigrateSQLUp
\t/double/cmd/cliclient/migrate.go:4
github.com/spf13/cobra.(*Command).execute
\t/double/cobra/command.go:5
github.com/ory/kratos/cmd.Execute
\t/double/cmd/root.go:6
main.main
\t/double/main.go:7
runtime.goexit
\t/double/runtime/asm_amd64.s:8
";
