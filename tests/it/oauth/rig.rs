//! An authorization server and a server that it protects, both as one may wish them, good or evil.
//!
//! They are written anew from the RFCs and use nothing of the crate under test.

use crate::oauth::web::Request;
use crate::oauth::web::Response;
use crate::oauth::web::Web;
use crate::oauth::web::parameter;
use crate::support::stdio_client::lock;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use serde_json::json;
use sha2::Digest;
use sha2::Sha256;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::Mutex;

/// How both behave. What starts with `changes_` is merged over the document that is published.
#[derive(Clone)]
pub struct Ways {
    pub changes_resource: Value,
    pub changes_metadata: Value,
    /// The `iss` that browsers come back with; `None` leaves it out.
    pub iss: Option<String>,
    /// The error that browsers come back with.
    pub denies: Option<String>,
    /// What clients that register get as their secret.
    pub client_secret: Option<String>,
    /// How long the first token and those that follow are valid, in seconds.
    pub lifetimes: (u64, u64),
    pub gives_refresh_token: bool,
    /// What access and refresh tokens end with.
    pub ends: (String, String),
    pub withdraws: bool,
    /// No token is good enough.
    pub refuses_all: bool,
    /// Anybody may use the server.
    pub open: bool,
    /// Anybody may shake hands.
    pub greets: bool,
    /// The server names nobody and is its own authorization server.
    pub alone: bool,
    /// The authorization server has forgotten the client with this id.
    pub forgets: Option<&'static str>,
    /// The scope that lists need, if any.
    pub lists_need: &'static str,
}

impl Default for Ways {
    fn default() -> Self {
        Self {
            changes_resource: json!({}),
            changes_metadata: json!({}),
            iss: Some("own".into()),
            denies: None,
            client_secret: None,
            lifetimes: (3600, 3600),
            gives_refresh_token: true,
            ends: (String::new(), String::new()),
            withdraws: false,
            refuses_all: false,
            open: false,
            greets: false,
            alone: false,
            forgets: None,
            lists_need: "",
        }
    }
}

#[derive(Default)]
struct State {
    ways: Option<Ways>,
    issued: usize,
    /// Code → challenge, scope.
    codes: HashMap<String, (String, String)>,
    /// Access token → scope.
    access: HashMap<String, String>,
    /// Refresh token → scope; used ones are gone.
    refresh: HashMap<String, String>,
    calls: usize,
    registered: Vec<Value>,
}

/// Both.
pub struct Rig {
    pub server: Web,
    pub issuer: Web,
    state: Arc<Mutex<State>>,
}

impl Rig {
    /// Two that behave well.
    pub fn start() -> Self {
        Self::with(|_| {})
    }

    /// Two that behave like this.
    pub fn with(change: impl FnOnce(&mut Ways)) -> Self {
        let mut ways = Ways::default();
        change(&mut ways);
        let state = Arc::new(Mutex::new(State { ways: Some(ways), ..State::default() }));
        let of_issuer = Arc::clone(&state);
        let issuer = Web::start(move |request, me| authorize(&mut lock(&of_issuer), request, me));
        let (of_server, at) = (Arc::clone(&state), issuer.addr);
        let server = Web::start(move |request, me| protect(&mut lock(&of_server), request, me, at));
        Self { server, issuer, state }
    }

    /// Changes how they behave.
    pub fn change(&self, change: impl FnOnce(&mut Ways)) {
        change(lock(&self.state).ways.as_mut().expect("there are ways"));
    }

    /// All access tokens are withdrawn.
    pub fn revoke_access(&self) {
        lock(&self.state).access.clear();
    }

    /// Calls of tools that ran.
    pub fn calls(&self) -> usize {
        lock(&self.state).calls
    }

    /// Requests for tokens with this grant.
    pub fn grants(&self, kind: &str) -> Vec<Request> {
        let all = self.issuer.seen_at("/token");
        all.into_iter().filter(|request| request.param("grant_type").as_deref() == Some(kind)).collect()
    }

    /// What clients registered with.
    pub fn registered(&self) -> Vec<Value> {
        lock(&self.state).registered.clone()
    }

    /// An entry of the file for the server.
    pub fn entry(&self) -> Value {
        json!({ "url": self.server.url("/mcp"), "type": "http", "callTimeout": "20s" })
    }

    /// All tokens, codes and secrets that were given out.
    pub fn secrets(&self) -> Vec<String> {
        let state = lock(&self.state);
        let mut all: Vec<String> = state.access.keys().chain(state.refresh.keys()).cloned().collect();
        all.extend(state.codes.keys().cloned());
        all
    }
}

fn merged(mut document: Value, changes: &Value) -> Value {
    for (key, value) in changes.as_object().into_iter().flatten() {
        document[key] = value.clone();
    }
    document.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
    document
}

/// The authorization server.
fn authorize(state: &mut State, request: &Request, me: SocketAddr) -> Response {
    let ways = state.ways.clone().expect("there are ways");
    let base = format!("http://{me}");
    match request.path.as_str() {
        "/.well-known/oauth-authorization-server" => {
            let document = json!({
                "issuer": base, "authorization_endpoint": format!("{base}/authorize"),
                "token_endpoint": format!("{base}/token"), "registration_endpoint": format!("{base}/register"),
                "response_types_supported": ["code"], "code_challenge_methods_supported": ["S256"],
                "authorization_response_iss_parameter_supported": true,
                "token_endpoint_auth_methods_supported": ["none", "client_secret_basic"]
            });
            Response::json(200, &merged(document, &ways.changes_metadata))
        }
        "/register" => {
            let asked: Value = serde_json::from_str(&request.body).expect("a registration");
            state.registered.push(asked.clone());
            let id = format!("client-{}", state.registered.len());
            let mut given = json!({ "client_id": id, "redirect_uris": asked["redirect_uris"] });
            if let Some(secret) = &ways.client_secret {
                given["client_secret"] = json!(secret);
            }
            Response::json(201, &given)
        }
        "/authorize" => approve(state, &ways, request, &base),
        "/token" => token(state, &ways, request),
        _ => Response::empty(404),
    }
}

/// The person agrees at once.
fn approve(state: &mut State, ways: &Ways, request: &Request, base: &str) -> Response {
    let asked = |name: &str| request.param(name).unwrap_or_default();
    assert_eq!((&*asked("response_type"), &*asked("code_challenge_method")), ("code", "S256"));
    if ways.forgets.is_some_and(|id| id == asked("client_id")) {
        return Response::empty(400);
    }
    state.issued += 1;
    let code = format!("code-{:04}-{:x}", state.issued, state.issued * 7919);
    state.codes.insert(code.clone(), (asked("code_challenge"), asked("scope")));
    let mut back = url::Url::parse(&asked("redirect_uri")).expect("an address to go back to");
    {
        let mut pairs = back.query_pairs_mut();
        pairs.append_pair("state", &asked("state"));
        match &ways.denies {
            Some(error) => pairs.append_pair("error", error),
            None => pairs.append_pair("code", &code),
        };
        if let Some(iss) = &ways.iss {
            pairs.append_pair("iss", if iss == "own" { base } else { iss });
        }
    }
    Response::empty(302).with("location", back.as_str())
}

fn token(state: &mut State, ways: &Ways, request: &Request) -> Response {
    let asked = |name: &str| request.param(name).unwrap_or_default();
    let refused = |error: &str| Response::json(400, &json!({ "error": error, "error_description": "no" }));
    if let Some(secret) = &ways.client_secret {
        let shown = request.headers.get("authorization").and_then(|value| value.strip_prefix("Basic "));
        let shown = shown.and_then(|text| base64::engine::general_purpose::STANDARD.decode(text).ok());
        let shown = shown.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
        if !shown.ends_with(&format!(":{secret}")) {
            return Response::json(401, &json!({ "error": "invalid_client" }));
        }
    }
    let (scope, lifetime) = match asked("grant_type").as_str() {
        "authorization_code" => {
            let Some((challenge, scope)) = state.codes.remove(&asked("code")) else {
                return refused("invalid_grant");
            };
            let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(asked("code_verifier").as_bytes()));
            if digest != challenge {
                return refused("invalid_grant");
            }
            (scope, ways.lifetimes.0)
        }
        "refresh_token" if ways.withdraws => return refused("invalid_grant"),
        "refresh_token" => match state.refresh.remove(&asked("refresh_token")) {
            Some(scope) => (scope, ways.lifetimes.1),
            // One that was used already: somebody stole it, so everything is withdrawn.
            None => {
                state.refresh.clear();
                state.access.clear();
                return refused("invalid_grant");
            }
        },
        _ => return refused("unsupported_grant_type"),
    };
    state.issued += 1;
    let (number, (access, refresh)) = (state.issued, &ways.ends);
    let (access, refresh) =
        (format!("at-{number:04}-secret{access}"), format!("rt-{number:04}-secret{refresh}"));
    state.access.insert(access.clone(), scope.clone());
    let mut given =
        json!({ "access_token": access, "token_type": "Bearer", "expires_in": lifetime, "scope": scope });
    if ways.gives_refresh_token {
        state.refresh.insert(refresh.clone(), scope);
        given["refresh_token"] = json!(refresh);
    }
    Response::json(200, &given)
}

/// The server: `echo` for everybody with a token, `admin` for those with the scope `admin`.
fn protect(state: &mut State, request: &Request, me: SocketAddr, issuer: SocketAddr) -> Response {
    let ways = state.ways.clone().expect("there are ways");
    let document = format!("http://{me}/.well-known/oauth-protected-resource/mcp");
    if ways.alone && request.path != "/mcp" {
        return if request.path.contains("protected-resource") {
            Response::empty(404)
        } else {
            authorize(state, request, me)
        };
    }
    if request.path.starts_with("/.well-known/oauth-protected-resource") {
        let own = json!({
            "resource": format!("http://{me}/mcp"), "authorization_servers": [format!("http://{issuer}")],
            "scopes_supported": ["base"]
        });
        return Response::json(200, &merged(own, &ways.changes_resource));
    }
    if request.path != "/mcp" {
        return Response::empty(404);
    }
    let shown = request.headers.get("authorization").and_then(|value| value.strip_prefix("Bearer "));
    let scope = shown.and_then(|token| state.access.get(token)).filter(|_| !ways.refuses_all).cloned();
    let said: Value = serde_json::from_str(&request.body).unwrap_or_default();
    let method = said["method"].as_str().unwrap_or_default();
    let greeting = ways.greets && matches!(method, "initialize" | "notifications/initialized");
    let Some(scope) = scope.or((ways.open || greeting).then(String::new)) else {
        let challenge = match ways.alone {
            true => r#"Bearer scope="base""#.to_owned(),
            false => format!(r#"Bearer resource_metadata="{document}", scope="base""#),
        };
        return Response::empty(401).with("www-authenticate", challenge);
    };
    if request.method != "POST" {
        return Response::empty(405);
    }
    run(state, &ways, &said, &scope, &document)
}

/// What those get who have a token with `scope`.
fn run(state: &mut State, ways: &Ways, said: &Value, scope: &str, document: &str) -> Response {
    let method = said["method"].as_str().unwrap_or_default();
    let insufficient = |scope: &str| {
        let challenge =
            format!(r#"Bearer error="insufficient_scope", scope="{scope}", resource_metadata="{document}""#);
        Response::empty(403).with("www-authenticate", challenge)
    };
    let may = |what: &str| ways.open || what.is_empty() || scope.split(' ').any(|one| one == what);
    let answer =
        |result: Value| Response::json(200, &json!({ "jsonrpc": "2.0", "id": said["id"], "result": result }));
    match method {
        "initialize" => answer(json!({
            "protocolVersion": "2025-11-25", "capabilities": { "tools": {} },
            "serverInfo": { "name": "guarded", "version": "1" }
        })),
        "tools/list" if !may(ways.lists_need) => insufficient(ways.lists_need),
        "tools/list" => {
            let tool = |name: &str| json!({ "name": name, "inputSchema": { "type": "object" } });
            answer(json!({ "tools": [tool("echo"), tool("admin")] }))
        }
        "tools/call" if said["params"]["name"] == "admin" && !may("admin") => insufficient("admin"),
        "tools/call" => {
            state.calls += 1;
            let text = format!("ran {}", said["params"]["name"].as_str().unwrap_or_default());
            answer(json!({ "content": [{ "type": "text", "text": text }] }))
        }
        _ if said.get("id").is_none() => Response::empty(202),
        _ => {
            let error = json!({ "code": -32601, "message": "no such method" });
            Response::json(200, &json!({ "jsonrpc": "2.0", "id": said["id"], "error": error }))
        }
    }
}

/// The parameter of an address.
pub fn param(url: &str, name: &str) -> Option<String> {
    parameter(url.split_once('?')?.1, name)
}
