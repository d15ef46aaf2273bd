//! Heads of answers that are not as they should be: those that `curl` takes are taken, the others say
//! what is wrong with them.

use super::dial::{LONG, Names, dialer, send, serve_raw};
use ordercast_server::outbound::dial::SendError;

async fn check(head: &str, expected: Result<u16, &str>) {
    check_bytes(head.as_bytes(), expected).await;
}

async fn check_bytes(head: &[u8], expected: Result<u16, &str>) {
    let (address, _) = serve_raw(head.to_vec(), false).await;
    let answer = send(&dialer(Names::of(&[&["127.0.0.1"]]), LONG), address).await;
    let got = match &answer {
        Ok(answer) => Ok(answer.status),
        Err(SendError::Malformed(why)) => Err(why.as_str()),
        Err(other) => panic!("{other}: {}", String::from_utf8_lossy(head)),
    };
    assert_eq!(got, expected, "{}", String::from_utf8_lossy(head));
}

#[tokio::test]
async fn sloppy_heads_are_taken() {
    for lines in [
        "Content-Length: 0\r\n",
        // Of PHP, with display_errors.
        "PHP Warning:  Undefined variable $x in /srv/hook.php on line 3\r\nContent-Length: 0\r\n",
        "<br />\r\n<b>Warning</b>:  Undefined variable\r\nContent-Length: 0\r\n",
        "Deprecated\r\nContent-Length: 0\r\n",
        "X-Foo : bar\r\nContent-Length: 0\r\n",
        "Content-Length : 0\r\n",
        "X-Folded: one\r\n  two\r\nContent-Length: 0\r\n",
        "X-Folded: one\r\n\ttwo\r\nContent-Length: 0\r\n",
        "X-Del: a\u{7f}b\r\nContent-Length: 0\r\n",
        "X-Utf8: gr\u{fc}n\r\nContent-Length: 0\r\n",
        ": no name\r\nContent-Length: 0\r\n",
        "X-Empty:\r\nContent-Length: 0\r\n",
        "X-Unix: only\nContent-Length: 0\n",
        // Twice the same.
        "Content-Length: 0\r\nContent-Length: 0\r\n",
        "Set-Cookie: a=b\r\nConnection: close\r\n",
    ] {
        check(&format!("HTTP/1.1 200 OK\r\n{lines}\r\n"), Ok(200)).await;
    }
    let many: String = (0..300).map(|n| format!("X-{n}: value\r\n")).collect();
    for head in [
        "HTTP/1.1 200\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 \r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.0 200 OK\r\n\r\n",
        "\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 Alles in Ordnung, gr\u{fc}n\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
        &format!("HTTP/1.1 200 OK\r\n{many}content-length: 0\r\n\r\n"),
        // The body breaks off: the answer has come.
        "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nno chunk",
    ] {
        check(head, Ok(200)).await;
    }
    // Latin-1, which is no UTF-8.
    check_bytes(
        b"HTTP/1.1 200 gr\xfcn\r\nX-A: gr\xfcn\r\ncontent-length: 0\r\n\r\n",
        Ok(200),
    )
    .await;
}

#[tokio::test]
async fn what_is_no_http_says_what_it_is() {
    for (answer, why) in [
        (
            "SSH-2.0-OpenSSH_9.2\r\n",
            "it does not begin with HTTP/1.1 or HTTP/1.0 and a status",
        ),
        (
            "<html>hello</html>\r\n\r\n",
            "it does not begin with HTTP/1.1 or HTTP/1.0 and a status",
        ),
        (
            "HTTP/1.1 OK\r\n\r\n",
            "its status is not a number of three digits",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n",
            "its Content-Length is no number, or there are several",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
            "its Content-Length is no number, or there are several",
        ),
    ] {
        check(answer, Err(why)).await;
    }
    let endless = format!("HTTP/1.1 200 OK\r\nX-A: {}\r\n\r\n", "a".repeat(2_000_000));
    check(&endless, Err("the head of its answer is too large")).await;
}
