//! The program `kratos-double`: [`kratos_double`] behind the command line of Ory Kratos.

use std::process::ExitCode;

fn main() -> ExitCode {
    kratos_double::main()
}
