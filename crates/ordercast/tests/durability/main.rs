//! What was acknowledged is there after the process was killed, the disk was full, or the disk failed.

mod backend;
mod disk;
mod rows;
mod server;
mod shop;
mod webhooks;

use disk::Disk;
use server::{Ended, Server};
use shop::Shop;
use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::{Duration, SystemTime},
};

const KILLS: u64 = 50;
/// From the first requests to a loaded server.
const LIFE_MILLIS_MAX: u64 = 150;

/// `ORDERCAST_SEED` repeats a run's moments, as far as the machine does.
fn seed() -> u64 {
    let given = std::env::var("ORDERCAST_SEED").ok();
    let given = given.and_then(|seed| seed.parse().ok());
    given.unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        now.expect("after 1970").as_secs() % 1_000_000
    })
}

fn random(seed: u64, round: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    (seed, round).hash(&mut hasher);
    hasher.finish()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_when_the_process_is_killed_again_and_again() {
    let seed = seed();
    let folder = tempfile::tempdir().expect("folder");
    let mut server = Server::start(folder.path());
    let mut shop = Shop::open(&server).await;
    for round in 0..KILLS {
        let life = Duration::from_millis(random(seed, round) % LIFE_MILLIS_MAX);
        shop.publish_until_killed(server, life).await;
        server = Server::start(folder.path());
        let context = format!("ORDERCAST_SEED={seed}, round {round}");
        shop.resume(&server, &context).await;
    }
    shop.check(&format!("ORDERCAST_SEED={seed}, at the end"))
        .await;
    server.kill();
    rows::check(folder.path());
    println!("{} changes were acknowledged", shop.acknowledged());
    assert!(shop.acknowledged() > 500, "the server hardly ran");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_and_goes_on_when_there_is_room_again() {
    let Some(disk) = Disk::mount(64, 24) else {
        return;
    };
    let data = disk.path().join("data");
    let server = Server::start(&data);
    let mut shop = Shop::open(&server).await;
    shop.publish(20).await;
    let ballast = disk.fill();
    let refused = shop.publish_until_refused().await;
    assert_eq!(refused, (503, "unavailable".to_owned()));
    shop.check("on the full disk").await;
    std::fs::remove_file(ballast).expect("removed");
    // The same process: it was refused, and now it is not.
    shop.resume(&server, "with room again").await;
    shop.publish(20).await;
    server.kill();

    let server = Server::start(&data);
    shop.resume(&server, "after a restart").await;
    server.kill();
    rows::check(&data);
}

/// The image is larger than the memory behind it: at some write-back the device has no room, and
/// fsync fails.
#[tokio::test(flavor = "multi_thread")]
async fn a_failing_fsync_ends_the_process_and_loses_nothing_acknowledged() {
    let Some(mut disk) = Disk::mount(6, 64) else {
        return;
    };
    let data = disk.path().join("data");
    let server = Server::start(&data);
    let mut shop = Shop::open(&server).await;
    let refused = shop.publish_until_refused().await;
    assert_eq!(refused, (503, "unavailable".to_owned()));
    let Ended { code, log } = server.wait();
    assert_eq!(code, Some(1), "{log}");
    assert!(log.contains("the database failed"), "{log}");

    disk.heal(64);
    let server = Server::start(&data);
    shop.resume(&server, "on the healed disk").await;
    shop.publish(20).await;
    server.kill();
    rows::check(&data);
}
