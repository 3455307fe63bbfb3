//! The `workshop` demo server: one of everything a gateway has to carry.
//!
//! It is offline and made up: it reads no file, asks no service, and its answers depend on the arguments alone.

mod era;
mod forecast;
mod log;
mod lunch;
mod notes;

use std::time::Duration;

use rmcp::handler::server::router::prompt::PromptRouter;
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::tool::InputResponses;
use rmcp::handler::server::wrapper::{Json, Parameters};
use rmcp::model::{
    CallToolResponse, CallToolResult, CompleteRequestParams, CompleteResult, CompletionInfo, ContentBlock,
    ElicitRequest, Implementation, InputRequest, InputRequests, InputRequiredResult, JsonObject,
    ListResourceTemplatesResult, ListResourcesResult, PaginatedRequestParams, ProgressNotificationParam,
    PromptMessage, ProtocolVersion, ReadResourceRequestParams, ReadResourceResponse, Reference, Role,
    ServerCapabilities, ServerConfig,
};
use rmcp::service::RequestContext;
use rmcp::{
    ErrorData, RoleServer, ServerHandler, prompt, prompt_handler, prompt_router, tool, tool_handler,
    tool_router,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::cli::demo_server::workshop::era::is_modern;
use crate::cli::demo_server::workshop::forecast::Forecast;
use crate::cli::demo_server::workshop::log::Log;

const NAMES: [&str; 6] = ["Ada", "Alan", "Barbara", "Donald", "Edsger", "Grace"];
const LANGUAGES: [&str; 7] = ["c", "go", "java", "python", "ruby", "rust", "typescript"];
/// The highest number `count` goes to.
const FAR: u32 = 10_000;
/// The longest pause of `count` between two numbers, in milliseconds.
const SLOW: u64 = 60_000;

/// The `workshop` demo server.
#[derive(Debug, Clone)]
pub struct Workshop {
    tools: ToolRouter<Self>,
    prompts: PromptRouter<Self>,
    log: Log,
}

/// Arguments of `count`.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Count {
    /// The last number, up to 10,000
    #[schemars(range(min = 1, max = 10_000))]
    pub to: u32,
    /// The pause before each number, in milliseconds (default 100)
    #[serde(default = "tenth_of_a_second")]
    #[schemars(range(max = 60_000))]
    pub delay_ms: u64,
}

fn tenth_of_a_second() -> u64 {
    100
}

/// Arguments of `weather`.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Place {
    /// The name of a city
    pub city: String,
}

/// Arguments of `greet`.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Guest {
    /// Whom to greet
    pub name: String,
}

/// Arguments of `review`.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Review {
    /// The programming language (optional)
    pub language: Option<String>,
}

#[tool_router]
impl Workshop {
    /// A server ready to be served.
    #[must_use]
    pub fn new() -> Self {
        Self { tools: Self::tool_router(), prompts: Self::prompt_router(), log: Log::default() }
    }

    #[tool(
        title = "Count",
        description = "Counts up to a number, reporting progress; can be cancelled",
        annotations(read_only_hint = true, open_world_hint = false)
    )]
    async fn count(
        &self,
        Parameters(Count { to, delay_ms }): Parameters<Count>,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResult, ErrorData> {
        if to == 0 || to > FAR || delay_ms > SLOW {
            return Err(ErrorData::invalid_params(
                format!("`to` must be 1 to {FAR} and `delay_ms` at most {SLOW}"),
                None,
            ));
        }
        self.log.info(&context, format!("counting to {to}")).await;
        let token = context.meta.get_progress_token();
        for number in 1..=to {
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(delay_ms)) => {}
                () = context.ct.cancelled() => return Ok(said(format!("stopped before {number}"))),
            }
            if let Some(token) = token.clone() {
                let progress = ProgressNotificationParam::new(token, f64::from(number))
                    .with_total(f64::from(to))
                    .with_message(format!("{number} of {to}"));
                // A client that is gone needs no progress; its cancellation or the closed pipe ends the count.
                let _ = context.peer.notify_progress(progress).await;
            }
        }
        Ok(said(format!("counted to {to}")))
    }

    #[tool(
        title = "Plan lunch",
        description = "Asks the user with a form what to have for lunch, and plans it",
        annotations(read_only_hint = true, open_world_hint = false)
    )]
    async fn plan_lunch(
        &self,
        InputResponses(answers): InputResponses,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        if !lunch::can_ask(context.client_capabilities().as_ref()) {
            return Ok(lunch::cannot_ask().into());
        }
        if is_modern(&context) {
            return ask_modern(answers);
        }
        let asked = tokio::select! {
            answer = context.peer.create_elicitation(lunch::form()) => answer,
            () = context.ct.cancelled() => return Ok(said("nobody is hungry any more").into()),
        };
        let plan = match asked {
            Ok(answer) => lunch::plan(answer),
            Err(error) => lunch::refuses(format!("the client could not ask its user: {error}")),
        };
        Ok(plan.into())
    }

    #[tool(
        title = "Weather",
        description = "The weather of a city: made up, but the same every time",
        annotations(read_only_hint = true, open_world_hint = false)
    )]
    fn weather(&self, Parameters(Place { city }): Parameters<Place>) -> Json<Forecast> {
        Json(Forecast::of(&city))
    }

    #[tool(
        title = "Fail",
        description = "Always answers with a tool error",
        annotations(read_only_hint = true, open_world_hint = false)
    )]
    fn fail(&self) -> CallToolResult {
        CallToolResult::error(vec![ContentBlock::text("this tool always fails, as asked")])
    }
}

#[prompt_router]
impl Workshop {
    #[prompt(title = "Greet", description = "Asks the model to greet somebody")]
    fn greet(&self, Parameters(Guest { name }): Parameters<Guest>) -> Vec<PromptMessage> {
        vec![PromptMessage::new_text(Role::User, format!("Please greet {name} warmly, in one sentence."))]
    }

    #[prompt(title = "Review", description = "Asks the model to review code")]
    fn review(&self, Parameters(Review { language }): Parameters<Review>) -> Vec<PromptMessage> {
        let what = language.map_or_else(|| "code".to_owned(), |language| format!("{language} code"));
        vec![
            PromptMessage::new_text(Role::User, format!("Please review the {what} that follows.")),
            PromptMessage::new_text(Role::Assistant, "Gladly. Please paste it."),
        ]
    }
}

impl Default for Workshop {
    fn default() -> Self {
        Self::new()
    }
}

#[tool_handler(router = self.tools)]
#[prompt_handler(router = self.prompts)]
impl ServerHandler for Workshop {
    fn get_info(&self) -> ServerConfig {
        let mut capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_resources()
            .enable_prompts()
            .enable_completions()
            .build();
        capabilities.logging = Some(JsonObject::new());
        ServerConfig::new(capabilities)
            .with_protocol_version(ProtocolVersion::LATEST_WITH_INITIALIZE)
            .with_server_info(
                Implementation::new("demo-workshop", env!("CARGO_PKG_VERSION")).with_title("Workshop demo"),
            )
            .with_instructions("Use this server to try progress, forms, resources, prompts and completion.")
    }

    async fn list_resources(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        Ok(ListResourcesResult::with_all_items(notes::resources()))
    }

    async fn list_resource_templates(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(ListResourceTemplatesResult::with_all_items(notes::templates()))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        notes::read(&request.uri).map(Into::into)
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        let values = completions(&request.r#ref, &request.argument.name, &request.argument.value);
        let values = CompletionInfo::with_all_values(values)
            .map_err(|error| ErrorData::internal_error(error, None))?;
        Ok(CompleteResult::new(values))
    }

    #[expect(deprecated, reason = "legacy clients set the level with this request")]
    async fn set_level(
        &self,
        request: rmcp::model::SetLevelRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.log.want(request.level);
        Ok(())
    }
}

/// In the modern era a server does not ask: it answers what it needs, and the client calls again with it.
fn ask_modern(answers: Option<rmcp::model::InputResponses>) -> Result<CallToolResponse, ErrorData> {
    let Some(answer) = answers.and_then(|mut answers| answers.remove(lunch::KEY)) else {
        let form = InputRequest::Elicitation(ElicitRequest::new(lunch::form()));
        let asked = InputRequests::from([(lunch::KEY.to_owned(), form)]);
        return Ok(InputRequiredResult::new(Some(asked), Some("lunch-asked".to_owned())).into());
    };
    let answer = serde_json::from_value(answer).map_err(|error| {
        ErrorData::invalid_params(format!("the answer to `lunch` does not fit: {error}"), None)
    })?;
    Ok(lunch::plan(answer).into())
}

fn completions(of: &Reference, argument: &str, typed: &str) -> Vec<String> {
    let among = |words: &[&str]| {
        let typed = typed.to_lowercase();
        words.iter().filter(|word| word.to_lowercase().starts_with(&typed)).map(ToString::to_string).collect()
    };
    match (of.as_prompt_name(), of.as_resource_uri(), argument) {
        (Some("greet"), _, "name") => among(&NAMES),
        (Some("review"), _, "language") => among(&LANGUAGES),
        (_, Some(notes::TEMPLATE), "id") => notes::ids(typed),
        _ => Vec::new(),
    }
}

fn said(text: impl Into<String>) -> CallToolResult {
    CallToolResult::success(vec![ContentBlock::text(text.into())])
}
