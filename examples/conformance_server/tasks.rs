//! The tools that run as tasks of the extension `io.modelcontextprotocol/tasks`, for clients that declare it.
//!
//! It keeps no task itself, rmcp's manager does; and tells nobody when one changes, clients ask.

use std::time::Duration;

use rmcp::ErrorData;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ClientCapabilities, ContentBlock,
    CreateTaskResult,
};
use rmcp::task_manager::{TaskContext, TaskExit, TaskFuture, TaskManager, TaskOptions};
use serde_json::{Value, json};

use crate::inputs::{Answers, form, one, text_form};

/// Names and descriptions.
pub const TOOLS: [(&str, &str); 7] = [
    ("greet", "Greets; never a task"),
    ("slow_compute", "Takes as many seconds as it is told"),
    ("failing_job", "Always ends with isError; only as a task"),
    ("protocol_error_job", "Always ends with a protocol error"),
    ("confirm_delete", "Asks while it runs; only as a task"),
    ("multi_input", "Asks two things at once while it runs; only as a task"),
    ("test_tool_with_task", "Asks first, and then becomes a task; only as a task"),
];

/// Those that cannot do without a task.
const ONLY_TASKS: [&str; 4] = ["failing_job", "confirm_delete", "multi_input", "test_tool_with_task"];

/// Whether the tool is one of these.
pub fn knows(name: &str) -> bool {
    TOOLS.iter().any(|(known, _)| *known == name)
}

/// Starts a task, or runs the tool at once for a client that knows no tasks.
pub async fn call(
    tasks: &TaskManager,
    call: &CallToolRequestParams,
    capabilities: &ClientCapabilities,
) -> Result<CallToolResponse, ErrorData> {
    let name = call.name.as_ref();
    let wanted = capabilities.supports_tasks();
    if ONLY_TASKS.contains(&name) && !wanted {
        let required = ClientCapabilities::builder().enable_tasks().build();
        return Err(ErrorData::missing_required_client_capability(required));
    }
    let argument = |key: &str| call.arguments.as_ref().and_then(|arguments| arguments.get(key));
    let text = |key: &str| argument(key).and_then(Value::as_str).unwrap_or("nothing").to_owned();
    match name {
        "greet" => Ok(said(&format!("Hello, {}!", text("name"))).into()),
        "slow_compute" => {
            let seconds = argument("seconds").and_then(Value::as_f64).unwrap_or(1.0).clamp(0.0, 600.0);
            let (length, label) = (Duration::from_secs_f64(seconds), text("label"));
            if wanted {
                return Ok(start(tasks, move |context| Box::pin(compute(Some(context), length, label))));
            }
            compute(None, length, label).await.map(Into::into).map_err(error)
        }
        "failing_job" => Ok(start(tasks, |_| Box::pin(fail()))),
        "protocol_error_job" if wanted => Ok(start(tasks, |_| Box::pin(break_down()))),
        "protocol_error_job" => break_down().await.map(Into::into).map_err(error),
        "confirm_delete" => {
            let file = text("filename");
            Ok(start(tasks, move |context| Box::pin(confirm(context, file))))
        }
        "multi_input" => Ok(start(tasks, |context| Box::pin(ask_twice(context)))),
        _ => match Answers(call.input_responses.as_ref()).text("user_name", "name") {
            None => Ok(one("user_name", text_form("What is your name?", "name")?).into()),
            Some(name) => {
                let greeting = format!("Hello, {name}!");
                Ok(start(tasks, move |_| Box::pin(async move { Ok(said(&greeting)) })))
            }
        },
    }
}

fn start(tasks: &TaskManager, work: impl FnOnce(TaskContext) -> TaskFuture) -> CallToolResponse {
    let options = TaskOptions::new().with_poll_interval_ms(100);
    CreateTaskResult::new(tasks.spawn(options, work)).into()
}

async fn compute(
    context: Option<TaskContext>,
    length: Duration,
    label: String,
) -> Result<CallToolResult, TaskExit> {
    let cancelled = async {
        match &context {
            Some(context) => context.cancelled().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = cancelled => Err(TaskExit::Cancelled),
        () = tokio::time::sleep(length) => Ok(said(&format!("{label} is computed"))),
    }
}

async fn fail() -> Result<CallToolResult, TaskExit> {
    tokio::time::sleep(Duration::from_millis(300)).await;
    Ok(CallToolResult::error(vec![ContentBlock::text("This job always fails")]))
}

async fn break_down() -> Result<CallToolResult, TaskExit> {
    tokio::time::sleep(Duration::from_millis(100)).await;
    Err(TaskExit::Error(ErrorData::internal_error("this job always breaks down", None)))
}

async fn confirm(context: TaskContext, file: String) -> Result<CallToolResult, TaskExit> {
    let question =
        form(&format!("Delete {file}?"), json!({ "confirm": { "type": "boolean" } }), json!(["confirm"]))?;
    let answer = context.request_input("confirm", question).await?;
    Ok(said(&format!("Deleted {file}: {}", answer["content"]["confirm"])))
}

async fn ask_twice(context: TaskContext) -> Result<CallToolResult, TaskExit> {
    let (first, second) = tokio::join!(
        context.request_input("first", text_form("The first value?", "value")?),
        context.request_input("second", text_form("The second value?", "value")?),
    );
    Ok(said(&format!("{} and {}", first?["content"], second?["content"])))
}

fn error(exit: TaskExit) -> ErrorData {
    match exit {
        TaskExit::Error(error) => error,
        TaskExit::Cancelled => ErrorData::internal_error("cancelled", None),
    }
}

fn said(text: &str) -> CallToolResult {
    CallToolResult::success(vec![ContentBlock::text(text)])
}
