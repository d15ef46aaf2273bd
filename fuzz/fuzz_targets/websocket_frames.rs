//! Frames are the same however the network cuts them, and never hold more than their bounds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ordercast_server::realtime::frame::{Bounds, Reader, Received, Violation};

const BOUNDS: Bounds = Bounds {
    bytes: 256,
    fragments: 4,
};

fn read<'a>(parts: impl Iterator<Item = &'a [u8]>) -> (Vec<Received>, Option<Violation>) {
    let (mut reader, mut received) = (Reader::default(), Vec::new());
    for part in parts {
        if let Err(violation) = reader.push(BOUNDS, part, &mut received) {
            return (received, Some(violation));
        }
    }
    (received, None)
}

fuzz_target!(|input: &[u8]| {
    let Some((&cut, bytes)) = input.split_first() else {
        return;
    };
    let whole = read(std::iter::once(bytes));
    let cut = read(bytes.chunks(usize::from(cut).max(1)));
    assert_eq!(whole, cut);
    for received in whole.0 {
        match received {
            Received::Text(payload) => {
                assert!(payload.len() <= BOUNDS.bytes && std::str::from_utf8(&payload).is_ok());
            }
            Received::Binary(payload) => assert!(payload.len() <= BOUNDS.bytes),
            Received::Ping(payload) => assert!(payload.len() <= 125),
            Received::Pong | Received::Close => {}
        }
    }
});
