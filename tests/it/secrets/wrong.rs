//! Requests that fail: what is wrong with the body, and with what stands before it.
//!
//! Nothing is sent here.

use crate::secrets::stage::Stage;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

/// Bodies with `canary` in them.
pub fn bodies(canary: &str) -> Vec<(&'static str, String)> {
    let text = json!(canary);
    let call =
        |rest: &str| format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{{rest}}}}}"#);
    vec![
        ("no JSON", format!("{{\"x\": {text}")),
        ("two names", call(&format!(r#""name":{text},"name":{text}"#))),
        ("a name that is a number", call(&format!(r#""name":7,"arguments":{{"x":{text}}}"#))),
        ("an unknown name", call(&format!(r#""name":"no__such","arguments":{{"x":{text}}}"#))),
        (
            "a deep argument",
            call(&format!(
                r#""name":"faulty__echo","arguments":{}{text}{}"#,
                "[".repeat(300),
                "]".repeat(300)
            )),
        ),
        (
            "a lone surrogate",
            call(&format!(r#""name":"faulty__echo","arguments":{{"x":{text},"y":"\ud800"}}"#)),
        ),
        (
            "an unknown method",
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"x/y","params":{{"x":{text}}}}}"#),
        ),
        ("an odd id", format!(r#"{{"jsonrpc":"2.0","id":{{"x":{text}}},"method":"ping"}}"#)),
        ("a list", format!("[{text}]")),
        ("an empty batch", "[]".into()),
    ]
}

/// Headers with what gets nobody in, or with what somebody shows who may come in and asks for what is not there.
pub fn headers(stage: &Stage) -> Vec<(&'static str, Vec<(&'static str, String)>)> {
    let canaries = &stage.canaries;
    let sent = canaries.of("sent").to_owned();
    let good = format!("Bearer {}", canaries.of("bearer"));
    let authorization = |value: String| vec![("authorization", value)];
    let bearer = |value: &str| authorization(format!("Bearer {value}"));
    let basic = |pair: String| authorization(format!("Basic {}", STANDARD.encode(pair)));
    let (key, jwt, password) = (canaries.of("key"), canaries.of("jwt"), canaries.of("phrase"));
    vec![
        ("no token", vec![("x-api-key", sent.clone())]),
        ("a wrong token", authorization(format!("Bearer {sent}"))),
        ("a longer token", authorization(format!("{good}{sent}"))),
        ("another scheme", authorization(format!("Basic {sent}"))),
        ("two tokens", vec![("authorization", good.clone()), ("authorization", format!("Bearer {sent}"))]),
        (
            "a wrong origin",
            vec![("authorization", good.clone()), ("origin", format!("http://{}", "evil.example"))],
        ),
        ("a session that is not", vec![("authorization", good.clone()), ("mcp-session-id", sent.clone())]),
        (
            "a version that is not",
            vec![("authorization", good.clone()), ("mcp-protocol-version", sent.clone())],
        ),
        ("a key that is longer", bearer(&format!("{key}0"))),
        ("a key as a user", basic(format!("{key}:"))),
        ("a key in another scheme", authorization(format!("Token {key}"))),
        ("a token with another signature", bearer(&format!("{jwt}AAAA"))),
        ("a token without a signature", bearer(jwt.rsplit_once('.').expect("three parts").0)),
        ("a token that ended", bearer(&stage.ended)),
        ("the password of somebody else", basic(format!("bob:{password}"))),
        ("a password as a token", bearer(password)),
        ("a key without a body", bearer(key)),
        ("a token without a body", bearer(jwt)),
        ("a password without a body", basic(format!("ann:{password}"))),
        ("another name", vec![("authorization", good), ("mcp-name", sent)]),
    ]
}
