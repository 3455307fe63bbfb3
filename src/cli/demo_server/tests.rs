//! The demo servers as a client sees them, in both eras.

use std::sync::{Arc, Mutex};

use rmcp::model::{
    ArgumentInfo, CallToolRequestParams, ClientCapabilities, ClientConfig, CompleteRequestParams,
    ElicitRequestParams, ElicitResult, ElicitationAction, ElicitationCapability, Implementation,
    ProgressNotificationParam, ProtocolVersion, Reference,
};
use rmcp::service::{
    ClientLifecycleMode, NotificationContext, RequestContext, RunningService, serve_client_with_lifecycle,
};
use rmcp::{ClientHandler, ErrorData, RoleClient};
use serde_json::json;
use tokio::task::JoinSet;

use super::*;

/// A client that likes salad, if it can be asked at all, and keeps the progress it is told.
#[derive(Clone)]
struct Guest {
    can_be_asked: bool,
    progress: Arc<Mutex<Vec<f64>>>,
}

impl ClientHandler for Guest {
    fn get_info(&self) -> ClientConfig {
        let mut capabilities = ClientCapabilities::default();
        capabilities.elicitation = self.can_be_asked.then(ElicitationCapability::default);
        ClientConfig::new(capabilities, Implementation::new("guest", "1"))
            .with_protocol_version(ProtocolVersion::LATEST_WITH_INITIALIZE)
    }

    async fn create_elicitation(
        &self,
        _request: ElicitRequestParams,
        _context: RequestContext<RoleClient>,
    ) -> Result<ElicitResult, ErrorData> {
        Ok(ElicitResult::new(ElicitationAction::Accept).with_content(json!({"dish": "salad", "guests": 2})))
    }

    async fn on_progress(
        &self,
        progress: ProgressNotificationParam,
        _context: NotificationContext<RoleClient>,
    ) {
        self.progress.lock().expect("no test panics with the lock").push(progress.progress);
    }
}

fn eras() -> [ClientLifecycleMode; 2] {
    let preferred_versions = vec![ProtocolVersion::V_2026_07_28];
    [ClientLifecycleMode::Initialize, ClientLifecycleMode::Discover { preferred_versions }]
}

/// Serves `server` in a task of its own and connects a client to it.
async fn connect(
    server: impl ServerHandler,
    can_be_asked: bool,
    era: ClientLifecycleMode,
) -> (RunningService<RoleClient, Guest>, JoinSet<()>) {
    let (near, far) = tokio::io::duplex(1 << 16);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let running = rmcp::serve_server(server, far).await.expect("the client says the right things");
        running.waiting().await.expect("the server does not panic");
    });
    let guest = Guest { can_be_asked, progress: Arc::default() };
    let client = serve_client_with_lifecycle(guest, near, era).await.expect("the server answers");
    (client, tasks)
}

async fn call(
    client: &RunningService<RoleClient, Guest>,
    name: &'static str,
    args: serde_json::Value,
) -> String {
    let arguments = args.as_object().cloned().unwrap_or_default();
    let request = CallToolRequestParams::new(name).with_arguments(arguments);
    let result = client.call_tool(request).await.expect("the tool exists");
    result.content[0].as_text().expect("demo tools answer in words").text.clone()
}

#[tokio::test]
async fn echo_serves_its_three_tools_in_both_eras() {
    for era in eras() {
        let (client, _tasks) = connect(Echo::new(), false, era).await;
        let tools = client.list_all_tools().await.unwrap();
        assert_eq!(tools.iter().map(|tool| &*tool.name).collect::<Vec<_>>(), ["add", "echo", "reverse"]);
        assert!(tools[0].output_schema.is_some());
        assert_eq!(call(&client, "echo", json!({"message": "grüß dich"})).await, "grüß dich");
        assert_eq!(call(&client, "reverse", json!({"message": "abc"})).await, "cba");
        assert_eq!(call(&client, "add", json!({"a": 1.5, "b": 2})).await, r#"{"sum":3.5}"#);
    }
}

#[tokio::test(start_paused = true)]
async fn count_reports_every_number() {
    for era in eras() {
        let (client, _tasks) = connect(Workshop::new(), false, era).await;
        assert_eq!(call(&client, "count", json!({"to": 3, "delay_ms": 1000})).await, "counted to 3");
        let told = || client.service().progress.lock().expect("no test panics with the lock").clone();
        // rmcp hands each notification to a task of its own, which may run after the answer.
        for _ in 0..1000 {
            if told().len() == 3 {
                break;
            }
            tokio::task::yield_now().await;
        }
        let mut told = told();
        told.sort_by(f64::total_cmp);
        assert_eq!(told, [1.0, 2.0, 3.0]);
    }
}

#[tokio::test]
async fn lunch_is_planned_with_clients_that_can_be_asked() {
    for era in eras() {
        let (client, _tasks) = connect(Workshop::new(), true, era.clone()).await;
        assert_eq!(call(&client, "plan_lunch", json!({})).await, "Lunch for 2: salad, at the long table.");
        let (client, _tasks) = connect(Workshop::new(), false, era).await;
        assert!(call(&client, "plan_lunch", json!({})).await.contains("`elicitation`"));
    }
}

#[tokio::test]
async fn the_workshop_offers_one_of_everything() {
    for era in eras() {
        let (client, _tasks) = connect(Workshop::new(), false, era).await;
        assert_eq!(client.list_all_tools().await.unwrap().len(), 4);
        assert_eq!(client.list_all_resources().await.unwrap().len(), 4);
        assert_eq!(client.list_all_resource_templates().await.unwrap().len(), 1);
        assert_eq!(client.list_all_prompts().await.unwrap().len(), 2);
        for (of, argument, typed, expected) in [
            (Reference::for_prompt("review"), "language", "ru", vec!["ruby", "rust"]),
            (Reference::for_prompt("greet"), "name", "a", vec!["Ada", "Alan"]),
            (Reference::for_resource("workshop://notes/{id}"), "id", "2", vec!["2", "20"]),
            (Reference::for_prompt("nothing"), "name", "", vec![]),
        ] {
            let request = CompleteRequestParams::new(of, ArgumentInfo::new(argument, typed));
            assert_eq!(client.complete(request).await.unwrap().completion.values, expected);
        }
    }
}
