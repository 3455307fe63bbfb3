//! The fastest MCP server we can write, as in `examples/bench-echo`, on a pair of pipes of this process.
//!
//! It checks next to nothing.

use std::borrow::Cow;
use std::io;

use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe::{Receiver, Sender};

/// How many answers are written at once, at most.
const FLUSH: usize = 32;

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    params: Params<'a>,
}

#[derive(Deserialize, Default)]
struct Params<'a> {
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
}

/// Serves until the client leaves.
pub async fn serve(mut input: Receiver, mut output: Sender, tools: usize) -> io::Result<()> {
    let tools = list(tools);
    let (mut buffer, mut filled) = (vec![0; 1 << 18], 0);
    let (mut out, mut waiting) = (Vec::with_capacity(1 << 18), 0);
    loop {
        if buffer.len() - filled < 1 << 16 {
            buffer.resize(buffer.len() * 2, 0);
        }
        let read = input.read(&mut buffer[filled..]).await?;
        if read == 0 {
            return Ok(());
        }
        let (fresh, mut start) = (filled, 0);
        filled += read;
        for end in memchr::memchr_iter(b'\n', &buffer[fresh..filled]) {
            answer(&buffer[start..fresh + end], &tools, &mut out);
            start = fresh + end + 1;
            waiting += 1;
            if waiting == FLUSH {
                output.write_all(&out).await?;
                out.clear();
                waiting = 0;
            }
        }
        output.write_all(&out).await?;
        out.clear();
        waiting = 0;
        buffer.copy_within(start..filled, 0);
        filled -= start;
    }
}

fn answer(line: &[u8], tools: &str, out: &mut Vec<u8>) {
    let Ok(Message { id, method, params }) = serde_json::from_slice::<Message<'_>>(line) else {
        return push(out, "null", &[r#""error":{"code":-32700,"message":"not understood"}"#]);
    };
    let (Some(id), Some(method)) = (id.map(RawValue::get), method) else { return };
    match &*method {
        "tools/call" => {
            let arguments = params.arguments.map_or("{}", RawValue::get);
            match arguments.strip_prefix(r#"{"text":"#).and_then(|rest| rest.strip_suffix('}')) {
                Some(text) => push(out, id, &[r#""result":{"content":[{"type":"text","text":"#, text, "}]}"]),
                None => push(out, id, &[r#""result":{"content":[],"structuredContent":"#, arguments, "}"]),
            }
        }
        "initialize" => push(out, id, &[INITIALIZED]),
        "tools/list" => push(out, id, &[tools]),
        "ping" => push(out, id, &[r#""result":{}"#]),
        _ => push(out, id, &[r#""error":{"code":-32601,"message":"method not found"}"#]),
    }
}

fn push(out: &mut Vec<u8>, id: &str, parts: &[&str]) {
    out.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
    out.extend_from_slice(id.as_bytes());
    out.push(b',');
    for part in parts {
        out.extend_from_slice(part.as_bytes());
    }
    out.extend_from_slice(b"}\n");
}

const INITIALIZED: &str = concat!(
    r#""result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"#,
    r#""serverInfo":{"name":"echo","version":"1"}}"#
);

/// `echo`, and as many more as were asked for.
fn list(tools: usize) -> String {
    let tool = |number: usize| {
        let name = if number == 0 { "echo".to_owned() } else { format!("echo_{number}") };
        format!(
            concat!(
                r#"{{"name":"{}","description":"Says back what it was given (tool {})","#,
                r#""inputSchema":{{"type":"object","properties":{{"text":{{"type":"string","#,
                r#""description":"Any text"}}}}}}}}"#
            ),
            name, number
        )
    };
    let tools: Vec<String> = (0..tools).map(tool).collect();
    format!(r#""result":{{"tools":[{}]}}"#, tools.join(","))
}
