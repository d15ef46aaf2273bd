//! The `ordercast` binary: its commands, each in a file of its own.

mod backup;
mod bench;
mod catalogue;
mod config;
mod demo;
mod doctor;
mod hidden;
mod inbox;
mod listen;
mod logging;
mod project_api;
mod serve;
mod token;
mod trigger;
mod trust;
mod tunnel;
mod watch;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

// Less memory per idle connection than glibc's allocator, measured at 10 to 25 %.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const EXAMPLES: &str = "\
Examples:
  ordercast demo                       a store to click through, on http://127.0.0.1:8080/demo/
  ordercast serve --data-dir /var/lib/ordercast
  ordercast token --project 1 --user alice
  ordercast watch --project 1 --token \"$(ordercast token --project 1 --user alice)\"
  ordercast listen --forward http://127.0.0.1:3000/webhooks
  ordercast trigger order_paid --order 1000001 --twice
  ordercast catalogue load shop.json   items of a file into the demo's catalogue
  ordercast config                     every setting with its default and what it does
  ordercast config check --config /etc/ordercast.toml";

/// Self-hosted order status tracking: every status of an order, at once, without loss.
#[derive(Debug, Parser)]
#[command(name = "ordercast", version, after_help = EXAMPLES, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server
    Serve(serve::ServeArgs),
    /// Run the server with a demo store, a pretend payment provider and test keys
    Demo(demo::start::DemoArgs),
    /// Make a user's JWT for tests; `token check`: ask why one is refused
    Token(token::TokenArgs),
    /// Follow a user's orders in the terminal
    Watch(watch::WatchArgs),
    /// Receive a project's events here, and forward them to a backend under development
    Listen(listen::ListenArgs),
    /// Send what a payment provider would, well behaved or not
    Trigger(trigger::TriggerArgs),
    /// Ask what a provider's webhook would change
    #[command(subcommand)]
    Inbox(inbox::InboxCommand),
    /// Write a shop's items from a file
    #[command(subcommand)]
    Catalogue(catalogue::CatalogueCommand),
    /// Copy the database of a running server into a file
    Backup(backup::BackupArgs),
    /// Make a database from a backup
    Restore(backup::RestoreArgs),
    /// Write the database of a stopped server anew, without unused room
    Compact(backup::CompactArgs),
    /// Check configuration, data folder, database and clock, and say what to do
    Doctor(doctor::DoctorArgs),
    /// Measure: load generators for this server
    Bench(bench::BenchArgs),
    /// Print the configuration reference, check a configuration, or show what is in force
    Config(config::ConfigArgs),
}

/// A broken invariant ends the process, so that nothing goes on from a state that cannot be; except
/// where a panic fails one decision only, which is then rolled back. A panic that unwinds is what makes
/// that exception possible, hence no `panic = "abort"` in the release profile.
fn end_on_panic() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        print(panic);
        if !ordercast_store::caught::is_deciding() {
            std::process::abort();
        }
    }));
}

fn main() -> ExitCode {
    end_on_panic();
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            logging::say(format_args!("cannot start the runtime: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let ended = runtime.block_on(run(cli.command));
    logging::flush();
    match ended {
        Ok(code) => code,
        Err(error) => {
            logging::say(format_args!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(args) => serve::run(args).await?,
        Command::Demo(args) => demo::start::run(args).await?,
        Command::Watch(args) => watch::run(args).await?,
        Command::Listen(args) => listen::run(args).await?,
        Command::Trigger(args) => trigger::run(args).await?,
        Command::Inbox(command) => inbox::run(command).await?,
        Command::Backup(args) => backup::backup(&args)?,
        Command::Restore(args) => backup::restore(&args)?,
        Command::Compact(args) => backup::compact(&args)?,
        Command::Bench(args) => bench::run(args).await?,
        Command::Catalogue(command) => catalogue::run(command).await?,
        // What they find is their exit code.
        Command::Config(args) => return config::run(&args),
        Command::Token(args) => return token::run(args).await,
        Command::Doctor(args) => return doctor::run(&args).await,
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;
    use ordercast_server::config::OTHER_VARIABLES;

    /// A server refuses variables that it does not know: those of options must be known to it.
    #[test]
    fn the_variable_of_every_option_is_known_to_the_configuration() {
        let reference = ordercast_server::config::Config::reference();
        let mut commands = vec![Cli::command()];
        while let Some(command) = commands.pop() {
            commands.extend(command.get_subcommands().cloned());
            let variables = command.get_arguments().filter_map(clap::Arg::get_env);
            for variable in variables.filter_map(|name| name.to_str()) {
                let is_setting = reference.contains(variable);
                let is_other = OTHER_VARIABLES.contains(&variable);
                assert!(
                    is_setting || is_other,
                    "{variable} is unknown to the server"
                );
            }
        }
    }
}
