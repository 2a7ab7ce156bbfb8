//! The program `kratos-double`: [`sandbox::kratos`] behind the command line of Ory Kratos.

use std::process::ExitCode;

fn main() -> ExitCode {
    sandbox::kratos::main()
}
