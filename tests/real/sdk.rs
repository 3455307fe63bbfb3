//! A client written with rmcp uses the gateway over pipes and over HTTP, in both eras.
//!
//! It checks names and that results can be read; bytes are compared in `bytes.rs`.

use crate::bed::Bed;
use crate::calls;
use crate::lists::exposed;
use crate::lists::exposed_to_modern;
use crate::support::eventually::patience;
use rmcp::RoleClient;
use rmcp::model::CallToolRequestParams;
use rmcp::model::CallToolResponse;
use rmcp::model::ClientCapabilities;
use rmcp::model::ClientConfig;
use rmcp::model::GetPromptRequestParams;
use rmcp::model::GetPromptResponse;
use rmcp::model::Implementation;
use rmcp::model::ProtocolVersion;
use rmcp::model::ReadResourceRequestParams;
use rmcp::model::ReadResourceResponse;
use rmcp::service::ClientLifecycleMode;
use rmcp::service::RunningService;
use rmcp::service::serve_client_with_lifecycle;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::TokioChildProcess;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use std::collections::BTreeSet;
use std::process::Stdio;
use tokio::time::timeout;

type Connection = RunningService<RoleClient, ClientConfig>;

#[tokio::test]
#[ignore = "needs packages from npm and PyPI: run by .ci/run"]
async fn rmcp_uses_the_gateway_over_stdio() {
    let bed = Bed::warm();
    for (lifecycle, modern) in lifecycles().into_iter().zip([false, true]) {
        bed.forget();
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_mcp-manifold"));
        command.arg("serve").arg("--standalone").arg("--config").arg(bed.conf().file());
        command.arg("--cache-dir").arg(bed.conf().cache()).current_dir(bed.conf().dir());
        let built = TokioChildProcess::builder(command).stderr(Stdio::null()).spawn();
        let (transport, _) = built.expect("the gateway starts");
        let connected = serve_client_with_lifecycle(client(), transport, lifecycle).await;
        use_all(&bed, connected.expect("the gateway is a server"), modern).await;
    }
}

#[tokio::test]
#[ignore = "needs packages from npm and PyPI: run by .ci/run"]
async fn rmcp_uses_the_gateway_over_http() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let bed = Bed::warm();
    let gateway = bed.gateway().http();
    for (lifecycle, modern) in lifecycles().into_iter().zip([false, true]) {
        bed.forget();
        let url = format!("http://{}/mcp", gateway.addr());
        let config = StreamableHttpClientTransportConfig::with_uri(url);
        let http = reqwest::Client::builder().build().expect("a client without surprises");
        let transport = StreamableHttpClientTransport::with_client(http, config);
        let connected = serve_client_with_lifecycle(client(), transport, lifecycle).await;
        use_all(&bed, connected.expect("the gateway is a server"), modern).await;
    }
}

fn lifecycles() -> [ClientLifecycleMode; 2] {
    let preferred_versions = vec![ProtocolVersion::V_2026_07_28];
    [ClientLifecycleMode::Initialize, ClientLifecycleMode::Discover { preferred_versions }]
}

fn client() -> ClientConfig {
    ClientConfig::new(ClientCapabilities::default(), Implementation::new("rig", "1"))
        .with_protocol_version(ProtocolVersion::LATEST_WITH_INITIALIZE)
}

async fn use_all(bed: &Bed, connection: Connection, modern: bool) {
    timeout(patience() * 6, ask_all(bed, &connection, modern)).await.expect("every request is answered");
    connection.cancel().await.expect("the connection ends");
}

async fn ask_all(bed: &Bed, connection: &Connection, modern: bool) {
    let tools = connection.list_all_tools().await.expect("tools are listed");
    let listed: BTreeSet<_> = tools.iter().map(|tool| tool.name.to_string()).collect();
    let wanted = if modern { exposed_to_modern(bed) } else { exposed(bed) };
    assert_eq!(listed, wanted);
    assert!(!connection.list_all_resources().await.expect("resources are listed").is_empty());
    assert!(!connection.list_all_resource_templates().await.expect("templates are listed").is_empty());
    assert!(!connection.list_all_prompts().await.expect("prompts are listed").is_empty());
    for call in calls::one_of_each(bed) {
        let params: CallToolRequestParams =
            serde_json::from_value(call.through_gateway()).expect("params of a tool");
        let response = connection.call_tool(params).await.expect("an answer");
        let CallToolResponse::Complete(result) = response.into() else { panic!("{}", call.title()) };
        assert_ne!(result.is_error, Some(true), "{}: {result:?}", call.title());
        assert!(!result.content.is_empty(), "{}: {result:?}", call.title());
    }
    let read = ReadResourceRequestParams::new("demo://resource/static/document/architecture.md");
    let response = connection.read_resource(read).await.expect("an answer");
    let ReadResourceResponse::Complete(read) = response.into() else { panic!("a question, not a document") };
    assert_eq!(read.contents.len(), 1);
    let get = GetPromptRequestParams::new("everything__simple-prompt");
    let response = connection.get_prompt(get).await.expect("an answer");
    let GetPromptResponse::Complete(got) = response.into() else { panic!("a question, not a prompt") };
    assert_eq!(got.messages.len(), 1);
}
