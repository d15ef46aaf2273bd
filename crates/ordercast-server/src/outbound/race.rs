//! Addresses of one name, dialled one beside the other: an address that swallows connections costs a
//! quarter of a second, not the whole time that a request has (RFC 8305, "Happy Eyeballs").

use futures_util::stream::{FuturesUnordered, StreamExt};
use std::{collections::VecDeque, net::IpAddr, time::Duration};
use tokio::time::sleep;

/// Before the next address is tried beside those that have not answered yet (RFC 8305, section 8).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);
/// Of one name: whoever publishes more gets its first ones dialled.
const ADDRESSES_MAX: usize = 16;

/// Families take turns, beginning with the one that the resolver prefers (RFC 8305, section 4).
pub fn by_turns(found: impl IntoIterator<Item = IpAddr>) -> Vec<IpAddr> {
    let mut found = found.into_iter().peekable();
    let Some(first) = found.peek().copied() else {
        return Vec::new();
    };
    let (mut preferred, mut others): (VecDeque<_>, VecDeque<_>) =
        found.partition(|ip| ip.is_ipv4() == first.is_ipv4());
    let mut turns = Vec::new();
    while turns.len() < ADDRESSES_MAX && !(preferred.is_empty() && others.is_empty()) {
        turns.extend(preferred.pop_front());
        turns.extend(others.pop_front());
    }
    turns.truncate(ADDRESSES_MAX);
    turns
}

/// The first that connects; the others are given up. `none` when there is nothing to try, else the
/// last error.
pub async fn first<T, E, F: Future<Output = Result<T, E>>>(
    addresses: Vec<IpAddr>,
    none: E,
    connect: impl Fn(IpAddr) -> F,
) -> Result<T, E> {
    let mut waiting = addresses.into_iter();
    let mut dialling = FuturesUnordered::new();
    let mut error = none;
    loop {
        match waiting.next() {
            Some(address) => dialling.push(connect(address)),
            None if dialling.is_empty() => return Err(error),
            None => {}
        }
        let has_next = waiting.len() > 0;
        tokio::select! {
            Some(ended) = dialling.next() => match ended {
                Ok(connected) => return Ok(connected),
                Err(failed) => error = failed,
            },
            () = sleep(ATTEMPT_DELAY), if has_next => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns_beginning_with_the_preferred_one() {
        let check = |found: &[&str], expected: &[&str]| {
            let found = found.iter().map(|ip| ip.parse().expect("ip"));
            let turns = by_turns(found);
            let turns: Vec<_> = turns.iter().map(ToString::to_string).collect();
            assert_eq!(turns, expected);
        };
        check(&[], &[]);
        check(&["::1", "::2", "1.1.1.1"], &["::1", "1.1.1.1", "::2"]);
        check(
            &["1.1.1.1", "1.1.1.2", "::1"],
            &["1.1.1.1", "::1", "1.1.1.2"],
        );
        let many: Vec<_> = (0..40).map(|last| format!("1.1.1.{last}")).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        check(&many, &many[..ADDRESSES_MAX]);
    }
}
