//! Buyers to whom nothing happens, and buyers who come and go.

use super::{Measured, RealtimeArgs, Scene, buyer::Buyer, crowd::Crowd};
use crate::bench::process;
use anyhow::Context;
use futures_util::future::try_join_all;
use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::{Duration, Instant},
};
use tokio::sync::mpsc;

/// Connections of the churn under way at a time.
const CHURNING: usize = 64;
/// Before memory is read for the first time: buffers that every server makes once are there then.
const WARM_UP: usize = 200;
/// Freed memory goes back to the system after a while.
const SETTLE: Duration = Duration::from_secs(12);

pub async fn idle(args: &RealtimeArgs, scene: &Scene) -> anyhow::Result<Vec<Measured>> {
    let pid = scene.pid.context("--pid is needed to measure the server")?;
    let (reads, mut read) = mpsc::unbounded_channel();
    let drain = tokio::spawn(async move { while read.recv().await.is_some() {} });
    let warm = Crowd::connect(&scene.target, WARM_UP, None, &reads, |_, _| Ok(())).await?;
    warm.reset().await?;
    tokio::time::sleep(SETTLE).await;
    let before = process::memory(pid)?;
    let crowd =
        Crowd::connect(&scene.target, args.connections, None, &reads, |_, _| Ok(())).await?;
    let connected_in = crowd.connected_in;
    tokio::time::sleep(SETTLE).await;
    let (cpu, started) = (process::cpu(pid)?, Instant::now());
    tokio::time::sleep(Duration::from_secs(args.idle_seconds)).await;
    let used = process::cpu(pid)?.saturating_sub(cpu);
    let per_second =
        per(used.as_secs_f64() * 1e6, args.connections) / started.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "bytes of memory")]
    let memory = per(
        process::memory(pid)?.saturating_sub(before) as f64,
        args.connections,
    );
    crowd.reset().await?;
    drop(reads);
    drain.await?;
    let count = args.connections;
    Ok(vec![
        Measured::new("user memory per idle buyer", "bytes", memory).beside(format!(
            "{count} buyers, connected in {:.1} s",
            connected_in.as_secs_f64()
        )),
        Measured::new("idle CPU per buyer", "us/s", per_second),
    ])
}

pub async fn churn(args: &RealtimeArgs, scene: &Scene) -> anyhow::Result<Vec<Measured>> {
    let (stop, sessions) = (AtomicBool::new(false), AtomicUsize::new(0));
    let visitor = async |first: usize| -> anyhow::Result<()> {
        // Buyers of their own, or their limit of connections would be measured.
        let mut number = first;
        while !stop.load(Ordering::Relaxed) {
            let (mut buyer, _) = Buyer::connect(&scene.target, number, None).await?;
            buyer.history().await?;
            buyer.close().await?;
            sessions.fetch_add(1, Ordering::Relaxed);
            number += CHURNING;
        }
        Ok(())
    };
    let timer = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let before = (sessions.load(Ordering::Relaxed), Instant::now());
        let cpu = scene.pid.map(process::cpu).transpose()?;
        tokio::time::sleep(Duration::from_secs(args.seconds)).await;
        let done = sessions.load(Ordering::Relaxed) - before.0;
        let took = before.1.elapsed();
        let used = match scene.pid.zip(cpu) {
            Some((pid, cpu)) => Some(process::cpu(pid)?.saturating_sub(cpu)),
            None => None,
        };
        stop.store(true, Ordering::Relaxed);
        anyhow::Ok((done, took, used))
    };
    let (timed, all) = tokio::join!(timer, try_join_all((0..CHURNING).map(visitor)));
    all?;
    let (done, took, used) = timed?;
    let wall = per(took.as_secs_f64() * 1e6, done);
    let mut measured = vec![Measured::new("session churn, wall", "us", wall)];
    if let Some(used) = used {
        let cpu = per(used.as_secs_f64() * 1e6, done);
        measured.push(Measured::new("session churn, server CPU", "us", cpu));
    }
    Ok(measured)
}

#[expect(clippy::cast_precision_loss, reason = "a mean")]
pub fn per(sum: f64, count: usize) -> f64 {
    sum / count.max(1) as f64
}
