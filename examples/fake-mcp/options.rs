//! What the command line says this server is and how it misbehaves.
//!
//! It does not act on any of it.

use std::path::PathBuf;

/// Which requests are understood.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Eras {
    /// `initialize` first; no `server/discover`.
    Legacy,
    /// `_meta` in every request; no `initialize`.
    Modern,
    /// Both.
    Both,
}

/// The whole command line.
pub struct Options {
    /// Shown in `serverInfo`, resource URIs, the ledger.
    pub name: String,
    /// Which requests are understood.
    pub eras: Eras,
    /// Tools offered; all built-in ones when empty.
    pub tools: Vec<String>,
    /// Items on one page of a list; 0 for one page.
    pub page: usize,
    /// While this file exists `tools/list` fails: with an error, or with the end of the process if the file says `exit`.
    pub list_fault: Option<PathBuf>,
    /// Wait this long for each page of a list, in milliseconds.
    pub slow_pages: u64,
    /// Answers a list never ends.
    pub endless_pages: bool,
    /// Raw answers by method; see `script.rs`.
    pub script: Option<PathBuf>,
    /// The capabilities as JSON text, instead of the usual ones.
    pub capabilities: Option<String>,
    /// One line per spawn and per executed call is appended here.
    pub ledger: Option<PathBuf>,
    /// Lists of its own, read anew each time; see `definitions.rs`.
    pub definitions: Option<PathBuf>,
    /// `instructions` of the handshake.
    pub instructions: Option<String>,
    /// What tools say of themselves (`annotations`), as JSON text.
    pub hints: String,
    /// Resources offered.
    pub resources: usize,
    /// Prompts offered.
    pub prompts: usize,
    /// Address to listen on instead of stdio.
    pub http: Option<String>,
    /// Address to speak HTTP+SSE of 2024-11-05 on instead of stdio.
    pub old_sse: Option<String>,
    /// Address to listen on for WebSockets instead of stdio.
    pub ws: Option<String>,
    /// A fault of the two: `foreign` and `no-endpoint`, `plain` (no subprotocol). One of modern streams: `deaf` (nothing
    /// is honoured).
    pub fault: String,
    /// Where the port is written once bound.
    pub port_file: Option<PathBuf>,
    /// HTTP answers are always event streams.
    pub sse: bool,
    /// Results are written over many lines (HTTP only, where that is allowed).
    pub pretty: bool,
    /// HTTP requests without this `Authorization` value get 401.
    pub bearer: Option<String>,
    /// Exit with this code before reading anything.
    pub exit_at_start: Option<i32>,
    /// Exit when `server/discover` comes.
    pub exit_on_discover: bool,
    /// Has tasks; see `tasks.rs`.
    pub tasks: bool,
    /// Read everything, answer nothing.
    pub silent: bool,
    /// Wait this long before reading, in milliseconds.
    pub slow_start: u64,
    /// Write text and a JSON log line to stdout before anything else.
    pub banner: bool,
    /// Write so many bytes to stderr before anything else.
    pub stderr_flood: usize,
    /// Never read stdin.
    pub no_read_stdin: bool,
    /// Start a child of our own that ignores SIGTERM.
    pub grandchild: bool,
    /// Live on after stdin ended.
    pub ignore_eof: bool,
    /// Ignore SIGTERM.
    pub ignore_term: bool,
    /// Answer cancelled requests all the same.
    pub ignore_cancel: bool,
    /// Add items to the tool list that are no tools, and one twice.
    pub odd_items: bool,
    /// Exit after the answer to a call.
    pub exit_after_call: bool,
    /// Exit in this call, counted from 1; 0 for never.
    pub die_on_call: u64,
    /// Write what is no message to stdout and stderr all the time.
    pub noise: bool,
    /// Note SIGTERM in the ledger and live on.
    pub note_term: bool,
    /// Ask for the folders of the client.
    pub ask_roots: bool,
    /// Stop reading stdin after the first call of `load`.
    pub deaf: bool,
    /// Do not keep what was received.
    pub forgetful: bool,
    /// Do nothing but live; what a grandchild does.
    pub sleep_forever: bool,
}

impl Options {
    /// Reads the arguments.
    ///
    /// # Panics
    /// On an unknown one: a test has a typing error.
    pub fn read(args: impl Iterator<Item = String>) -> Self {
        let mut options = Self::default();
        let mut args = args.peekable();
        while let Some(arg) = args.next() {
            let mut value = || args.next().unwrap_or_else(|| panic!("{arg} needs a value"));
            match arg.as_str() {
                "--name" => options.name = value(),
                "--era" => options.eras = era(&value()),
                "--tool" => options.tools.push(value()),
                "--tools" => options.tools.extend((0..count(&value())).map(|n| format!("tool_{n:04}"))),
                "--pages" => options.page = count(&value()),
                "--script" => options.script = Some(value().into()),
                "--capabilities" => options.capabilities = Some(value()),
                "--ledger" => options.ledger = Some(value().into()),
                "--list-fault" => options.list_fault = Some(value().into()),
                "--hints" => options.hints = value(),
                "--definitions" => options.definitions = Some(value().into()),
                "--instructions" => options.instructions = Some(value()),
                "--resources" => options.resources = count(&value()),
                "--prompts" => options.prompts = count(&value()),
                "--http" => options.http = Some(value()),
                "--old-sse" => options.old_sse = Some(value()),
                "--ws" => options.ws = Some(value()),
                "--fault" => options.fault = value(),
                "--port-file" => options.port_file = Some(value().into()),
                "--bearer" => options.bearer = Some(value()),
                "--exit-at-start" => options.exit_at_start = Some(count(&value()) as i32),
                "--slow-start" => options.slow_start = count(&value()) as u64,
                "--slow-pages" => options.slow_pages = count(&value()) as u64,
                "--die-on-call" => options.die_on_call = count(&value()) as u64,
                "--stderr-flood" => options.stderr_flood = count(&value()),
                flag => *options.flag(flag) = true,
            }
        }
        options
    }

    fn flag(&mut self, name: &str) -> &mut bool {
        match name {
            "--endless-pages" => &mut self.endless_pages,
            "--sse" => &mut self.sse,
            "--pretty" => &mut self.pretty,
            "--exit-on-discover" => &mut self.exit_on_discover,
            "--tasks" => &mut self.tasks,
            "--silent" => &mut self.silent,
            "--banner" => &mut self.banner,
            "--no-read-stdin" => &mut self.no_read_stdin,
            "--grandchild" => &mut self.grandchild,
            "--ignore-eof" => &mut self.ignore_eof,
            "--ignore-term" => &mut self.ignore_term,
            "--ignore-cancel" => &mut self.ignore_cancel,
            "--odd-items" => &mut self.odd_items,
            "--exit-after-call" => &mut self.exit_after_call,
            "--noise" => &mut self.noise,
            "--note-term" => &mut self.note_term,
            "--ask-roots" => &mut self.ask_roots,
            "--deaf" => &mut self.deaf,
            "--forgetful" => &mut self.forgetful,
            "--sleep-forever" => &mut self.sleep_forever,
            other => panic!("unknown argument {other}"),
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            name: "fake".into(),
            eras: Eras::Legacy,
            tools: Vec::new(),
            page: 0,
            slow_pages: 0,
            endless_pages: false,
            ledger: None,
            script: None,
            capabilities: None,
            list_fault: None,
            definitions: None,
            instructions: None,
            hints: r#"{"readOnlyHint":true,"x-odd":null}"#.into(),
            resources: 2,
            prompts: 1,
            http: None,
            old_sse: None,
            ws: None,
            fault: String::new(),
            port_file: None,
            sse: false,
            pretty: false,
            bearer: None,
            exit_at_start: None,
            exit_on_discover: false,
            tasks: false,
            silent: false,
            slow_start: 0,
            banner: false,
            stderr_flood: 0,
            no_read_stdin: false,
            grandchild: false,
            ignore_eof: false,
            ignore_term: false,
            ignore_cancel: false,
            odd_items: false,
            exit_after_call: false,
            die_on_call: 0,
            noise: false,
            note_term: false,
            ask_roots: false,
            deaf: false,
            forgetful: false,
            sleep_forever: false,
        }
    }
}

fn era(text: &str) -> Eras {
    match text {
        "legacy" => Eras::Legacy,
        "modern" => Eras::Modern,
        "both" => Eras::Both,
        other => panic!("unknown era {other}"),
    }
}

fn count(text: &str) -> usize {
    text.parse().unwrap_or_else(|_| panic!("not a number: {text}"))
}
