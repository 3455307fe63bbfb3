//! Tasks of both eras, with `--tasks`: the tool `job` becomes one where the client allows it, `must` always, and `finish`
//! ends one.
//!
//! Its ids are `task-1`, `task-2`, …: the same as those of every other server of this kind. Nothing happens by itself.

use crate::message::Message;
use crate::server::Out;
use crate::server::Server;
use crate::server::error;
use crate::server::lock;
use serde_json::Value;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

/// The tools it adds.
pub const TOOLS: [&str; 3] = ["job", "must", "finish"];
/// What a legacy server offers.
pub const LEGACY: &str = r#""tasks":{"cancel":{},"requests":{"tools":{"call":{}}}}"#;
/// What a modern server offers.
pub const MODERN: &str = r#""extensions":{"io.modelcontextprotocol/tasks":{}}"#;
/// How often a request for a result looks whether the task is over.
const LOOKS: usize = 6000;

/// The tasks, by number.
#[derive(Default)]
pub struct Tasks(Mutex<Vec<Task>>);

#[derive(Clone)]
struct Task {
    status: &'static str,
    /// What the client said when it was asked, raw.
    said: String,
}

/// `execution` of a tool in the list of a legacy server.
pub fn execution(server: &Server, tool: &str) -> &'static str {
    match tool {
        "job" if server.options.tasks => r#""execution":{"taskSupport":"optional"},"#,
        "must" if server.options.tasks => r#""execution":{"taskSupport":"required"},"#,
        _ => "",
    }
}

/// Acts on a message about tasks. `false` when it is not one.
pub fn take(server: &Arc<Server>, message: &Message, id: &str, out: &Arc<dyn Out>) -> bool {
    if !server.options.tasks {
        return false;
    }
    let modern = message.version().is_some();
    match message.method.as_str() {
        "tools/call" => return call(server, message, id, out),
        method if method.starts_with("tasks/") && modern && !declares(message) => {
            out.answer(missing(id).as_bytes());
        }
        "tasks/result" if !modern => {
            let (server, message) = (Arc::clone(server), message.clone());
            let (id, out) = (id.to_owned(), Arc::clone(out));
            let web = server.options.http.is_some();
            let wait = move || result(&server, &message, &id, &out);
            if web { wait() } else { drop(std::thread::spawn(wait)) }
        }
        "tasks/get" | "tasks/cancel" => out.answer(about(server, message, id).as_bytes()),
        "tasks/update" if modern => out.answer(about(server, message, id).as_bytes()),
        _ => return false,
    }
    true
}

fn call(server: &Arc<Server>, message: &Message, id: &str, out: &Arc<dyn Out>) -> bool {
    let name = message.text("/name");
    let modern = message.version().is_some();
    let wanted = if modern { declares(message) } else { message.raw("task").is_some() };
    match name {
        "job" if !wanted => return false,
        "must" if !wanted && modern => out.answer(missing(id).as_bytes()),
        "must" if !wanted => out.answer(error(id, -32601, "`must` runs as a task only", "").as_bytes()),
        "job" | "must" => {
            let asks = message.view.pointer("/arguments/ask").is_some();
            let status = if asks { "input_required" } else { "working" };
            let mut tasks = lock(&server.tasks.0);
            tasks.push(Task { status, said: "null".into() });
            let own = format!("task-{}", tasks.len());
            let task = fields(modern, &own, status);
            drop(tasks);
            server.note("task", &own);
            let result = match modern {
                true => format!(r#"{{"resultType":"task",{task},"x-unknown":1e2}}"#),
                false => format!(r#"{{"x-unknown":1e2,"task":{{{task}}},"_meta":{{"vendor/keep":1e2}}}}"#),
            };
            out.answer(server.success(id, &result).as_bytes());
        }
        "finish" => {
            finish(server, message.text("/arguments/task"), modern);
            return false;
        }
        _ => return false,
    }
    true
}

fn finish(server: &Server, own: &str, modern: bool) {
    if !set(server, own, "completed") {
        return;
    }
    let task = fields(modern, own, "completed");
    match modern {
        true => server.announce_with("notifications/tasks", &format!("{task},{}", outcome(own, true))),
        false => server.announce_with("notifications/tasks/status", &task),
    }
}

/// The members of a task object.
fn fields(modern: bool, own: &str, status: &str) -> String {
    let times = r#""createdAt":"2026-07-28T10:00:00Z","lastUpdatedAt":"2026-07-28T10:00:00Z""#;
    let life =
        if modern { r#""ttlMs":60000,"pollIntervalMs":10"# } else { r#""ttl":60000,"pollInterval":10"# };
    format!(r#""taskId":"{own}","status":"{status}",{times},{life}"#)
}

fn outcome(own: &str, modern: bool) -> String {
    let kind = if modern { r#""resultType":"complete","# } else { "" };
    format!(r#""result":{{{kind}"content":[{{"type":"text","text":"{own} is done","x-unknown":1e2}}]}}"#)
}

fn about(server: &Server, message: &Message, id: &str) -> String {
    let (own, modern) = (message.text("/taskId"), message.version().is_some());
    server.note(&message.method, own);
    match message.method.as_str() {
        "tasks/cancel" => set(server, own, "cancelled"),
        "tasks/update" => set(server, own, "working"),
        _ => true,
    };
    let Some(task) = find(server, own, message.raw("inputResponses")) else {
        return error(id, -32602, &format!("no task {own}"), "");
    };
    let result = match message.method.as_str() {
        "tasks/get" if modern => {
            let asked = r#""inputRequests":{"q":{"method":"elicitation/create","params":{"mode":"form","message":"?","requestedSchema":{"type":"object","properties":{}}}}}"#;
            let rest = match task.status {
                "completed" => format!(",{}", outcome(own, true)),
                "input_required" => format!(",{asked}"),
                _ => String::new(),
            };
            let said = &task.said;
            let task = fields(true, own, task.status);
            format!(r#"{{"resultType":"complete",{task}{rest},"x-said":{said}}}"#)
        }
        _ if modern => r#"{"resultType":"complete"}"#.to_owned(),
        _ => format!(r#"{{{},"x-unknown":1e2}}"#, fields(false, own, task.status)),
    };
    server.success(id, &result)
}

fn result(server: &Server, message: &Message, id: &str, out: &Arc<dyn Out>) {
    let own = message.text("/taskId").to_owned();
    server.note("tasks/result", &own);
    for _ in 0..LOOKS {
        match find(server, &own, None).map(|task| task.status) {
            None => return out.answer(error(id, -32602, &format!("no task {own}"), "").as_bytes()),
            Some("completed") => {
                let meta =
                    format!(r#""_meta":{{"io.modelcontextprotocol/related-task":{{"taskId":"{own}"}}}}"#);
                let content = format!(r#""content":[{{"type":"text","text":"{own} is done"}}]"#);
                return out.answer(
                    server.success(id, &format!("{{{content},{meta},\"x-unknown\":1e2}}")).as_bytes(),
                );
            }
            Some(_) if server.is_cancelled(id, out) => return,
            Some(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

fn number(own: &str) -> Option<usize> {
    own.strip_prefix("task-")?.parse::<usize>().ok()?.checked_sub(1)
}

fn find(server: &Server, own: &str, said: Option<String>) -> Option<Task> {
    let mut tasks = lock(&server.tasks.0);
    let task = tasks.get_mut(number(own)?)?;
    task.said = said.unwrap_or_else(|| task.said.clone());
    Some(task.clone())
}

fn set(server: &Server, own: &str, status: &'static str) -> bool {
    let mut tasks = lock(&server.tasks.0);
    let task = number(own).and_then(|at| tasks.get_mut(at));
    task.map(|task| task.status = status).is_some()
}

fn declares(message: &Message) -> bool {
    let path = "/_meta/io.modelcontextprotocol~1clientCapabilities/extensions/io.modelcontextprotocol~1tasks";
    message.view.pointer(path).is_some_and(Value::is_object)
}

fn missing(id: &str) -> String {
    let data = r#","data":{"requiredCapabilities":{"extensions":{"io.modelcontextprotocol/tasks":{}}}}"#;
    error(id, -32021, "this needs tasks", data)
}
