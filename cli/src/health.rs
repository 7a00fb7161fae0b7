//! `labelstream health`: asks a worker on this host how it is, for health checks where nothing else can (an image without
//! a shell, a script).

use std::io::{self, Write};

use service::http::ask;
use service::settings::Flag;
use workers::settings;
use workers::settings::uses;

use crate::classify;
use crate::failure::Failure;
use crate::settings_arguments::layers;

const EXAMPLES: &str = "\
Examples:
  labelstream health
  labelstream health --ready
  labelstream health --address 127.0.0.1:9465      the drift worker's default port

Prints the answer, and exits with 0 if it is 200, else with 1.";

/// Ask a running worker on this host whether it is alive (or ready).
///
/// Gets /health from the address in http.listen (0.0.0.0 is asked on the loopback), else from classify's default port.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct HealthArguments {
    /// Ask whether it is ready: /ready instead of /health
    #[arg(long)]
    ready: bool,
    /// Where the worker listens [key: http.listen; default: 127.0.0.1:9464]
    #[arg(long, value_name = "ADDRESS:PORT")]
    address: Option<String>,
    /// Settings file in TOML [default: ./labelstream.toml if it exists]
    #[arg(long, value_name = "FILE")]
    config: Option<std::path::PathBuf>,
    /// Any setting, as for classify; can be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

/// Asks once, and prints the answer.
///
/// # Errors
/// When the worker doesn't answer, or answers anything but 200.
pub fn run(arguments: &HealthArguments) -> Result<(), Failure> {
    let HealthArguments { ready, address, config, set } = arguments;
    let flag = |text: &String| Flag { name: "--address", key: "http.listen", text: text.clone() };
    let layers = layers(config.as_deref(), address.iter().map(flag).collect(), set)?;
    let http = settings::load(&layers, uses::HEALTH)?.config.http();
    let address = http.own_address(classify::PROGRAM.port).ok_or(Failure::NoAddress)?;
    let path = if *ready { "/ready" } else { "/health" };
    let answer = ask(address, path, http.request_wait())?;
    writeln!(io::stdout(), "{}", answer.body).map_err(Failure::Stdout)?;
    if answer.status == 200 { Ok(()) } else { Err(Failure::Unwell { path, status: answer.status }) }
}
