//! From a change that is posted to the frame that a buyer has read.

use super::{
    Measured, RealtimeArgs, Scene,
    crowd::{Crowd, Read},
    load::per,
    publish::{Posted, post},
};
use crate::bench::report::Latencies;
use anyhow::{bail, ensure};
use std::time::Duration;
use tokio::sync::mpsc;

/// Buyers that follow: each gets its next change long after it has read the last.
const FOLLOWERS: usize = 2_000;
/// After the last post; what has not come by then is lost.
const GRACE: Duration = Duration::from_secs(10);

/// Changes at a steady rate: each post has its time, and a server that is late is not waited for.
pub async fn steady(args: &RealtimeArgs, scene: &Scene) -> anyhow::Result<Vec<Measured>> {
    let count = usize::try_from(u64::from(args.rate) * args.seconds)?;
    let gap = Duration::from_secs(1) / args.rate.max(1);
    let (posted, read) = follow(args, scene, count, Some(gap)).await?;
    let (mut to_frame, mut to_answer) = (Latencies::new()?, Latencies::new()?);
    for (posted, read) in posted.iter().zip(&read) {
        to_frame.record(read.at.saturating_duration_since(posted.at));
        to_answer.record(posted.answered - posted.at);
    }
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    let disk = scene.sync_micros;
    let disk = disk.map(|micros| format!("one fdatasync takes {micros:.0} us"));
    Ok(vec![
        Measured::new(
            "change posted to frame read, p50",
            "ms",
            millis(to_frame.percentile(50.0)),
        )
        .beside(disk.unwrap_or_default())
        .spread(to_frame.clone()),
        Measured::new(
            "change posted to frame read, p99",
            "ms",
            millis(to_frame.percentile(99.0)),
        ),
        Measured::new(
            "change posted to its answer, p50",
            "ms",
            millis(to_answer.percentile(50.0)),
        ),
        Measured::new(
            "change posted to its answer, p99",
            "ms",
            millis(to_answer.percentile(99.0)),
        ),
    ])
}

pub async fn burst(args: &RealtimeArgs, scene: &Scene) -> anyhow::Result<Vec<Measured>> {
    // As many as ten times the steady rate would be: more than goes through.
    let count = usize::try_from(u64::from(args.rate) * args.seconds * 10)?;
    let (posted, read) = follow(args, scene, count, None).await?;
    let begin = posted.iter().map(|posted| posted.at).min();
    let end = read.iter().map(|read| read.at).max();
    let took = match (begin, end) {
        (Some(begin), Some(end)) => end - begin,
        _ => Duration::MAX,
    };
    let rate = 1e6 / per(took.as_secs_f64() * 1e6, count);
    Ok(vec![Measured::new("changes delivered", "per second", rate)])
}

/// The posts and, in the same order, what their buyers have read: each once, or it is an error.
async fn follow(
    args: &RealtimeArgs,
    scene: &Scene,
    count: usize,
    gap: Option<Duration>,
) -> anyhow::Result<(Vec<Posted>, Vec<Read>)> {
    let followers = args.connections.min(FOLLOWERS);
    let (reads, mut read) = mpsc::unbounded_channel();
    let crowd = Crowd::connect(scene, 0..followers, None, &reads, |_, _| Ok(())).await?;
    drop(reads);
    let mut posted = post(scene, followers, count, gap).await?;
    let mut seen: Vec<Read> = Vec::with_capacity(count);
    let waiting = async {
        while seen.len() < count {
            match read.recv().await {
                Some(read) => seen.push(read),
                None => break,
            }
        }
    };
    let in_time = tokio::time::timeout(GRACE, waiting).await.is_ok();
    // A buyer that failed says why something is missing.
    crowd.reset().await?;
    ensure!(
        in_time && seen.len() == count,
        "{} of {count} changes were never delivered",
        count - seen.len()
    );
    let order_of = |read: &Read| read.seen.data["order_id"].as_u64().unwrap_or(0);
    posted.sort_by_key(|posted| posted.order);
    seen.sort_by_key(order_of);
    for (posted, read) in posted.iter().zip(&seen) {
        if (posted.order, posted.number) != (order_of(read), read.number) {
            bail!("{posted:?} was lost, doubled or misdirected: {read:?}");
        }
    }
    Ok((posted, seen))
}
