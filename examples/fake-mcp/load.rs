//! The tool `load`: answers with its `tag` and our process id, after `ms` milliseconds without a thread per call. Where
//! progress is asked for it says the tag at once, or `flood` notifications of `size` bytes, `a_second` of them a second.
//!
//! It is only offered when the command line names it.

use crate::message::Message;
use crate::message::quote;
use crate::server::Out;
use crate::server::Server;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::mpsc::Sender;
use std::sync::mpsc::channel;
use std::time::Duration;
use std::time::Instant;

/// Answers that are due later.
static LATER: OnceLock<Sender<Late>> = OnceLock::new();

/// An answer that is due later.
struct Late {
    due: Instant,
    text: String,
    out: Arc<dyn Out>,
}

/// Answers now or later.
pub fn call(server: &Server, message: &Message, id: &str, out: &Arc<dyn Out>) {
    let text = quote(&format!("{} {}", message.text("/arguments/tag"), std::process::id()));
    let modern = if message.version().is_some() { r#""resultType":"complete","# } else { "" };
    let text = server.success(id, &format!(r#"{{{modern}"content":[{{"type":"text","text":{text}}}]}}"#));
    if let Some(token) = message.progress_token() {
        let tag = message.text("/arguments/tag");
        let flood = message.number("/arguments/flood", 0);
        if flood > 0 {
            let notice = progress(&token, &"x".repeat(message.number("/arguments/size", 1024) as usize));
            let pause = Duration::from_secs(1) / message.number("/arguments/a_second", 100) as u32;
            let out = Arc::clone(out);
            std::thread::spawn(move || {
                for _ in 0..flood {
                    out.notify(notice.as_bytes());
                    std::thread::sleep(pause);
                }
                out.answer(text.as_bytes());
            });
            return;
        }
        out.notify(progress(&token, tag).as_bytes());
    }
    if server.options.deaf {
        server.stop_reading.store(true, Ordering::SeqCst);
    }
    let ms = message.number("/arguments/ms", 0);
    if ms == 0 {
        return out.answer(text.as_bytes());
    }
    let late = Late { due: now() + Duration::from_millis(ms), text, out: Arc::clone(out) };
    let later = LATER.get_or_init(|| {
        let (sender, receiver) = channel();
        std::thread::spawn(move || answer_all(&receiver));
        sender
    });
    later.send(late).expect("the thread of late answers never ends");
}

fn progress(token: &str, text: &str) -> String {
    let params = format!(r#"{{"progressToken":{token},"progress":1,"message":{}}}"#, quote(text));
    format!(r#"{{"jsonrpc":"2.0","method":"notifications/progress","params":{params}}}"#)
}

fn answer_all(receiver: &Receiver<Late>) {
    let (mut order, mut waiting, mut count) = (BinaryHeap::new(), HashMap::new(), 0u64);
    loop {
        let next = order.peek().map(|Reverse((due, _))| *due);
        let pause =
            next.map_or(Duration::from_secs(3600), |due: Instant| due.saturating_duration_since(now()));
        match receiver.recv_timeout(pause) {
            Ok(late) => {
                count += 1;
                order.push(Reverse((late.due, count)));
                waiting.insert(count, late);
            }
            Err(RecvTimeoutError::Timeout) => {
                let late = order.pop().and_then(|Reverse((_, number))| waiting.remove(&number));
                let Some(late) = late else { continue };
                late.out.answer(late.text.as_bytes());
            }
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "there is no runtime whose time could be paused")]
fn now() -> Instant {
    Instant::now()
}
