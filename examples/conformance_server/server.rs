//! The server: what it declares, and which file answers what. The tools that notify are here.
//!
//! It lists the same for every client, whatever that declares.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rmcp::model::*;
use rmcp::service::{NotificationContext, RequestContext, SubscriptionContext, SubscriptionSink};
use rmcp::task_manager::TaskManager;
use rmcp::{ErrorData, Peer, RoleServer, ServerHandler};
use serde_json::json;

use crate::Era;
use crate::ask;
use crate::inputs;
use crate::interactive::Step;
use crate::seal::Seal;
use crate::{interactive, prompts, resources, tasks, tools};

/// How long lists and resources may be kept.
const TTL_MS: u64 = 60_000;

#[derive(Clone)]
pub struct Conformance {
    era: Era,
    seal: Seal,
    tasks: TaskManager,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    tool_changes: AtomicUsize,
    prompt_changes: AtomicUsize,
    next_stream: AtomicU64,
    streams: Mutex<HashMap<u64, SubscriptionSink>>,
    sessions: Mutex<Vec<Peer<RoleServer>>>,
}

impl Conformance {
    pub fn new(era: Era) -> anyhow::Result<Self> {
        Ok(Self { era, seal: Seal::new()?, tasks: TaskManager::new(), shared: Arc::default() })
    }

    async fn log(&self, peer: &Peer<RoleServer>, level: LoggingLevel, text: &str) {
        let message = LoggingMessageNotificationParam::new(level, json!(text)).with_logger("conformance");
        drop(peer.notify_logging_message(message).await);
    }

    async fn tell_progress(&self, context: &RequestContext<RoleServer>) {
        let Some(token) = context.meta.get_progress_token() else { return };
        for progress in [0.0, 50.0, 100.0] {
            let told = ProgressNotificationParam::new(token.clone(), progress)
                .with_total(100.0)
                .with_message(format!("Completed step {progress} of 100"));
            drop(context.peer.notify_progress(told).await);
            pause().await;
        }
    }

    /// Tells everybody who wants to know that a list changed.
    async fn tell_change(&self, tools: bool) {
        let streams: Vec<_> = held(&self.shared.streams).values().cloned().collect();
        for stream in streams {
            // Who did not ask for it gets none.
            drop(if tools {
                stream.notify_tool_list_changed().await
            } else {
                stream.notify_prompt_list_changed().await
            });
        }
        let sessions = {
            let mut sessions = held(&self.shared.sessions);
            sessions.retain(|peer| !peer.is_transport_closed());
            sessions.clone()
        };
        for peer in sessions {
            drop(if tools {
                peer.notify_tool_list_changed().await
            } else {
                peer.notify_prompt_list_changed().await
            });
        }
    }

    /// The tools that notify or look at the client; the others are answered by `tools.rs`.
    async fn notify_or_answer(
        &self,
        call: &CallToolRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResult, ErrorData> {
        let text = match call.name.as_ref() {
            "test_tool_with_logging" => {
                for text in ["Tool execution started", "Tool processing data", "Tool execution completed"] {
                    self.log(&context.peer, LoggingLevel::Info, text).await;
                    pause().await;
                }
                "Logged three times"
            }
            "test_logging_tool" => {
                if let Some(level) = context.meta.log_level() {
                    self.log(&context.peer, level, "The client wants it").await;
                }
                "Logged if it was wanted"
            }
            "test_tool_with_progress" => {
                self.tell_progress(context).await;
                "Told its progress"
            }
            "test_reconnection" => {
                pause().await;
                "Reconnection test completed"
            }
            "test_trigger_tool_change" => {
                self.shared.tool_changes.fetch_add(1, Ordering::Relaxed);
                self.tell_change(true).await;
                "The list of tools is changed"
            }
            "test_trigger_prompt_change" => {
                self.shared.prompt_changes.fetch_add(1, Ordering::Relaxed);
                self.tell_change(false).await;
                "The list of prompts is changed"
            }
            // The legacy form asks, which is how a server of that era finds out.
            "test_missing_capability" if is_legacy(context) => {
                let declared = context.client_capabilities().unwrap_or_default();
                ask::one(&context.peer, &declared, "greeting", inputs::sampling("Say something")).await?;
                "The client samples"
            }
            "test_missing_capability" => {
                if context.client_capabilities().unwrap_or_default().sampling.is_none() {
                    let required = ClientCapabilities::builder().enable_sampling().build();
                    return Err(ErrorData::missing_required_client_capability(required));
                }
                "The client declares sampling"
            }
            _ => return tools::answer(call),
        };
        Ok(CallToolResult::success(vec![ContentBlock::text(text)]))
    }
}

impl ServerHandler for Conformance {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_completions()
            .enable_logging()
            .enable_prompts()
            .enable_prompts_list_changed()
            .enable_resources()
            .enable_resources_list_changed()
            .enable_resources_subscribe()
            .enable_tools()
            .enable_tool_list_changed();
        // The extension belongs to the later revisions only.
        let capabilities =
            if self.era == Era::Legacy { capabilities.build() } else { capabilities.enable_tasks().build() };
        let preferred = if self.era == Era::Modern {
            ProtocolVersion::V_2026_07_28
        } else {
            ProtocolVersion::LATEST_WITH_INITIALIZE
        };
        ServerConfig::new(capabilities)
            .with_protocol_version(preferred)
            .with_server_info(Implementation::new("conformance-server", env!("CARGO_PKG_VERSION")))
            .with_instructions("Answers what the official conformance suite asks.")
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        let wanted = |version: &&ProtocolVersion| match self.era {
            Era::Legacy => version.has_initialize(),
            Era::Modern => !version.has_initialize(),
            Era::Both => true,
        };
        ProtocolVersion::KNOWN_VERSIONS.iter().filter(wanted).cloned().collect()
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        context.peer.set_peer_info(request.clone());
        self.negotiate_initialize(&request)
    }

    async fn discover(&self, _: RequestContext<RoleServer>) -> Result<DiscoverResult, ErrorData> {
        if self.era == Era::Legacy {
            return Err(ErrorData::method_not_found::<DiscoverRequestMethod>());
        }
        Ok(DiscoverResult::from_server_info(self.supported_protocol_versions().into_owned(), self.get_info()))
    }

    async fn ping(&self, _: RequestContext<RoleServer>) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        held(&self.shared.sessions).push(context.peer);
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let list = tools::list(self.shared.tool_changes.load(Ordering::Relaxed));
        Ok(ListToolsResult::with_all_items(list).with_ttl_ms(TTL_MS).with_cache_scope(CacheScope::Public))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        (name == "test_custom_header").then(tools::custom_header)
    }

    async fn call_tool(
        &self,
        call: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let capabilities = context.client_capabilities().unwrap_or_default();
        if tasks::knows(&call.name) {
            return tasks::call(&self.tasks, &call, &capabilities).await;
        }
        if !interactive::knows(&call.name) {
            return self.notify_or_answer(&call, &context).await.map(Into::into);
        }
        let step = |answers: Option<&InputResponses>, state: Option<&str>| {
            Step { call: &call, capabilities: &capabilities, answers, state, seal: &self.seal }.run()
        };
        if is_legacy(&context) {
            return ask::until_answered(&context.peer, &capabilities, step).await;
        }
        step(call.input_responses.as_ref(), call.request_state.as_deref())
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let list = ListResourcesResult::with_all_items(resources::list());
        Ok(list.with_ttl_ms(TTL_MS).with_cache_scope(CacheScope::Public))
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let list = ListResourceTemplatesResult::with_all_items(resources::templates());
        Ok(list.with_ttl_ms(TTL_MS).with_cache_scope(CacheScope::Public))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let read = resources::read(&request.uri)?;
        Ok(read.with_ttl_ms(TTL_MS).with_cache_scope(CacheScope::Public).into())
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        let list = prompts::list(self.shared.prompt_changes.load(Ordering::Relaxed));
        Ok(ListPromptsResult::with_all_items(list).with_ttl_ms(TTL_MS).with_cache_scope(CacheScope::Public))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        if is_legacy(&context) {
            let capabilities = context.client_capabilities().unwrap_or_default();
            let step = |answers: Option<&InputResponses>, _: Option<&str>| prompts::get(&request, answers);
            return ask::until_answered(&context.peer, &capabilities, step).await;
        }
        prompts::get(&request, request.input_responses.as_ref())
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        let known = ["test", "testing", "text"];
        let values = known.iter().filter(|value| value.starts_with(&request.argument.value));
        let completion = CompletionInfo::new(values.map(|value| (*value).to_owned()).collect());
        Ok(CompleteResult::new(completion.map_err(|error| ErrorData::internal_error(error, None))?))
    }

    async fn set_level(
        &self,
        _: SetLevelRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        Ok(())
    }

    async fn subscribe(
        &self,
        _: SubscribeRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        // No resource changes, so there is nothing to remember.
        Ok(())
    }

    async fn unsubscribe(
        &self,
        _: UnsubscribeRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        Ok(())
    }

    fn accepted_subscription_filter(&self, wanted: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        Some(wanted.supported_by(&self.get_info().capabilities))
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let stream = self.shared.next_stream.fetch_add(1, Ordering::Relaxed);
        held(&self.shared.streams).insert(stream, context.sink().clone());
        context.cancelled().await;
        held(&self.shared.streams).remove(&stream);
        Ok(())
    }

    async fn get_task(
        &self,
        request: GetTaskParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetTaskResult, ErrorData> {
        Ok(GetTaskResult::new(self.tasks.get_task(&request.task_id)?))
    }

    async fn update_task(
        &self,
        request: UpdateTaskParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.tasks.update_task(&request.task_id, request.input_responses)
    }

    async fn cancel_task(
        &self,
        request: CancelTaskParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.tasks.cancel_task(&request.task_id)
    }
}

fn is_legacy(context: &RequestContext<RoleServer>) -> bool {
    context.protocol_version().is_none_or(|version| version.has_initialize())
}

/// Long enough for a notification to be seen as one of its own.
async fn pause() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

fn held<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}
