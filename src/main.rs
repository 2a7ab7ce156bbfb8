//! The binary: what Juju runs as `dispatch`, once per event, and a command line for people.

use std::process::ExitCode;

use kratos_operator::cli;
use kratos_operator::dispatch::dispatch;
use kratos_operator::juju::{Agent, Context, Environment, log};
use kratos_operator::kratos::Place;
use kratos_operator::kubernetes::Access;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// The module that chooses how hook commands reach the agent.
const TRANSPORT: &str = "kratos_operator::juju::transport";

fn main() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("kratos-operator: {error}");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(run());
    // Whoever gave up on a host does not wait for the resolver to find its address.
    runtime.shutdown_background();
    code
}

async fn run() -> ExitCode {
    let environment = Environment::current();
    if std::env::args_os().len() > 1 || environment.get("JUJU_DISPATCH_PATH").is_none() {
        return cli::main().await;
    }
    let context = match Context::from_environment(&environment) {
        Ok(context) => context,
        Err(error) => {
            eprintln!("kratos-operator: {error}; this program is run by Juju, see README.md");
            return ExitCode::from(64);
        }
    };
    let agent = match Agent::from_environment(&environment) {
        Ok(agent) => agent,
        Err(error) => {
            eprintln!("kratos-operator: {error}");
            return ExitCode::FAILURE;
        }
    };
    let (layer, guard) = log::layer(agent.clone());
    // Which way hook commands take is worth a line where it is not the usual one.
    let levels = Targets::new().with_default(LevelFilter::INFO).with_target(TRANSPORT, LevelFilter::DEBUG);
    tracing_subscriber::registry().with(layer.with_filter(levels)).init();
    let (place, access) = (Place::from_environment(&environment), Access::from_environment(&environment));
    let result = dispatch(&agent, context, place, access).await;
    if let Err(error) = &result {
        tracing::error!("{error}");
    }
    guard.flush().await;
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kratos-operator: {error}");
            ExitCode::FAILURE
        }
    }
}
