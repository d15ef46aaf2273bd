#![no_main]

mod commands;

use centrifuge_protocol::Encoding;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|frame: &[u8]| commands::check(Encoding::Protobuf, frame));
