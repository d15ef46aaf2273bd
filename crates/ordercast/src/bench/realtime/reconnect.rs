//! All connections broken at once, changes meanwhile, all back with recovery.

use super::{
    Measured, RealtimeArgs, Scene,
    buyer::{Joined, Position},
    crowd::Crowd,
    publish::post,
};
use anyhow::ensure;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Buyers of whom one change happens while nobody is connected.
const CHANGED: usize = 3_000;

pub async fn all(args: &RealtimeArgs, scene: &Scene) -> anyhow::Result<Vec<Measured>> {
    let count = args.connections;
    let (reads, mut read) = mpsc::unbounded_channel();
    // A position other than the very first for everybody.
    let crowd = Crowd::connect(scene, 0..count, None, &reads, |_, _| Ok(())).await?;
    let before = crowd.reset().await?;
    while read.try_recv().is_ok() {}
    let changed = count.min(CHANGED);
    let posted = post(scene, changed, changed, None).await?;

    let positions: Arc<[Position]> = before.into();
    let known = Arc::clone(&positions);
    let check = move |number: usize, joined: &Joined| {
        let missed = usize::from(number < changed);
        ensure!(joined.recovered, "buyer {number} did not recover");
        ensure!(
            joined.publications.len() == missed
                && joined
                    .publications
                    .iter()
                    .all(|seen| seen.offset == known[number].offset + 1),
            "buyer {number} missed {missed} and got {:?}",
            joined.publications
        );
        Ok(())
    };
    let crowd = Crowd::connect(scene, 0..count, Some(&positions), &reads, check).await?;
    let took = crowd.connected_in;
    crowd.reset().await?;
    drop(reads);
    let mut recovered = Vec::new();
    while let Some(read) = read.recv().await {
        recovered.push((
            read.number,
            read.seen.data["order_id"].as_u64().unwrap_or(0),
        ));
    }
    recovered.sort_unstable();
    let mut expected: Vec<_> = posted
        .iter()
        .map(|posted| (posted.number, posted.order))
        .collect();
    expected.sort_unstable();
    ensure!(
        recovered == expected,
        "what was recovered is not what was changed"
    );
    let beside = format!("{count} buyers, {changed} with a change, each read once");
    Ok(vec![
        Measured::new(
            "reset at once, all back with recovery",
            "s",
            took.as_secs_f64(),
        )
        .beside(beside),
    ])
}
