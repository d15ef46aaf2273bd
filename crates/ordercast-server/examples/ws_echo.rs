//! An echo server on the frames of the realtime connections, for WebSocket conformance suites, which
//! know no other protocol. Prints its address and serves until it is killed.

use centrifuge_protocol::Encoding;
use ordercast_server::realtime::frame::{Bounds, Reader, Received, close_frame, message, pong};
use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
};
use tungstenite::handshake::derive_accept_key;

/// The suites send far more than a client of ours may.
const BOUNDS: Bounds = Bounds {
    bytes: 64 * 1024 * 1024,
    fragments: 1_000_000,
};

fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    for stream in listener.incoming() {
        let stream = stream?;
        std::thread::spawn(move || {
            if let Err(error) = echo(stream) {
                eprintln!("{error}");
            }
        });
    }
    Ok(())
}

fn echo(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut input = upgrade(&mut stream)?;
    let (mut reader, mut buffer) = (Reader::default(), vec![0; 64 * 1024]);
    loop {
        let count = input.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        let mut received = Vec::new();
        let pushed = reader.push(BOUNDS, &buffer[..count], &mut received);
        for received in received {
            match received {
                Received::Text(payload) => stream.write_all(&message(Encoding::Json, &payload))?,
                Received::Binary(payload) => {
                    stream.write_all(&message(Encoding::Protobuf, &payload))?
                }
                Received::Ping(payload) => stream.write_all(&pong(&payload))?,
                Received::Pong => {}
                Received::Close => return end(&mut stream, 1000, ""),
            }
        }
        if let Err(violation) = pushed {
            return end(&mut stream, violation.code, violation.reason);
        }
    }
}

fn upgrade(stream: &mut TcpStream) -> io::Result<BufReader<TcpStream>> {
    let mut input = BufReader::new(stream.try_clone()?);
    let mut key = String::new();
    loop {
        let mut line = String::new();
        input.read_line(&mut line)?;
        let Some((name, value)) = line.split_once(':') else {
            if line.trim().is_empty() {
                break;
            }
            continue;
        };
        if name.eq_ignore_ascii_case("sec-websocket-key") {
            value.trim().clone_into(&mut key);
        }
    }
    let accept = derive_accept_key(key.as_bytes());
    write!(
        stream,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )?;
    Ok(input)
}

fn end(stream: &mut TcpStream, code: u16, reason: &str) -> io::Result<()> {
    stream.write_all(&close_frame(code, reason))?;
    stream.shutdown(Shutdown::Write)
}
