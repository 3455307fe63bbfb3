//! Any bytes of a client, through the stdio front and the gateway to scripted servers: nothing panics, every request
//! gets exactly one answer, and nothing but messages is written.
//!
//! Fuzzing calls [`check`] too. Time is paused, so waiting costs nothing.

use crate::oracle::Answers;
use crate::oracle::Bounds;
use crate::oracle::Expected;
use crate::peer::Peers;
use futures_util::future::join_all;
use mcp_manifold::App;
use mcp_manifold::app::Options;
use mcp_manifold::config;
use mcp_manifold::config::environment::Environment;
use mcp_manifold::downstream::connect::Connect;
use mcp_manifold::front::stdio;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::task::Context;
use std::task::Poll;
use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio::runtime::Builder;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

/// Small, so that they are met.
pub const BOUNDS: Bounds = Bounds { bytes: 4096, depth: 24 };

const CONFIG: &str = r#"{
    "gateway": { "drainTimeout": "1s", "limits": { "listItems": 100 } },
    "mcpServers": {
        "a": { "command": "a", "callTimeoutMs": 50, "startTimeoutMs": 1000 },
        "b": { "command": "b", "callTimeoutMs": 50, "startTimeoutMs": 1000, "era": "modern" }
    }
}"#;

thread_local! {
    static BED: Bed = Bed::new(Arc::new(Peers::default()));
}

/// One gateway that all inputs of a thread go through, one client after the other.
pub struct Bed {
    runtime: Runtime,
    app: App,
}

/// Every frame in `stream` is answered as it must be.
pub fn check(stream: &[u8]) {
    let written = BED.with(|bed| bed.run(stream));
    Expected::of(stream, BOUNDS).compare(&Answers::of(&written));
}

impl Bed {
    /// A gateway over servers that `connector` connects to; their lists are known.
    pub fn new(connector: Arc<dyn Connect>) -> Self {
        Self::of(CONFIG, connector)
    }

    /// The same with another configuration.
    pub fn of(config: &str, connector: Arc<dyn Connect>) -> Self {
        let runtime =
            Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
        let environment = Environment::new([("A", "1")], "/");
        let mut config =
            config::parse(config, "mcp.json".as_ref(), &environment).expect("a configuration").config;
        (config.settings.limits.message_bytes, config.settings.limits.depth) = (BOUNDS.bytes, BOUNDS.depth);
        let app = runtime.block_on(async {
            let app = App::from_config(config, Options { cache: None, connector });
            app.gateway().settle().await;
            app
        });
        Self { runtime, app }
    }

    /// What a client is answered that sends `stream` and closes its end.
    pub fn run(&self, stream: &[u8]) -> Vec<u8> {
        self.run_all(&[stream]).pop().expect("there is one client")
    }

    /// The same for clients side by side.
    pub fn run_all(&self, streams: &[&[u8]]) -> Vec<Vec<u8>> {
        let outs: Vec<Out> = streams.iter().map(|_| Out::default()).collect();
        let clients = streams.iter().zip(&outs).map(|(stream, out)| {
            // Any size will do, as long as the same input is cut the same way again.
            let size = 1 + stream.iter().map(|byte| usize::from(*byte)).sum::<usize>() % 200;
            let input = Chunks { rest: stream, size };
            stdio::run(self.app.gateway().clone(), input, out.clone(), CancellationToken::new())
        });
        self.runtime.block_on(join_all(clients));
        outs.into_iter().map(|out| std::mem::take(&mut *out.0.lock().expect("nobody panics"))).collect()
    }
}

/// Bytes that come in pieces.
struct Chunks<'a> {
    rest: &'a [u8],
    size: usize,
}

impl AsyncRead for Chunks<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let size = self.size.min(self.rest.len()).min(buf.remaining());
        let (piece, rest) = self.rest.split_at(size);
        buf.put_slice(piece);
        self.rest = rest;
        Poll::Ready(Ok(()))
    }
}

/// Everything that is written.
#[derive(Clone, Default)]
struct Out(Arc<Mutex<Vec<u8>>>);

impl AsyncWrite for Out {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.lock().expect("nobody panics").extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
