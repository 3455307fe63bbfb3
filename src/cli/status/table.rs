//! The status of a gateway as lines for the eye.
//!
//! The document may come from another release: what is missing in it is a dash or left out. Pure: it prints nothing.

use crate::telemetry::clean::clean;
use serde_json::Map;
use serde_json::Value;

/// Lines of stderr that are shown of a server that is not ready.
const STDERR: usize = 3;
/// Sessions that are shown.
const SESSIONS: usize = 20;
/// Longest text of others in one line, in bytes.
const TEXT: usize = 500;

/// All lines.
#[must_use]
pub fn lines(status: &Value) -> Vec<String> {
    let mut out = head(status);
    out.extend(config(status.get("config")));
    out.push(String::new());
    out.extend(servers(status));
    out.extend(sessions(status));
    out
}

fn head(status: &Value) -> Vec<String> {
    let pid = number(status, "pid").map_or_else(String::new, |pid| format!(", pid {pid}"));
    let up = number(status, "uptimeSecs").map_or_else(String::new, |secs| format!(", up {}", time(secs)));
    let state = text(status, "state").unwrap_or("-".to_owned());
    let version = text(status, "version").unwrap_or_default();
    let counts =
        [("tools", "tool"), ("prompts", "prompt"), ("resources", "resource"), ("sessions", "session")];
    let counts: Vec<String> = counts.iter().map(|(key, word)| count(status, key, word)).collect();
    let work = [
        ("requests", "open requests"),
        ("inFlight", "calls in flight"),
        ("parked", "parked"),
        ("listening", "listening"),
    ];
    let work = work.map(|(key, word)| format!("{} {word}", number(status, key).unwrap_or_default()));
    vec![
        format!("mcp-manifold {version}: {state}{pid}{up}"),
        counts.join(", "),
        format!("{}; {}", work.join(", "), count(status, "liveSnapshots", "live snapshot")),
    ]
}

fn config(config: Option<&Value>) -> Vec<String> {
    let Some(config) = config else { return Vec::new() };
    let file = text(config, "file").map_or_else(String::new, |file| format!(" from {file}"));
    let generation = number(config, "generation").unwrap_or_default();
    let ago = time(number(config, "agoSecs").unwrap_or_default());
    let outcome = text(config, "outcome").unwrap_or_default();
    if outcome == "used" {
        return vec![format!("configuration {generation}{file}, in use since {ago}")];
    }
    let mut out =
        vec![format!("configuration {generation}{file}: {outcome} {ago} ago, the last good one is in use")];
    let problems = config.get("problems").and_then(Value::as_array).into_iter().flatten();
    let problems = problems.filter_map(Value::as_str).flat_map(str::lines);
    out.extend(problems.map(|line| format!("  {}", clean(line, TEXT))));
    out
}

const SERVER_HEAD: [&str; 9] =
    ["SERVER", "STATE", "SINCE", "PID", "RESTARTS", "CALLS", "TOOLS", "READ", "ERA"];

fn servers(status: &Value) -> Vec<String> {
    let mut table = Table::new(SERVER_HEAD, "ll>>>>>>l");
    for (name, server) in map(status, "servers") {
        table.server(name, server);
    }
    for server in list(status, "leaving") {
        table.server(&format!("({})", text(server, "name").unwrap_or_default()), server);
    }
    table.left_out(status);
    for view in list(status, "views") {
        let sessions = count(view, "sessions", "session");
        table.note(&format!("view {}: {sessions}", text(view, "view").unwrap_or_default()));
        for (name, server) in map(view, "servers") {
            table.server(name, server);
        }
        table.left_out(view);
    }
    let mut out = table.lines();
    let collisions = list(status, "collisions").filter_map(Value::as_str);
    out.extend(collisions.map(|text| format!("name taken twice: {}", clean(text, TEXT))));
    let changed = list(status, "notAsLocked").filter_map(Value::as_str);
    out.extend(changed.map(|text| format!("not as locked: {}", clean(text, TEXT))));
    out
}

const SESSION_HEAD: [&str; 8] = ["SESSION", "OVER", "ERA", "AGE", "IDLE", "REQUESTS", "OPEN", "CLIENT"];

fn sessions(status: &Value) -> Vec<String> {
    let all: Vec<&Value> = list(status, "sessionList").collect();
    if all.is_empty() {
        return Vec::new();
    }
    let mut table = Table::new(SESSION_HEAD, "lll>>>>l");
    for session in all.iter().take(SESSIONS) {
        let word = |key: &str| text(session, key).unwrap_or("-".to_owned());
        let age = |key: &str| number(session, key).map_or("-".to_owned(), time);
        let [requests, open] =
            ["requests", "inFlight"].map(|key| number(session, key).unwrap_or_default().to_string());
        let (age, idle) = (age("ageSecs"), age("idleSecs"));
        table.row([word("id"), word("transport"), word("era"), age, idle, requests, open, word("client")]);
    }
    let mut out = vec![String::new()];
    out.extend(table.lines());
    let shown = u64::try_from(all.len().min(SESSIONS)).unwrap_or_default();
    let more = number(status, "sessions").unwrap_or_default().saturating_sub(shown);
    if more > 0 {
        out.push(format!("and {more} more"));
    }
    out
}

/// Rows in columns, with notes between them.
struct Table {
    align: &'static str,
    rows: Vec<Line>,
}

enum Line {
    Row(Vec<String>),
    Note(String),
}

impl Table {
    fn new<const N: usize>(head: [&str; N], align: &'static str) -> Self {
        Self { align, rows: vec![Line::Row(head.map(str::to_owned).to_vec())] }
    }

    fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(Line::Row(cells.into_iter().map(|cell| clean(&cell, 128)).collect()));
    }

    fn note(&mut self, text: &str) {
        self.rows.push(Line::Note(format!("  {}", clean(text, TEXT))));
    }

    fn left_out(&mut self, status: &Value) {
        for (name, reason) in map(status, "leftOut") {
            self.row([name, "left out"].map(str::to_owned).into_iter().chain((0..7).map(|_| "-".to_owned())));
            self.note(reason.as_str().unwrap_or_default());
        }
    }

    fn server(&mut self, name: &str, server: &Value) {
        let count = |key: &str| number(server, key).map_or("-".to_owned(), |n| n.to_string());
        let age = |key: &str| number(server, key).map_or("-".to_owned(), time);
        let word = |key: &str| text(server, key).unwrap_or("-".to_owned());
        let state = match server.get("needsLogin") == Some(&Value::Bool(true)) {
            true => "needs login".to_owned(),
            false => word("state"),
        };
        self.row([
            name.to_owned(),
            state,
            age("sinceSecs"),
            count("pid"),
            count("restarts"),
            count("inFlight"),
            count("tools"),
            age("catalogSecs"),
            word("era"),
        ]);
        if let Some(reason) = text(server, "reason") {
            self.note(&reason);
        }
        if let Some(secs) = number(server, "retrySecs") {
            self.note(&format!("a call starts it again in {}", time(secs)));
        }
        if let Some(breaker) = server.get("breaker") {
            self.breaker(breaker);
        }
        self.troubles(server);
        for one in list(server, "private") {
            let (of, pid) = (text(one, "of").unwrap_or_default(), number(one, "pid").unwrap_or_default());
            let (state, calls) =
                (text(one, "state").unwrap_or_default(), number(one, "inFlight").unwrap_or_default());
            self.note(&format!("of one {of}: {state}, pid {pid}, calls {calls}"));
        }
    }

    fn breaker(&mut self, breaker: &Value) {
        let secs = |key: &str| time(number(breaker, key).unwrap_or_default());
        let failures = number(breaker, "failures").unwrap_or_default();
        let reason = text(breaker, "reason").unwrap_or_default();
        let (since, retry) = (secs("sinceSecs"), secs("retrySecs"));
        self.note(&format!("calls are refused since {since}, after {failures} that failed: it {reason}"));
        self.note(&format!("one is tried in {retry}"));
    }

    /// What it left when it ended by itself or failed.
    fn troubles(&mut self, server: &Value) {
        if let Some(end) = server.get("lastEnd") {
            let ago = time(number(end, "agoSecs").unwrap_or_default());
            self.note(&format!("{ago} ago it {}", text(end, "how").unwrap_or_default()));
        }
        let lines: Vec<&str> = list(server, "stderr").filter_map(Value::as_str).collect();
        let ready = text(server, "state").is_some_and(|state| state == "ready");
        if !ready {
            let last = &lines[lines.len().saturating_sub(STDERR)..];
            last.iter().for_each(|line| self.note(&format!("stderr: {line}")));
        }
    }

    fn lines(&self) -> Vec<String> {
        let cells = self.rows.iter().filter_map(|line| match line {
            Line::Row(cells) => Some(cells),
            Line::Note(_) => None,
        });
        let mut widths = vec![0; self.align.len()];
        for row in cells {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        let lines = self.rows.iter().map(|line| match line {
            Line::Note(text) => text.clone(),
            Line::Row(cells) => {
                let cells = cells.iter().zip(&widths).zip(self.align.chars());
                let cells = cells.map(|((cell, width), align)| match align {
                    '>' => format!("{cell:>width$}"),
                    _ => format!("{cell:width$}"),
                });
                cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
            }
        });
        lines.collect()
    }
}

fn number(value: &Value, key: &str) -> Option<u64> {
    value.get(key)?.as_u64()
}

fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key)?.as_str().map(|text| clean(text, TEXT))
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn map<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    value.get(key).and_then(Value::as_object).into_iter().flat_map(Map::iter)
}

fn count(value: &Value, key: &str, word: &str) -> String {
    match number(value, key).unwrap_or_default() {
        1 => format!("1 {word}"),
        count => format!("{count} {word}s"),
    }
}

/// Two units at most.
fn time(secs: u64) -> String {
    let two = |whole: u64, unit: &str, rest: u64, smaller: &str| match rest {
        0 => format!("{whole} {unit}"),
        rest => format!("{whole} {unit} {rest} {smaller}"),
    };
    match secs {
        0..60 => format!("{secs} s"),
        60..3600 => format!("{} min", secs / 60),
        3600..86_400 => two(secs / 3600, "h", secs / 60 % 60, "min"),
        _ => two(secs / 86_400, "d", secs / 3600 % 24, "h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_two_units_at_most() {
        let shown = [0, 59, 60, 3599, 3600, 3661, 86_400, 90_061].map(time);
        assert_eq!(shown, ["0 s", "59 s", "1 min", "59 min", "1 h", "1 h 1 min", "1 d", "1 d 1 h"]);
    }

    #[test]
    fn what_another_release_says_is_shown_as_far_as_it_goes() {
        let lines = lines(&serde_json::json!({"version": "9.9.9", "servers": {"a": {"state": 7}}}));
        assert_eq!(lines[0], "mcp-manifold 9.9.9: -");
        assert_eq!(lines.last().unwrap(), "a       -          -    -         -      -      -     -  -");
    }

    #[test]
    fn servers_of_other_views_stand_below_their_own_line() {
        let view = serde_json::json!({
            "view": "2 (/b)", "sessions": 1, "servers": {"own": {"state": "idle"}}, "leftOut": {"x": "no `X`"}
        });
        let lines = lines(&serde_json::json!({"servers": {"all": {"state": "ready"}}, "views": [view]}));
        let begins: Vec<&str> = lines.iter().skip(5).map(|line| line.trim_end()).collect();
        assert!(begins[0].starts_with("all") && begins[2].starts_with("own") && begins[3].starts_with("x "));
        assert_eq!((begins[1], begins[4]), ("  view 2 (/b): 1 session", "  no `X`"));
    }
}
