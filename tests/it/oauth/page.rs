//! Logins that a gateway offers its client: a page to open (URL elicitation), in both eras.

use crate::oauth::conf_of;
use crate::oauth::kept;
use crate::oauth::person::log_in;
use crate::oauth::person::run;
use crate::oauth::rig::Rig;
use crate::oauth::rig::param;
use crate::oauth::web::Shown;
use crate::oauth::web::browse;
use crate::oauth::web::visit;
use crate::policy::TOKENS;
use crate::policy::roles;
use crate::support::eventually::eventually;
use crate::support::gateway::Gateway;
use crate::support::gateway::HttpGateway;
use crate::support::http_client::HttpClient;
use crate::support::message::Message;
use crate::support::stdio_client::StdioClient;
use crate::support::tempconf::TempConf;
use serde_json::Value;
use serde_json::json;
use std::sync::Arc;

const DONE: &str = "notifications/elicitation/complete";
/// The key of the capability in requests of the modern era.
const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

/// A browser that was sent away from the page.
pub struct Away {
    cookie: String,
    /// Where it was sent.
    pub address: String,
}

/// Opens the page and presses the button.
pub fn press(page: &str) -> Away {
    let shown = browse("GET", page, None);
    assert_eq!(shown.status, 200, "{}", shown.body);
    assert!(shown.body.contains("`x`") && shown.body.contains("<button>"), "{}", shown.body);
    let shown = browse("POST", page, None);
    assert_eq!(shown.status, 303, "{}", shown.body);
    Away { cookie: shown.cookie.expect("a cookie"), address: shown.location.expect("a way") }
}

impl Away {
    /// The address that the authorization server sends the browser to.
    pub fn agrees(&self) -> String {
        let (status, back) = visit(&self.address);
        assert_eq!(status, 302);
        back.expect("a way back")
    }

    /// Goes there.
    pub fn comes_back(&self, address: &str) -> Shown {
        browse("GET", address, Some(&self.cookie))
    }
}

/// All of it.
pub fn log_in_at(page: &str) {
    let away = press(page);
    let shown = away.comes_back(&away.agrees());
    assert!(shown.status == 200 && shown.body.contains("You are logged in"), "{}", shown.body);
}

/// A legacy handshake of a client that opens pages.
fn greeting(version: &str) -> Value {
    json!({
        "protocolVersion": version, "capabilities": { "elicitation": { "form": {}, "url": {} } },
        "clientInfo": { "name": "rig", "version": "1" }
    })
}

fn stdio(conf: &Arc<TempConf>, version: &str) -> StdioClient {
    let client = Gateway::on(conf).args(&["--log-level", "trace"]).stdio();
    client.request("initialize", greeting(version)).result();
    client.send(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#);
    client
}

/// A legacy client over HTTP that opens pages.
fn http(gateway: &HttpGateway, bearer: Option<&str>) -> HttpClient {
    let mut client = gateway.client();
    client.bearer = bearer.map(str::to_owned);
    let reply = client.begin("initialize", greeting("2025-11-25")).head().expect(200);
    client.session = reply.header("mcp-session-id").map(str::to_owned);
    client.version = Some("2025-11-25".into());
    reply.answer().result();
    client.post(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, &[]).expect(202);
    client
}

/// The page in an error of the legacy era.
fn page_of(answer: &Message) -> String {
    assert_eq!(answer.error_code(), -32042, "{}", answer.raw);
    answer.json["error"]["data"]["elicitations"][0]["url"].as_str().expect("an address").to_owned()
}

/// The params of a modern call by a client that opens pages.
pub fn call_of(tool: &str) -> Value {
    json!({ "name": tool, "arguments": {}, "_meta": { CAPABILITIES: { "elicitation": { "url": {} } } } })
}

/// The key and the page in a result of the modern era that asks for a login.
pub fn asked(answer: &Message) -> (String, String) {
    let result = answer.result();
    assert_eq!(result["resultType"], "input_required", "{}", answer.raw);
    assert!(result.get("requestState").is_none(), "nothing waits: {}", answer.raw);
    let (key, question) =
        result["inputRequests"].as_object().expect("questions").iter().next().expect("a question");
    let params = &question["params"];
    assert_eq!((&question["method"], &params["mode"]), (&json!("elicitation/create"), &json!("url")));
    assert!(
        params.get("elicitationId").is_none() && params["message"].as_str().expect("a text").contains("`x`")
    );
    (key.clone(), params["url"].as_str().expect("an address").to_owned())
}

/// The call once more, with what the person did.
pub fn again(tool: &str, key: &str, action: &str) -> Value {
    let mut call = call_of(tool);
    call["inputResponses"] = json!({ key: { "action": action } });
    call
}

fn is_gone(page: &str) -> bool {
    matches!(browse("GET", page, None).status, 0 | 404)
}

#[test]
fn a_legacy_client_is_shown_a_page_and_hears_when_it_is_done() {
    let rig = Rig::start();
    let conf = conf_of(&rig);
    let client = stdio(&conf, "2025-11-25");
    let answer = client.call("x__echo", json!({}));
    let page = page_of(&answer);
    let asked = &answer.json["error"]["data"]["elicitations"][0];
    assert_eq!((&asked["mode"], page.starts_with("http://127.0.0.1:")), (&json!("url"), true), "{asked}");
    assert!(answer.error_text().contains("run `mcp-manifold auth login x`"), "{}", answer.raw);
    assert!(!answer.error_text().contains("127.0.0.1"), "texts of errors are logged: {}", answer.raw);
    assert_eq!(page_of(&client.call("x__echo", json!({}))), page, "one page for one caller");
    assert_eq!(browse("GET", &page, None).status, 200);
    assert!(rig.registered().is_empty(), "nothing is asked of anybody before the button is pressed");

    log_in_at(&page);
    let done = client.wait("the page is done", |message| message.method() == DONE);
    assert_eq!(done.json["params"]["elicitationId"], asked["elicitationId"]);
    assert_eq!(client.call("x__echo", json!({})).text(), "ran echo");
    eventually("the page is gone", || is_gone(&page));
    assert_eq!((client.notifications(DONE).len(), kept(&conf).len()), (1, 1));
    let status = run(&conf, &["auth", "status", "x", "--json"]);
    assert!(status.code == 0 && status.stdout.contains("\"gateway\""), "{}", status.stdout);
    let ticket = page.rsplit('/').next().unwrap();
    let log = client.stderr();
    let secrets = rig.secrets();
    assert!(!log.contains(ticket) && !secrets.iter().any(|secret| log.contains(secret)), "{log}");
    drop(client);
    assert_eq!(stdio(&conf, "2025-11-25").call("x__echo", json!({})).text(), "ran echo", "it is remembered");
}

#[test]
fn a_session_over_http_hears_it_on_its_stream() {
    let rig = Rig::start();
    let gateway = Gateway::on(&conf_of(&rig)).http();
    let (client, other) = (http(&gateway, None), http(&gateway, None));
    let mut stream = client.send("GET", &[("accept", "text/event-stream")]).expect(200);
    let answer = client.call("x__echo", json!({}));
    let page = page_of(&answer);
    assert_eq!(page_of(&other.call("x__echo", json!({}))), page, "the same caller");
    log_in_at(&page);
    let done = stream.wait("the page is done", |message| message.method() == DONE);
    assert_eq!(
        done.json["params"]["elicitationId"],
        answer.json["error"]["data"]["elicitations"][0]["elicitationId"]
    );
    assert_eq!(client.call("x__echo", json!({})).text(), "ran echo");
}

#[test]
fn a_modern_client_comes_back_and_waits_for_the_person() {
    let rig = Rig::start();
    let gateway = Gateway::on(&conf_of(&rig)).http();
    let client = gateway.modern();
    let (key, page) = asked(&client.request("tools/call", call_of("x__echo")));
    let waits = client.begin("tools/call", again("x__echo", &key, "accept"));
    log_in_at(&page);
    assert_eq!(waits.head().expect(200).answer().text(), "ran echo");
    assert_eq!(rig.calls(), 1);
    assert!(!rig.server.seen().iter().any(|request| request.body.contains("inputResponses")));
    // Who comes back late is served all the same.
    assert_eq!(client.request("tools/call", again("x__echo", &key, "accept")).text(), "ran echo");
}

#[test]
fn a_modern_client_on_stdio_is_asked_too_and_may_give_up() {
    let rig = Rig::start();
    let client = Gateway::on(&conf_of(&rig)).stdio().modern();
    let (key, page) = asked(&client.request("tools/call", call_of("x__echo")));
    let waits = client.begin("tools/call", again("x__echo", &key, "accept"));
    client.send(
        &json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": waits } })
            .to_string(),
    );
    log_in_at(&page);
    assert_eq!(client.request("tools/call", call_of("x__echo")).text(), "ran echo");
    assert_eq!((client.answers(&waits), rig.calls()), (0, 1), "what was cancelled did not run");
}

#[test]
fn who_declines_gets_an_error_and_the_page_is_gone() {
    let rig = Rig::start();
    let client = Gateway::on(&conf_of(&rig)).stdio().modern();
    for action in ["decline", "cancel"] {
        let (key, page) = asked(&client.request("tools/call", call_of("x__echo")));
        let answer = client.request("tools/call", again("x__echo", &key, action));
        assert!(answer.error_text().contains("login to server `x` was declined"), "{}", answer.raw);
        eventually("the page is gone", || is_gone(&page));
    }
    assert_eq!(rig.calls(), 0);
}

#[test]
fn s8_a_page_is_good_once_and_for_the_browser_that_opened_it() {
    let rig = Rig::start();
    let client = stdio(&conf_of(&rig), "2025-11-25");
    let page = page_of(&client.call("x__echo", json!({})));
    for guess in
        [page.replace("/login/", "/login/0"), page[..page.len() - 1].to_owned(), page.replace("/login/", "/")]
    {
        assert_eq!(browse("POST", &guess, None).status, 404, "{guess}");
    }
    let away = press(&page);
    assert!(param(&away.address, "state").unwrap().len() >= 16);
    assert_eq!(param(&away.address, "code_challenge_method").as_deref(), Some("S256"));
    let back = away.agrees();
    assert_eq!(browse("GET", &back, None).status, 404, "another browser");
    let state = param(&back, "state").unwrap();
    assert_eq!(away.comes_back(&back.replace(&state, "another-state-of-the-same-length")).status, 404);
    // Whoever begins anew makes the state before worth nothing.
    let second = press(&page);
    assert!(matches!(away.comes_back(&back).status, 0 | 404));
    let back = second.agrees();
    assert_eq!(second.comes_back(&back).status, 200);
    assert!(matches!(second.comes_back(&back).status, 0 | 404), "a second time");
    eventually("the page is gone", || is_gone(&page));
    assert_eq!(rig.grants("authorization_code").len(), 1);
}

#[test]
fn a_login_that_is_refused_ends_the_page_and_the_next_call_gets_another() {
    let rig = Rig::with(|ways| ways.denies = Some("access_denied".into()));
    let conf = conf_of(&rig);
    let client = stdio(&conf, "2025-11-25");
    let page = page_of(&client.call("x__echo", json!({})));
    let away = press(&page);
    let shown = away.comes_back(&away.agrees());
    assert!(shown.body.contains("access_denied"), "{}", shown.body);
    eventually("the page is gone", || is_gone(&page));
    assert!(kept(&conf).is_empty() && client.notifications(DONE).is_empty());
    let next = page_of(&client.call("x__echo", json!({})));
    assert_ne!(next, page);
    rig.change(|ways| ways.denies = None);
    log_in_at(&next);
    assert_eq!(client.call("x__echo", json!({})).text(), "ran echo");
}

#[test]
fn a_login_by_the_command_is_as_good() {
    let rig = Rig::start();
    let conf = conf_of(&rig);
    let client = stdio(&conf, "2025-11-25");
    let page = page_of(&client.call("x__echo", json!({})));
    log_in(&conf, "x");
    client.wait("the page is done", |message| message.method() == DONE);
    eventually("the page is gone", || is_gone(&page));
    assert_eq!(client.call("x__echo", json!({})).text(), "ran echo");
}

#[test]
fn more_is_asked_for_on_a_page_when_a_call_needs_more() {
    let rig = Rig::start();
    let conf = conf_of(&rig);
    log_in(&conf, "x");
    let client = stdio(&conf, "2025-11-25");
    assert_eq!(client.call("x__echo", json!({})).text(), "ran echo");
    let answer = client.call("x__admin", json!({}));
    assert!(answer.error_text().contains("--scope \"admin\""), "{}", answer.raw);
    let away = press(&page_of(&answer));
    assert_eq!(param(&away.address, "scope").as_deref(), Some("base admin"));
    assert_eq!(away.comes_back(&away.agrees()).status, 200);
    client.wait("the page is done", |message| message.method() == DONE);
    assert_eq!(client.call("x__admin", json!({})).text(), "ran admin");
}

#[test]
fn who_opens_no_pages_or_sits_elsewhere_gets_the_command() {
    let rig = Rig::start();
    let conf = conf_of(&rig);
    let plain = |answer: &Message| {
        assert_eq!(answer.error_code(), -32603, "{}", answer.raw);
        assert!(answer.error_text().ends_with("run `mcp-manifold auth login x`"), "{}", answer.raw);
        assert!(!answer.raw.contains("/login/"), "{}", answer.raw);
    };
    let older = stdio(&conf, "2025-06-18");
    plain(&older.call("x__echo", json!({})));
    let form =
        json!({ "name": "x__echo", "arguments": {}, "_meta": { CAPABILITIES: { "elicitation": {} } } });
    plain(&Gateway::on(&conf).stdio().modern().request("tools/call", form));
    let settings = json!({ "http": { "bearerTokens": TOKENS } });
    conf.write(&json!({ "gateway": settings, "mcpServers": { "x": rig.entry() } }));
    let behind = Gateway::on(&conf).args(&["--behind-proxy"]).http();
    plain(&http(&behind, Some(TOKENS[0])).call("x__echo", json!({})));
    let mut modern = behind.modern();
    modern.bearer = Some(TOKENS[0].into());
    plain(&modern.request("tools/call", call_of("x__echo")));
}

#[test]
fn s4_whom_the_rules_keep_out_gets_no_page() {
    let rig = Rig::start();
    let mut settings = roles("admin");
    let conf = TempConf::with(|_| json!({ "gateway": settings, "mcpServers": { "x": rig.entry() } }));
    let gateway = Gateway::on(&conf).http();
    let call = |place: usize| http(&gateway, Some(TOKENS[place])).call("x__echo", json!({}));
    let denied = call(0);
    assert_eq!(denied.error_text(), "unknown tool `x__echo`", "nothing of the server shows");
    for place in [1, 2] {
        let answer = call(place);
        assert_eq!(answer.error_code(), -32603, "the login of the gateway is an admin's: {}", answer.raw);
        assert!(answer.error_text().contains("auth login x") && !answer.raw.contains("/login/"));
    }
    let page = page_of(&call(3));
    assert_eq!(browse("GET", &page, None).status, 200);
    settings["access"]["attach"]["callers"]["token-4"] = json!("execute");
    conf.write(&json!({ "gateway": settings, "mcpServers": { "x": rig.entry() } }));
    eventually("a page goes with the right to it", || is_gone(&page));
}

#[test]
fn s10_a_page_belongs_to_the_caller_who_asked() {
    let rig = Rig::start();
    let settings = json!({ "http": { "bearerTokens": TOKENS } });
    let conf = TempConf::with(|_| json!({ "gateway": settings, "mcpServers": { "x": rig.entry() } }));
    let gateway = Gateway::on(&conf).http();
    let client = |place: usize| {
        let mut client = gateway.modern();
        client.bearer = Some(TOKENS[place].into());
        client
    };
    let (ann, bob) = (client(0), client(1));
    let (key, page) = asked(&ann.request("tools/call", call_of("x__echo")));
    // Neither waiting at it nor ending it is for somebody else.
    let (own_key, own_page) = asked(&bob.request("tools/call", again("x__echo", &key, "accept")));
    assert!(own_key != key && own_page != page);
    assert!(bob.request("tools/call", again("x__echo", &key, "decline")).is_error());
    assert_eq!(browse("GET", &page, None).status, 200);
    // There are few of them for one server.
    asked(&client(2).request("tools/call", call_of("x__echo")));
    asked(&client(3).request("tools/call", call_of("x__echo")));
    conf.write(&json!({ "gateway": settings, "mcpServers": {} }));
    eventually("pages go with their server", || is_gone(&page) && is_gone(&own_page));
}
