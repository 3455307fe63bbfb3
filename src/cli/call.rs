//! `call`: one tool call through the gateway.

pub mod typed;

use crate::auth::local;
use crate::cli::arguments::Call;
use crate::cli::arguments::Global;
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::cli::progress;
use crate::cli::startup;
use crate::front::program::Program;
use crate::front::program::RequestError;
use crate::gateway::Gateway;
use crate::protocol::code;
use crate::telemetry::clean::clean;
use crate::telemetry::clean::clean_block;
use serde_json::Value;
use serde_json::value::RawValue;

/// Calls the tool and prints what it returns.
pub async fn run(global: &Global, call: &Call) -> Exit {
    if let Err(exit) = startup::start_log(global, Some("error")) {
        return exit;
    }
    let app = match startup::app(global).await {
        Ok(app) => app,
        Err(exit) => return exit,
    };
    let exit = call_and_print(app.gateway(), call).await;
    app.close().await;
    exit
}

async fn call_and_print(gateway: &Gateway, call: &Call) -> Exit {
    let known = |name: &str| {
        let snapshot = gateway.snapshot();
        let found = snapshot.catalog.tools().find(|tool| tool.name.as_str() == name);
        found.map(|tool| tool.raw.get().to_owned())
    };
    if known(&call.name).is_none() {
        progress::watch(gateway, gateway.settle()).await;
    }
    let arguments = match typed::arguments(&call.arguments, known(&call.name).as_deref()) {
        Ok(arguments) => arguments,
        Err(why) => return output::fail(Exit::Usage, &why),
    };
    let program = Program::new(gateway.clone(), local::usual(&gateway.config().settings.callers));
    match progress::watch(gateway, program.call_tool(&call.name, &arguments)).await {
        Ok(result) => print(&result, call.json),
        Err(error) => refused(&error),
    }
}

fn refused(error: &RequestError) -> Exit {
    let exit = match error {
        RequestError::Params(_) => Exit::Usage,
        RequestError::NoAnswer => Exit::Unreachable,
        RequestError::Answered { code, raw, message } => {
            let data = serde_json::from_str::<Value>(raw).ok().and_then(|error| error.get("data").cloned());
            let says = |key: &str| data.as_ref().is_some_and(|data| data.get(key).is_some());
            match *code {
                code::INTERNAL_ERROR if says("authorization") => Exit::Authorization,
                code::INTERNAL_ERROR if says("server") => Exit::Unreachable,
                code::INVALID_PARAMS if says("authorization") && !message.contains("did you mean") => {
                    Exit::Authorization
                }
                // A name close to one that exists is a typing error, whatever else is missing.
                code::INVALID_PARAMS if says("missing") && !message.contains("did you mean") => {
                    Exit::Unreachable
                }
                code::INVALID_PARAMS if says("arguments") => Exit::Usage,
                code::INVALID_PARAMS if says("held") => Exit::Configuration,
                code::INVALID_PARAMS if message.starts_with("unknown tool") => Exit::Usage,
                _ => Exit::ToolError,
            }
        }
    };
    output::fail(exit, &error.to_string())
}

fn print(result: &RawValue, json: bool) -> Exit {
    let parsed: Value = serde_json::from_str(result.get()).unwrap_or_default();
    if json {
        // The text of the server, not a copy that went through a model.
        output::json(result.get());
    } else {
        print_content(&parsed);
    }
    if parsed.get("isError").and_then(Value::as_bool) == Some(true) { Exit::ToolError } else { Exit::Ok }
}

fn print_content(result: &Value) {
    let content = result.get("content").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    for block in content {
        output::result(&shown(block));
    }
    if content.is_empty()
        && let Some(structured) = result.get("structuredContent")
    {
        output::result(&clean_block(&format!("{structured:#}")));
    }
}

/// One content block in words; only text is shown as it is, without what a terminal would obey.
fn shown(block: &Value) -> String {
    let text = |key: &str| block.get(key).and_then(Value::as_str).unwrap_or_default();
    match text("type") {
        "text" => clean_block(text("text")),
        kind @ ("image" | "audio") => {
            format!("[{kind}, {}, {} bytes of base64]", clean(text("mimeType"), 100), text("data").len())
        }
        "resource_link" => format!("[resource {}]", clean(text("uri"), 2000)),
        "resource" => {
            let inner = block.get("resource").cloned().unwrap_or_default();
            let text = inner.get("text").and_then(Value::as_str);
            let uri = inner.get("uri").and_then(Value::as_str).unwrap_or_default();
            text.map_or_else(|| format!("[resource {}]", clean(uri, 2000)), clean_block)
        }
        _ => clean_block(&block.to_string()),
    }
}
