//! Faults of a stream rather than of an answer: floods, lines without an end, ends in the middle.
//!
//! On HTTP they go out below the response that other tools write to.

use crate::server::Server;
use std::io::Write;
use std::net::TcpStream;
use std::sync::Arc;

/// Tools that are offered over stdio.
pub const TOOLS: [&str; 5] = ["endless_line", "half_die", "flood_stdout", "flood_stderr", "rude"];

/// Tools that are offered over HTTP.
pub const RAW: [&str; 9] = [
    "raw_endless_body",
    "raw_endless_event",
    "raw_endless_comment",
    "raw_endless_error",
    "raw_endless_header",
    "raw_half_body",
    "raw_half_event",
    "raw_hang_up",
    "raw_not_http",
];

/// Lines that are no messages.
const NOISE: [&[u8]; 6] = [
    b"plain text\n",
    b"{\"level\":\"info\",\"msg\":\"a log line\"}\n",
    b"\x1b[2J\x1b[31mred\x1b[0m \x1b]0;title\x07\r\n",
    b"\xEF\xBB\xBFwith a mark\r\n",
    b"[1,2,3]\n",
    b"\xFF\xFE\0\n",
];

fn put(bytes: &[u8]) {
    let mut out = std::io::stdout().lock();
    if out.write_all(bytes).and_then(|()| out.flush()).is_err() {
        // Nobody reads any more.
        crate::leave(5);
    }
}

/// What comes before the answer over stdio. `false` when there will be none.
pub fn before_answer(name: &str, id: &str, mib: u64) -> bool {
    match name {
        "endless_line" => loop {
            put(&[b'x'; 64 << 10]);
        },
        "half_die" => {
            put(format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"content":["#).as_bytes());
            crate::leave(4);
        }
        "flood_stdout" => {
            let line = [&[b'n'; 1022][..], b"\r\n"].concat();
            (0..mib << 10).for_each(|_| put(&line));
        }
        "flood_stderr" => {
            let line = [&[b'e'; 1023][..], b"\n"].concat();
            (0..mib << 10).for_each(|_| drop(std::io::stderr().write_all(&line)));
        }
        _ => NOISE.iter().for_each(|line| put(line)),
    }
    true
}

/// Noise on stdout and stderr for as long as we live, about a megabyte a second on each.
pub fn make_noise() {
    std::thread::spawn(|| {
        loop {
            let lines = NOISE.concat().repeat(20);
            let mut out = std::io::stdout().lock();
            // In two pieces: half a line first.
            let (half, rest) = lines.split_at(lines.len() - 7);
            let _ = out.write_all(half).and_then(|()| out.flush());
            let _ = out.write_all(rest).and_then(|()| out.flush());
            drop(out);
            let _ = std::io::stderr().write_all(&lines);
            std::thread::sleep(std::time::Duration::from_millis(3));
        }
    });
}

/// Does what the name says to the response of one request; `None`, since the connection is over then.
pub fn raw(server: &Arc<Server>, name: &str, mut stream: TcpStream) -> Option<()> {
    server.note("call", name);
    let head = |kind: &str, more: &str| format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\n{more}\r\n");
    let chunked = "transfer-encoding: chunked\r\n";
    let (json, events) = ("application/json", "text/event-stream");
    let (begin, part): (String, &[u8]) = match name {
        "raw_endless_body" => (head(json, chunked), &[b' '; 32 << 10]),
        "raw_endless_event" => {
            (head(events, chunked), b"data: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n")
        }
        "raw_endless_comment" => (head(events, chunked), &[b':'; 32 << 10]),
        "raw_endless_error" => (head(json, chunked).replacen("200 OK", "500 Oops", 1), &[b'e'; 32 << 10]),
        "raw_endless_header" => ("HTTP/1.1 200 OK\r\n".into(), b""),
        "raw_half_body" => (head(json, "content-length: 100\r\n") + r#"{"jsonrpc":"2.0","#, b""),
        "raw_half_event" => (head(events, "") + "data: {\"jsonrpc\":\"2.0\",", b""),
        "raw_not_http" => ("SSH-2.0-OpenSSH_9\r\n".into(), b""),
        _ => (String::new(), b""),
    };
    stream.write_all(begin.as_bytes()).ok()?;
    if name == "raw_endless_header" {
        for count in 0_u64.. {
            stream.write_all(format!("x-{count}: {}\r\n", "h".repeat(1000)).as_bytes()).ok()?;
        }
    }
    while !part.is_empty() {
        let mut bytes = Vec::new();
        chunk_into(&mut bytes, part);
        stream.write_all(&bytes).ok()?;
    }
    None
}

fn chunk_into(out: &mut Vec<u8>, part: &[u8]) {
    out.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
    out.extend_from_slice(part);
    out.extend_from_slice(b"\r\n");
}
