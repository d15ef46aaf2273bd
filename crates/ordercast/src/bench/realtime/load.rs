//! Buyers to whom nothing happens, and buyers who come and go.

use super::{Measured, RealtimeArgs, Scene, buyer::Buyer, held::Held};
use crate::bench::process;
use anyhow::Context;
use futures_util::future::try_join_all;
use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

/// Connections of the churn under way at a time.
const CHURNING: usize = 64;
/// Before memory is read for the first time: buffers that every server makes once are there then.
const WARM_UP: usize = 200;
pub async fn idle(args: &RealtimeArgs, scene: &Scene) -> anyhow::Result<Vec<Measured>> {
    let pid = scene.pid.context("--pid is needed to measure the server")?;
    let settle = Duration::from_secs(args.settle_seconds);
    Held::here(scene, 0..WARM_UP).await?.release().await?;
    scene.progress.wait("seconds to settle", settle).await;
    let before = process::memory(pid)?;
    let held = Held::connect(args, scene).await?;
    scene.progress.wait("seconds to settle", settle).await;
    let (cpu, started) = (process::cpu(pid)?, Instant::now());
    let idle = Duration::from_secs(args.idle_seconds);
    scene.progress.wait("seconds watched", idle).await;
    let used = process::cpu(pid)?.saturating_sub(cpu);
    let count = args.connections;
    let per_second = per(used.as_secs_f64() * 1e6, count) / started.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "bytes of memory")]
    let memory = per(process::memory(pid)?.saturating_sub(before) as f64, count);
    let beside = format!(
        "{count} buyers, connected in {:.1} s",
        held.connected_in.as_secs_f64()
    );
    held.release().await?;
    Ok(vec![
        Measured::new("user memory per idle buyer", "bytes", memory).beside(beside),
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
        let counted = Duration::from_secs(args.seconds);
        scene.progress.wait("seconds counted", counted).await;
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
