//! What each tool does; the name of a tool is its behaviour, an unknown one echoes.
//!
//! It does not know the transport beyond writing an answer.

use crate::floods;
use crate::load;
use crate::message::Message;
use crate::message::quote;
use crate::script;
use crate::server::Out;
use crate::server::Server;
use crate::server::error;
use crate::server::lock;
use std::sync::Arc;
use std::time::Duration;

const BUILTIN: [&str; 35] = [
    "echo",
    "params",
    "pid",
    "env",
    "sleep",
    "counter",
    "slow_progress",
    "log",
    "fail",
    "error",
    "die",
    "count_and_die",
    "die_once",
    "hang",
    "garbage",
    "bad_utf8",
    "deep",
    "line",
    "both",
    "close_stdout",
    "late_both",
    "neither",
    "wrong_id",
    "twice",
    "late_progress",
    "stop_reading",
    "notify_list_changed",
    "mutate_tools",
    "seen",
    "cancelled",
    "headers",
    "forget_sessions",
    "half_line",
    "members",
    "play",
];

/// The names of all tools there are.
pub fn builtin() -> Vec<String> {
    BUILTIN.iter().chain(&floods::TOOLS).map(|name| (*name).to_owned()).collect()
}

/// Runs a tool on a thread of its own when it takes time.
pub fn call(server: &Arc<Server>, message: Message, id: &str, out: &Arc<dyn Out>) {
    let name = message.text("/name").to_owned();
    if !lock(&server.tools).contains(&name) {
        return out.answer(error(id, -32602, &format!("Unknown tool: {name}"), "").as_bytes());
    }
    server.note("call", &name);
    if server.options.die_on_call > 0
        && server.calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1 == server.options.die_on_call
    {
        crate::complain(&format!("{}: this was one call too many", server.options.name));
        crate::leave(6);
    }
    if name == "load" {
        load::call(server, &message, id, out);
        return leave_if_done(server);
    }
    let run = Run { server: Arc::clone(server), message, id: id.to_owned(), out: Arc::clone(out) };
    if server.options.http.is_none()
        && matches!(name.as_str(), "play" | "sleep" | "slow_progress" | "late_both")
    {
        std::thread::spawn(move || run.tool(&name));
    } else {
        run.tool(&name);
    }
    leave_if_done(server);
}

fn leave_if_done(server: &Server) {
    if server.options.exit_after_call {
        crate::leave(0);
    }
}

/// A short wait.
pub fn tick() {
    std::thread::sleep(Duration::from_millis(5));
}

struct Run {
    server: Arc<Server>,
    message: Message,
    id: String,
    out: Arc<dyn Out>,
}

impl Run {
    fn tool(&self, name: &str) {
        match name {
            "pid" => self.text(&std::process::id().to_string()),
            "env" => self.text(&environment()),
            "counter" => self.text(&self.server.count().to_string()),
            "params" => self.text(&self.message.params),
            "seen" => self.texts(&lock(&self.server.seen)),
            "cancelled" => self.texts(&lock(&self.server.cancelled)),
            "headers" => self.texts(&self.out.headers()),
            "sleep" => self.sleep(),
            "slow_progress" => self.slow_progress(),
            "late_progress" => self.late_progress(),
            "log" => self.log(),
            "fail" => self
                .answer(r#"{"content":[{"type":"text","text":"it failed"}],"isError":true,"x-unknown":1e2}"#),
            "error" => self.error(),
            "play" => script::play(&self.server, &self.message, &self.id, &self.out),
            "notify_list_changed" | "mutate_tools" => self.mutate(name),
            "forget_sessions" => {
                self.text("forgotten");
                lock(&self.server.sessions).clear();
            }
            "stop_reading" => {
                self.server.stop_reading.store(true, std::sync::atomic::Ordering::SeqCst);
                self.text("no more");
            }
            _ if floods::TOOLS.contains(&name) => {
                if floods::before_answer(name, &self.id, self.message.number("/arguments/mib", 1)) {
                    self.text("after all that");
                }
            }
            _ if BUILTIN.contains(&name) && name != "echo" => self.misbehave(name),
            _ => self.echo(),
        }
    }

    /// The faults of an answer.
    fn misbehave(&self, name: &str) {
        let id = &self.id;
        match name {
            // The end leaves a mark, and whoever comes after it lives.
            "die_once" => {
                let mark = self.message.text("/arguments/mark");
                if std::path::Path::new(mark).exists() {
                    return self.text("alive");
                }
                std::fs::write(mark, "it died").expect("the mark can be left");
                crate::leave(7);
            }
            "die" | "count_and_die" => {
                crate::complain(&format!("{}: the disk is full", self.server.options.name));
                crate::leave(7);
            }
            "hang" => self.hang(),
            "close_stdout" => crate::stdio::close(),
            "garbage" => self.out.answer(b"this is not json {{{"),
            "half_line" => {
                self.out.answer(format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{"content":["#).as_bytes());
            }
            "bad_utf8" => {
                let mut text = self.server.success(id, &self.content("before\u{1}after")).into_bytes();
                let at =
                    text.windows(6).position(|six| six == b"\\u0001").expect("the mark is in the answer");
                text.splice(at..at + 6, [0xff, 0xfe]);
                self.out.answer(&text);
            }
            "deep" => {
                let n = self.message.number("/arguments/n", 200) as usize;
                let result =
                    format!(r#"{{"content":[],"structuredContent":{}{}}}"#, "[".repeat(n), "]".repeat(n));
                self.answer(&result);
            }
            "line" => self.text(&"x".repeat((self.message.number("/arguments/mib", 17) << 20) as usize)),
            "both" | "late_both" => {
                std::thread::sleep(Duration::from_millis(self.message.number("/arguments/ms", 0)));
                let rest = r#""result":{"content":[]},"error":{"code":1,"message":"both"}"#;
                self.out.answer(format!(r#"{{"jsonrpc":"2.0","id":{id},{rest}}}"#).as_bytes());
            }
            "members" => {
                let members = self.message.text("/arguments/members");
                self.out.answer(format!(r#"{{"jsonrpc":"2.0","id":{id},{members}}}"#).as_bytes());
            }
            "neither" => self.out.answer(format!(r#"{{"jsonrpc":"2.0","id":{id}}}"#).as_bytes()),
            "wrong_id" => {
                self.out.answer(self.server.success("999999", &self.content("for another")).as_bytes())
            }
            "twice" => {
                self.text("first");
                self.text("second");
            }
            other => unreachable!("{other} has no behaviour"),
        }
    }

    fn hang(&self) {
        while self.server.options.http.is_some() && !self.server.is_cancelled(&self.id, &self.out) {
            tick();
        }
    }

    fn echo(&self) {
        let arguments = self.message.raw("arguments").unwrap_or_else(|| "{}".into());
        self.answer(&format!(
            concat!(
                r#"{{"content": [ {{"type":"text","text":{text}}} ,{{"type":"x-odd","y":1e2,"z":1E+2,"caf\u00e9":"\/"}}],"#,
                r#""structuredContent":{raw}, "x-unknown" :{{"big":123456789012345678901234567890,"exp":1e2,"neg":-0.0}},"#,
                r#""isError":false,"_meta":{{"vendor/keep":1e2}}}}"#
            ),
            text = quote(&arguments),
            raw = arguments,
        ));
    }

    fn sleep(&self) {
        for _ in 0..self.message.number("/arguments/ms", 100).div_ceil(5) {
            if self.server.is_cancelled(&self.id, &self.out) && !self.server.options.ignore_cancel {
                return;
            }
            tick();
        }
        self.text("slept");
    }

    fn slow_progress(&self) {
        let n = self.message.number("/arguments/n", 3);
        let wait = Duration::from_millis(self.message.number("/arguments/ms", 10));
        for step in 1..=n {
            self.progress(step, n);
            std::thread::sleep(wait);
            if self.server.is_cancelled(&self.id, &self.out) {
                return;
            }
        }
        self.text("done");
    }

    fn late_progress(&self) {
        self.progress(1, 2);
        self.text("done");
        self.progress(2, 2);
    }

    fn progress(&self, step: u64, total: u64) {
        let Some(token) = self.message.progress_token() else { return };
        let params = format!(
            r#"{{"progressToken":{token},"progress":{step},"total":{total},"message":"step {step}","x-unknown":1e2}}"#
        );
        self.notify("notifications/progress", &params);
    }

    fn log(&self) {
        let level = self.message.text("/arguments/level");
        let level = if level.is_empty() { "info" } else { level };
        let params = format!(
            r#"{{"level":"{level}","logger":"fake","data":{{"x-unknown":1e2,"text":"a log line"}}}}"#
        );
        let wanted = self.message.view.pointer("/_meta/io.modelcontextprotocol~1logLevel").is_some();
        if wanted || self.message.version().is_none() {
            self.notify("notifications/message", &params);
        }
        self.text("logged");
    }

    fn error(&self) {
        let code = self
            .message
            .view
            .pointer("/arguments/code")
            .and_then(serde_json::Value::as_i64)
            .unwrap_or(-31000);
        let data = r#","data":{"x-unknown":[1e2,123456789012345678901234567890],"why":"asked for"}"#;
        self.out.answer(error(&self.id, code, "the error asked for", data).as_bytes());
    }

    fn mutate(&self, name: &str) {
        if name == "mutate_tools" {
            let mut tools = lock(&self.server.tools);
            let (add, remove) = (self.message.text("/arguments/add"), self.message.text("/arguments/remove"));
            tools.retain(|tool| tool != remove && tool != add);
            if !add.is_empty() {
                tools.push(add.to_owned());
            }
        }
        if name == "notify_list_changed" || self.message.view.pointer("/arguments/quiet").is_none() {
            self.server.announce("notifications/tools/list_changed");
        }
        self.text("changed");
    }

    fn notify(&self, method: &str, params: &str) {
        self.out.notify(format!(r#"{{"jsonrpc":"2.0","method":"{method}","params":{params}}}"#).as_bytes());
    }

    fn text(&self, text: &str) {
        self.answer(&self.content(text));
    }

    fn texts(&self, texts: &[String]) {
        let list = serde_json::to_string(texts).expect("texts are JSON");
        self.text(&list);
    }

    fn content(&self, text: &str) -> String {
        format!(r#"{{"content":[{{"type":"text","text":{}}}]}}"#, quote(text))
    }

    /// Answers with a result, which gets its `resultType` when the request was modern.
    fn answer(&self, result: &str) {
        let modern = self.message.version().is_some();
        let result = match result.strip_prefix('{') {
            Some(rest) if modern => format!(r#"{{"resultType":"complete",{rest}"#),
            _ => result.to_owned(),
        };
        let result = if self.server.options.pretty {
            result.replacen(r#""content":"#, "\"content\":\n\t", 1)
        } else {
            result
        };
        self.out.answer(self.server.success(&self.id, &result).as_bytes());
    }
}

#[expect(clippy::disallowed_methods, reason = "showing the environment is what this tool does")]
fn environment() -> String {
    let lines: Vec<String> = std::env::vars().map(|(name, value)| format!("{name}={value}")).collect();
    lines.join("\n")
}
