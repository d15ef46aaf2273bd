//! `ordercast config`: the reference of all settings, whether a configuration can be used, and
//! where each value in force comes from.

use clap::{Args, Subcommand};
use confique::Layer;
use ordercast_server::config::{Config, Partial, Setting};
use std::{path::PathBuf, process::ExitCode};

const AFTER_HELP: &str = "\
Examples:
  ordercast config > ordercast.toml    a file to start from: every setting, its default, what it does
  ordercast config check --config /etc/ordercast.toml
  ordercast config show --origin --config /etc/ordercast.toml

`check` ends with 0 when a server would start with the settings, 2 when it would refuse them.";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct ConfigArgs {
    #[command(subcommand)]
    command: Option<ConfigCommand>,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Check the file and the environment as `serve` would
    Check(Source),
    /// Print every setting as it would be in force
    Show {
        #[command(flatten)]
        source: Source,
        /// Behind each value, where it comes from: default, file or variable
        #[arg(long)]
        origin: bool,
    },
}

#[derive(Debug, Args)]
struct Source {
    /// Configuration file, TOML
    #[arg(long, value_name = "FILE", env = "ORDERCAST_CONFIG")]
    config: Option<PathBuf>,
}

pub fn run(args: &ConfigArgs) -> anyhow::Result<ExitCode> {
    match &args.command {
        None => print!("{}", Config::reference()),
        Some(ConfigCommand::Check(source)) => {
            if let Err(error) = Config::load(Partial::empty(), source.config.as_deref()) {
                eprintln!("ordercast: {error}");
                return Ok(ExitCode::from(2));
            }
            println!("the configuration can be used");
        }
        Some(ConfigCommand::Show { source, origin }) => {
            for setting in Config::explain(Partial::empty(), source.config.as_deref())? {
                println!("{}", line(&setting, *origin));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A line that a configuration file could hold.
fn line(setting: &Setting, with_origin: bool) -> String {
    let name = setting.name;
    let line = match &setting.value {
        Some(value) => format!("{name} = {value}"),
        None => format!("# {name} ="),
    };
    if with_origin {
        format!("{line:<48} # {}", setting.origin)
    } else {
        line
    }
}
