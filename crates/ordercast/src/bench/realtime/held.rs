//! Buyers who are only there: held by this process, or by several where one may not have enough open
//! files.

use super::{RealtimeArgs, Scene, buyer::Auth, crowd::Crowd};
use anyhow::{Context, ensure};
use std::{
    io::{BufRead, BufReader, Read},
    ops::Range,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};
use tokio::{sync::mpsc, task::spawn_blocking};

/// What a holder prints when all of its buyers are there.
const CONNECTED: &str = "connected";

pub struct Held {
    pub connected_in: Duration,
    by: By,
}

enum By {
    This(Crowd),
    Others(Vec<Holder>),
}

/// A process of this program that holds some of the buyers until its input ends.
struct Holder {
    process: Child,
    input: ChildStdin,
}

impl Held {
    pub async fn connect(args: &RealtimeArgs, scene: &Scene) -> anyhow::Result<Self> {
        let (count, processes) = (args.connections, args.processes()?);
        if processes == 1 {
            return Self::here(scene, 0..count).await;
        }
        let (started, share) = (Instant::now(), count.div_ceil(processes));
        scene.progress.count("processes connected", processes);
        let mut holders = Vec::new();
        let mut waiting = Vec::new();
        for first in (0..count).step_by(share) {
            let numbers = first..count.min(first + share);
            let (holder, output) = Holder::start(args, scene, numbers)?;
            holders.push(holder);
            waiting.push(output);
        }
        for output in waiting {
            spawn_blocking(move || all_connected(output)).await??;
            scene.progress.some(1);
        }
        Ok(Self {
            connected_in: started.elapsed(),
            by: By::Others(holders),
        })
    }

    pub async fn here(scene: &Scene, numbers: Range<usize>) -> anyhow::Result<Self> {
        let (reads, mut read) = mpsc::unbounded_channel();
        // Nobody asks what they read.
        tokio::spawn(async move { while read.recv().await.is_some() {} });
        let crowd = Crowd::connect(scene, numbers, None, &reads, |_, _| Ok(())).await?;
        Ok(Self {
            connected_in: crowd.connected_in,
            by: By::This(crowd),
        })
    }

    /// Without a goodbye.
    pub async fn release(self) -> anyhow::Result<()> {
        match self.by {
            By::This(crowd) => {
                crowd.reset().await?;
            }
            By::Others(holders) => {
                for Holder { mut process, input } in holders {
                    drop(input);
                    let status = spawn_blocking(move || process.wait()).await??;
                    ensure!(status.success(), "a process that held buyers: {status}");
                }
            }
        }
        Ok(())
    }
}

fn all_connected(output: ChildStdout) -> anyhow::Result<()> {
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    ensure!(
        line.trim() == CONNECTED,
        "a process could not hold its buyers"
    );
    Ok(())
}

impl Holder {
    fn start(
        args: &RealtimeArgs,
        scene: &Scene,
        numbers: Range<usize>,
    ) -> anyhow::Result<(Self, ChildStdout)> {
        let program = std::env::current_exe().context("cannot find this program")?;
        let mut command = Command::new(program);
        command.args(["bench", "realtime", "--only", "hold"]);
        let target = &scene.target;
        let mut option = |name: &str, value: &str| {
            command.args([name, value]);
        };
        option("--url", &target.url);
        match &target.auth {
            Auth::Anonymous => {}
            Auth::Token(token) => option("--token", token),
            Auth::Data(data) => option("--data", data),
            Auth::Jwt { project, secret } => {
                option("--project", &project.to_string());
                option("--secret", secret);
            }
        }
        if let Some(channel) = &target.channel {
            option("--channel", channel);
        }
        for source in &target.sources {
            option("--source-addresses", &source.to_string());
        }
        option("--first", &numbers.start.to_string());
        option("--connections", &numbers.len().to_string());
        let own = scene.own.as_ref();
        if let Some(file) = own.map_or(args.trust.as_ref(), |own| own.certificate.as_ref()) {
            command.arg("--trust").arg(file);
        }
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start a process to hold buyers")?;
        let input = process.stdin.take().context("a process without input")?;
        let output = process.stdout.take().context("a process without output")?;
        Ok((Self { process, input }, output))
    }
}

/// The other side of it: holds buyers until the input ends.
pub async fn hold(args: &RealtimeArgs, scene: &Scene) -> anyhow::Result<()> {
    let held = Held::here(scene, args.first..args.first + args.connections).await?;
    println!("{CONNECTED}");
    spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    held.release().await
}
