//! What must be true of any frame of commands.

use centrifuge_protocol::{Encoding, decode_commands, encode_command};

const COMMANDS_MAX: usize = 16;

/// It is refused, or what was read can be written and read again.
pub fn check(encoding: Encoding, frame: &[u8]) {
    let Ok(commands) = decode_commands(encoding, frame, COMMANDS_MAX) else {
        return;
    };
    assert!(commands.len() <= COMMANDS_MAX);
    for command in commands {
        let mut written = Vec::new();
        encode_command(encoding, &command, &mut written);
        let again = decode_commands(encoding, &written, 1);
        assert_eq!(again.as_deref(), Ok(&[command][..]));
    }
}
