//! Many buyers at once.

use super::{
    Scene,
    buyer::{Buyer, Joined, Position, Seen},
};
use anyhow::Context;
use std::{
    ops::Range,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    task::JoinSet,
};

/// Handshakes under way at a time; more would wait in the kernel's queue and measure that.
const AT_ONCE: usize = 512;

/// A publication that a buyer has read.
#[derive(Debug)]
pub struct Read {
    pub number: usize,
    pub seen: Seen,
    pub at: Instant,
}

/// Connected buyers, each read by a task of its own.
pub struct Crowd {
    first: usize,
    tasks: JoinSet<anyhow::Result<(usize, Option<Position>)>>,
    stops: Vec<oneshot::Sender<()>>,
    pub connected_in: Duration,
}

impl Crowd {
    /// `since[n]`: where buyer n recovers from; what it missed goes to `reads` as well.
    pub async fn connect(
        scene: &Scene,
        numbers: Range<usize>,
        since: Option<&[Position]>,
        reads: &mpsc::UnboundedSender<Read>,
        on_joined: impl Fn(usize, &Joined) -> anyhow::Result<()> + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        let (progress, first) = (&scene.progress, numbers.start);
        progress.count("buyers connected", numbers.len());
        let (target, on_joined) = (Arc::new(scene.target.clone()), Arc::new(on_joined));
        let doors = Arc::new(Semaphore::new(AT_ONCE));
        let (ready, mut all_ready) = mpsc::channel::<()>(1);
        let (mut tasks, mut stops) = (JoinSet::new(), Vec::with_capacity(numbers.len()));
        let started = Instant::now();
        for number in numbers {
            let (target, doors, reads) = (Arc::clone(&target), Arc::clone(&doors), reads.clone());
            let (on_joined, ready) = (Arc::clone(&on_joined), ready.clone());
            let progress = progress.clone();
            let since = since.map(|since| since[number - first].clone());
            let (stop, mut stopped) = oneshot::channel();
            stops.push(stop);
            tasks.spawn(async move {
                let door = doors.acquire().await?;
                let (mut buyer, joined) = Buyer::connect(&target, number, since.as_ref())
                    .await
                    .with_context(|| format!("buyer {number}"))?;
                drop(door);
                on_joined(number, &joined)?;
                let at = Instant::now();
                for seen in joined.publications {
                    let _ = reads.send(Read { number, seen, at });
                }
                progress.some(1);
                drop(ready);
                loop {
                    tokio::select! {
                        seen = buyer.next() => {
                            let (seen, at) = (seen?, Instant::now());
                            let _ = reads.send(Read { number, seen, at });
                        }
                        _ = &mut stopped => return Ok((number, Some(buyer.reset()?))),
                    }
                }
            });
        }
        drop(ready);
        // Ends when every task has dropped its sender: joined, or failed.
        let _ = all_ready.recv().await;
        let mut crowd = Self {
            first,
            tasks,
            stops,
            connected_in: started.elapsed(),
        };
        if let Some(failed) = crowd.tasks.try_join_next() {
            failed??;
        }
        Ok(crowd)
    }

    /// Breaks all connections at once; where each of them was.
    pub async fn reset(mut self) -> anyhow::Result<Vec<Position>> {
        drop(std::mem::take(&mut self.stops));
        let mut positions = vec![Position::default(); self.tasks.len()];
        while let Some(ended) = self.tasks.join_next().await {
            let (number, position) = ended??;
            positions[number - self.first] = position.unwrap_or_default();
        }
        Ok(positions)
    }
}
