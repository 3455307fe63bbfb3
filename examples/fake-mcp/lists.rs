//! Tools, prompts, resources, templates, completion: listed and read.
//!
//! It does not run tools.

use crate::definitions;
use crate::message::Message;
use crate::message::quote;
use crate::options::Eras;
use crate::server::Refusal;
use crate::server::Server;
use crate::server::lock;
use crate::tasks;
use std::time::Duration;

/// Answers one of the list and read methods.
pub fn reply(server: &Server, method: &str, message: &Message) -> Result<String, Refusal> {
    let modern = message.version().is_some();
    let cached = if modern { r#""resultType":"complete","ttlMs":1000,"cacheScope":"public","# } else { "" };
    let plain = if modern { r#""resultType":"complete","# } else { "" };
    match method {
        "tools/list" => fault(server).and_then(|()| page(server, message, "tools", cached, tools(server))),
        "prompts/list" => page(server, message, "prompts", cached, prompts(server)),
        "resources/list" => page(server, message, "resources", cached, resources(server)),
        "resources/templates/list" => page(server, message, "resourceTemplates", cached, templates(server)),
        "resources/read" => read(server, message, cached),
        "prompts/get" => prompt(server, message, plain),
        "completion/complete" => Ok(complete(message, plain)),
        _ => Err((-32601, format!("method not found: {method}"), String::new())),
    }
}

/// Fails as the file of `--list-fault` says, while it is there.
fn fault(server: &Server) -> Result<(), Refusal> {
    let said = server.options.list_fault.as_ref().and_then(|file| std::fs::read_to_string(file).ok());
    match said.as_deref().map(str::trim) {
        None => Ok(()),
        Some("exit") => {
            crate::complain("the index is broken");
            crate::leave(9)
        }
        Some(_) => Err((-32603, "the database is down".into(), String::new())),
    }
}

/// The argument that modern HTTP repeats in a header.
const REGION: &str = r#""properties":{"region":{"type":"string","x-mcp-header":"Region"}},"#;

fn tools(server: &Server) -> Vec<String> {
    let owner = quote(&server.options.name);
    let item = |name: &String| {
        format!(
            concat!(
                r#"{{"name":{name},{execution}"description":"the tool {bare} of {bare_owner}","inputSchema":{{"type":"object","#,
                r#"{properties}"x-schema":1e2}},"annotations":{hints},"#,
                r#""x-unknown":{{"big":123456789012345678901234567890,"owner":{owner}}},"_meta":{{"vendor/keep":1e2}}}}"#
            ),
            name = quote(name),
            execution = if server.options.eras == Eras::Legacy { tasks::execution(server, name) } else { "" },
            hints = server.options.hints,
            bare = name,
            bare_owner = server.options.name,
            owner = owner,
            properties = if name == "headers" { REGION } else { "" },
        )
    };
    let mut items: Vec<String> = lock(&server.tools).iter().map(item).collect();
    if server.options.odd_items {
        let odd = ["{}", "7", "null", r#"{"name":5}"#, r#"{"name":""}"#, "[]", r#"{"name":"bare"}"#];
        items.extend(odd.map(str::to_owned));
        items.extend(items.first().cloned());
    }
    items
}

fn prompts(server: &Server) -> Vec<String> {
    let arguments = r#"[{"name":"who","required":true,"x-unknown":1e2}]"#;
    let name = |n: usize| if n == 0 { "greet".to_owned() } else { format!("prompt_{n:04}") };
    let item = |n| {
        format!(
            r#"{{"name":"{}","description":"a prompt","arguments":{arguments},"x-unknown":1e2}}"#,
            name(n)
        )
    };
    (0..server.options.prompts).map(item).collect()
}

fn resources(server: &Server) -> Vec<String> {
    let owner = &server.options.name;
    let item =
        |n| format!(r#"{{"uri":"fake-{owner}://item/{n}","name":"item {n}","size":1e2,"x-unknown":[]}}"#);
    (0..server.options.resources).map(item).collect()
}

fn templates(server: &Server) -> Vec<String> {
    let owner = &server.options.name;
    vec![format!(r#"{{"uriTemplate":"fake-{owner}://by-name/{{name}}","name":"by name","x-unknown":1e2}}"#)]
}

fn page(
    server: &Server,
    message: &Message,
    member: &str,
    cached: &str,
    items: Vec<String>,
) -> Result<String, Refusal> {
    let items = definitions::of(server, member).unwrap_or(items);
    std::thread::sleep(Duration::from_millis(server.options.slow_pages));
    let size = if server.options.page == 0 { items.len().max(1) } else { server.options.page };
    let start = match message.view.get("cursor") {
        None => 0,
        Some(_) if server.options.endless_pages => 0,
        Some(cursor) => cursor
            .as_str()
            .and_then(|text| text.strip_prefix("page-")?.parse::<usize>().ok())
            .ok_or_else(|| (-32602, "invalid cursor".to_owned(), String::new()))?,
    };
    let end = (start + size).min(items.len());
    let more = server.options.endless_pages || end < items.len();
    let next = if more { format!(r#","nextCursor":"page-{end}""#) } else { String::new() };
    let shown = items[start.min(end)..end].join(",");
    Ok(format!(r#"{{{cached}"{member}":[{shown}]{next},"x-unknown":1e2}}"#))
}

fn read(server: &Server, message: &Message, cached: &str) -> Result<String, Refusal> {
    let uri = message.text("/uri");
    let owner = &server.options.name;
    let known = (0..server.options.resources).any(|n| uri == format!("fake-{owner}://item/{n}"));
    if !known && !uri.starts_with(&format!("fake-{owner}://by-name/")) {
        let code = if message.version().is_some() { -32602 } else { -32002 };
        let data = format!(r#","data":{{"uri":{},"x-unknown":1e2}}"#, quote(uri));
        return Err((code, "resource not found".into(), data));
    }
    server.note("read", uri);
    let content = format!(r#"{{"uri":{},"text":"content of {owner}","x-unknown":1e2}}"#, quote(uri));
    Ok(format!(r#"{{{cached}"contents":[{content}] , "x-unknown":123456789012345678901234567890}}"#))
}

fn prompt(server: &Server, message: &Message, plain: &str) -> Result<String, Refusal> {
    let name = message.text("/name");
    if name != "greet" && !name.starts_with("prompt_") {
        return Err((-32602, format!("unknown prompt: {name}"), String::new()));
    }
    server.note("prompt", name);
    let who = quote(&format!("greet {} from {}", message.text("/arguments/who"), server.options.name));
    let body = format!(r#"[{{"role":"user","content":{{"type":"text","text":{who},"x-unknown":1e2}}}}]"#);
    Ok(format!(r#"{{{plain}"description":"a greeting","messages":{body},"x-unknown":1e2}}"#))
}

fn complete(message: &Message, plain: &str) -> String {
    let start = message.text("/argument/value");
    let values = format!("[{},{}]", quote(&format!("{start}-one")), quote(&format!("{start}-two")));
    let asked = message.raw("ref").unwrap_or_else(|| "null".into());
    let rest = message.raw("context").unwrap_or_else(|| "null".into());
    let body = format!(r#"{{"values":{values},"total":2,"hasMore":false,"x-unknown":1e2}}"#);
    format!(r#"{{{plain}"completion":{body},"x-ref":{asked},"x-context":{rest}}}"#)
}
