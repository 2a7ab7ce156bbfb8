//! Every hook command in one program: it hands its name, arguments and, if asked for, standard input to the agent.
//!
//! The name it is called by is the command (the tools directory holds links to it); called as `hook-command`, the
//! first argument is. It prints what the agent answers and ends with the command's code, like Juju's own program.

#![expect(clippy::disallowed_methods, reason = "the agent tells a hook command by the environment")]

use std::env;
use std::io::{Read, Write, stderr, stdin, stdout};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use sandbox::agent::{Client, Reply, Request, STDIN_NEEDED};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(stderr(), "ERROR {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<ExitCode> {
    let mut words = env::args_os().map(|word| word.to_string_lossy().into_owned());
    let called = words.next().unwrap_or_default();
    let mut command = Path::new(&called).file_name().unwrap_or_default().to_string_lossy().into_owned();
    if command == "hook-command" {
        command = words.next().context("usage: hook-command NAME [ARGUMENT...]")?;
    }
    let dir = env::current_dir().context("cannot tell the working directory")?;
    let mut request = Request {
        context_id: variable("JUJU_CONTEXT_ID")?,
        dir: dir.to_string_lossy().into_owned(),
        command,
        args: words.collect(),
        stdin: None,
    };
    let mut client = Client::connect(Path::new(&variable("JUJU_AGENT_SOCKET_ADDRESS")?)).await?;
    let mut reply = client.call(&request).await?;
    if reply == Reply::Rpc(STDIN_NEEDED.to_owned()) {
        let mut input = Vec::new();
        stdin().read_to_end(&mut input).context("cannot read standard input")?;
        request.stdin = Some(input);
        reply = client.call(&request).await?;
    }
    match reply {
        Reply::Rpc(error) => bail!(error),
        Reply::Exit { code, stdout: out, stderr: err } => {
            // A reader that has closed its end is no concern of the command's result.
            let _ = stdout().write_all(&out).and_then(|()| stdout().flush());
            let _ = stderr().write_all(&err);
            // As the system does with exit codes: the low eight bits count.
            Ok(ExitCode::from(code.to_le_bytes()[0]))
        }
    }
}

fn variable(name: &str) -> Result<String> {
    match env::var(name) {
        Ok(value) if !value.is_empty() => Ok(value),
        Ok(_) | Err(env::VarError::NotPresent) => bail!("{name} not set"),
        Err(env::VarError::NotUnicode(_)) => bail!("{name} is not valid UTF-8"),
    }
}
