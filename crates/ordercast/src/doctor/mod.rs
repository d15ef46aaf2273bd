//! `ordercast doctor`: looks at everything that makes a server fail later, and says what to do.

pub mod copy;
mod database;
mod machine;
mod tls;

use clap::Args;
use ordercast_server::{
    DATABASE,
    config::{Config, Partial},
    realtime::origin::AllowedOrigin,
};
use serde::Serialize;
use std::{io::IsTerminal, path::PathBuf, process::ExitCode};

const AFTER_HELP: &str = "\
Ends with 0 when all is well, 1 with warnings, 2 with errors. Changes nothing; the server may run
meanwhile. It measures the disk by writing a small file into the data folder, and removes it.

Examples:
  ordercast doctor --config /etc/ordercast.toml
  ordercast doctor --data-dir /var/lib/ordercast --full --json";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub struct DoctorArgs {
    /// Configuration file, TOML
    #[arg(long, value_name = "FILE", env = "ORDERCAST_CONFIG")]
    config: Option<PathBuf>,
    /// Folder of the database and of generated keys
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<PathBuf>,
    /// Check every page and index of the database: reads the whole file
    #[arg(long)]
    full: bool,
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
    /// Minutes after which a paid order that is not done, or a webhook without its order, is stuck
    #[arg(long, value_name = "MINUTES", default_value_t = 60)]
    stuck_minutes: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Ok,
    Warning,
    Error,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
pub struct Finding {
    pub level: Level,
    /// What was looked at, a word or two.
    pub subject: &'static str,
    pub found: String,
    /// What to do; empty when all is well.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub advice: String,
}

impl Finding {
    pub fn ok(subject: &'static str, found: impl Into<String>) -> Self {
        Self {
            level: Level::Ok,
            subject,
            found: found.into(),
            advice: String::new(),
        }
    }

    pub fn warning(
        subject: &'static str,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            level: Level::Warning,
            advice: advice.into(),
            ..Self::ok(subject, found)
        }
    }

    pub fn error(
        subject: &'static str,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            level: Level::Error,
            ..Self::warning(subject, found, advice)
        }
    }
}

pub async fn run(args: &DoctorArgs) -> anyhow::Result<ExitCode> {
    let findings = examine(args).await;
    let worst = findings.iter().map(|f| f.level).max().unwrap_or(Level::Ok);
    if args.json {
        let report = serde_json::json!({ "worst": worst, "findings": findings });
        println!("{report:#}");
    } else {
        for finding in &findings {
            print!("{}", line(finding));
        }
    }
    Ok(match worst {
        Level::Ok => ExitCode::SUCCESS,
        Level::Warning => ExitCode::from(1),
        Level::Error => ExitCode::from(2),
    })
}

async fn examine(args: &DoctorArgs) -> Vec<Finding> {
    use confique::Layer;
    let mut flags = Partial::empty();
    flags.data_dir.clone_from(&args.data_dir);
    let config = match Config::load(flags, args.config.as_deref()) {
        Ok(config) => config,
        // Nothing else can be known without it.
        Err(error) => {
            let advice = "`ordercast config` prints every setting with what it takes";
            return vec![Finding::error("configuration", error.to_string(), advice)];
        }
    };
    let mut findings = vec![configuration(&config)];
    findings.extend(machine::data_folder(&config.data_dir));
    findings.push(machine::open_files(&config));
    findings.extend(tls::examine(&config));
    findings.push(machine::address(&config).await);
    findings.extend(start(&config));
    let database = config.data_dir.join(DATABASE);
    findings.push(copy::examine(&database));
    findings.extend(database::examine(&database, args.full, args.stuck_minutes));
    findings
}

fn configuration(config: &Config) -> Finding {
    if config.allowed_origins.contains(&AllowedOrigin::Any) {
        return Finding::warning(
            "configuration",
            "allowed_origins lets the pages of every site open connections",
            "name the shop's own origins",
        );
    }
    Finding::ok("configuration", "can be used")
}

/// What `serve` would refuse.
fn start(config: &Config) -> Vec<Finding> {
    let errors = ordercast_server::check_start(config);
    if errors.is_empty() {
        return vec![Finding::ok("start", "nothing keeps a server from starting")];
    }
    let advice = "a server does not start with it";
    errors
        .into_iter()
        .map(|error| Finding::error("start", error.to_string(), advice))
        .collect()
}

fn line(finding: &Finding) -> String {
    let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let (word, code) = match finding.level {
        Level::Ok => ("ok", "32"),
        Level::Warning => ("warning", "33"),
        Level::Error => ("error", "31"),
    };
    let word = if colour {
        format!("\x1b[{code}m{word:<8}\x1b[0m")
    } else {
        format!("{word:<8}")
    };
    let mut line = format!("{word} {}: {}\n", finding.subject, finding.found);
    if !finding.advice.is_empty() {
        line.push_str(&format!("         -> {}\n", finding.advice));
    }
    line
}
