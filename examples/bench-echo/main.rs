//! The fastest MCP server we can write: what stands behind the gateway in the benchmarks.
//!
//! ```text
//! bench-echo [--tools N] [--flush N]    serves stdin and stdout (2025-11-25)
//! ```
//!
//! It answers `tools/call` with the text it was given, whatever the tool. It is raw on purpose (no rmcp, no code of the
//! gateway), checks next to nothing, and is no example of a server.

use std::borrow::Cow;
use std::io::{Read, Write};

use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::value::RawValue;

/// One message, as far as this server looks at it.
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
    #[serde(borrow, default)]
    arguments: Arguments<'a>,
}

#[derive(Deserialize, Default)]
struct Arguments<'a> {
    #[serde(borrow)]
    text: Option<&'a RawValue>,
}

struct Server {
    /// The answer to `tools/list`, without its envelope.
    tools: String,
    /// How many answers are written at once, at most.
    flush: usize,
    answers: Answers,
}

/// Answers not written yet.
struct Answers {
    out: Vec<u8>,
    waiting: usize,
}

fn main() -> anyhow::Result<()> {
    let (mut tools, mut flush) = (1, 32);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let setting = match word.as_str() {
            "--tools" => &mut tools,
            "--flush" => &mut flush,
            _ => bail!("usage: bench-echo [--tools N] [--flush N]"),
        };
        let number = words.next().and_then(|number| number.parse::<usize>().ok());
        *setting = number.with_context(|| format!("{word} takes a number"))?.max(1);
    }
    let answers = Answers { out: Vec::with_capacity(1 << 18), waiting: 0 };
    Server { tools: list(tools), flush, answers }.serve()
}

impl Server {
    fn serve(mut self) -> anyhow::Result<()> {
        // Reads and writes as large as these go past the buffers of the locked handles.
        let mut input = std::io::stdin().lock();
        let mut output = std::io::stdout().lock();
        let mut buffer = vec![0; 1 << 18];
        let mut filled = 0;
        loop {
            if buffer.len() - filled < 1 << 16 {
                buffer.resize(buffer.len() * 2, 0);
            }
            let read = input.read(&mut buffer[filled..])?;
            if read == 0 {
                return Ok(());
            }
            let fresh = filled;
            filled += read;
            let mut start = 0;
            for end in memchr::memchr_iter(b'\n', &buffer[fresh..filled]) {
                self.answer(&buffer[start..fresh + end]);
                start = fresh + end + 1;
                if self.answers.waiting >= self.flush {
                    self.answers.write(&mut output)?;
                }
            }
            self.answers.write(&mut output)?;
            buffer.copy_within(start..filled, 0);
            filled -= start;
        }
    }

    fn answer(&mut self, line: &[u8]) {
        let answers = &mut self.answers;
        let Ok(Message { id, method, params }) = serde_json::from_slice::<Message<'_>>(line) else {
            return answers.push("null", &[r#""error":{"code":-32700,"message":"not understood"}"#]);
        };
        // A notification, or an answer to a question that was never asked.
        let (Some(id), Some(method)) = (id.map(RawValue::get), method) else { return };
        match &*method {
            "tools/call" => {
                let text = params.arguments.text.map_or(r#""""#, RawValue::get);
                answers.push(id, &[r#""result":{"content":[{"type":"text","text":"#, text, "}]}"]);
            }
            "initialize" => answers.push(id, &[INITIALIZED]),
            "tools/list" => answers.push(id, &[&self.tools]),
            "ping" => answers.push(id, &[r#""result":{}"#]),
            _ => answers.push(id, &[r#""error":{"code":-32601,"message":"method not found"}"#]),
        }
    }
}

impl Answers {
    fn push(&mut self, id: &str, parts: &[&str]) {
        self.out.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
        self.out.extend_from_slice(id.as_bytes());
        self.out.push(b',');
        for part in parts {
            self.out.extend_from_slice(part.as_bytes());
        }
        self.out.extend_from_slice(b"}\n");
        self.waiting += 1;
    }

    fn write(&mut self, output: &mut impl Write) -> std::io::Result<()> {
        if self.waiting > 0 {
            output.write_all(&self.out)?;
            output.flush()?;
            self.out.clear();
            self.waiting = 0;
        }
        Ok(())
    }
}

const INITIALIZED: &str = concat!(
    r#""result":{"protocolVersion":"2025-11-25","capabilities":{"tools":{}},"#,
    r#""serverInfo":{"name":"bench-echo","version":"1"}}"#
);

/// `echo`, and as many more as were asked for.
fn list(tools: usize) -> String {
    let tools: Vec<String> = (0..tools.max(1))
        .map(|number| {
            let name = if number == 0 { "echo".to_owned() } else { format!("echo_{number}") };
            format!(
                concat!(
                    r#"{{"name":"{}","description":"Says back the text it was given (tool {})","#,
                    r#""inputSchema":{{"type":"object","properties":{{"text":{{"type":"string","#,
                    r#""description":"Any text"}}}},"required":["text"]}}}}"#
                ),
                name, number
            )
        })
        .collect();
    format!(r#""result":{{"tools":[{}]}}"#, tools.join(","))
}
