//! A name that somebody gives itself is no way into what the file says of somebody else.

use crate::access::issuer::AUDIENCE;
use crate::access::issuer::Issuer;
use crate::access::rig::bearer;
use crate::access::rig::status;
use crate::policy::TOKENS;
use crate::policy::link::Link;
use crate::support::gateway::Gateway;
use crate::support::gateway::HttpGateway;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;
use serde_json::Value;
use serde_json::json;

/// Tokens of `issuer` say in `nick` what their holder is called. Who is named in `attach` may use everything.
fn gateway(issuer: &Issuer, more: &Value) -> HttpGateway {
    let conf = TempConf::with(|conf| {
        let mut all = servers([("s", conf.fake("s").tools(&["echo"]))]);
        let callers = json!({
            "key:abc": "all", "basic:bob": "all", "local": "all", "anonymous": "all", "token-1": "all", "token:2": "all",
            "name:nightly": "all", "jwt:*|root": "all", "ann": "all",
        });
        all["gateway"] = json!({
            "auth": {
                "resource": AUDIENCE,
                "jwt": [{ "issuer": issuer.name(), "claims": { "caller": "nick" } }],
            },
            "http": { "bearerTokens": TOKENS },
            "access": {
                "default": "deny", "policies": { "all": { "default": "execute" } }, "attach": { "callers": callers },
            },
        });
        for (key, value) in more.as_object().expect("an object") {
            all["gateway"][key] = value.clone();
        }
        all
    });
    Gateway::on(&conf).http()
}

fn token(issuer: &Issuer, subject: &str, nick: &str) -> String {
    let mut claims = issuer.claims();
    (claims["sub"], claims["nick"]) = (json!(subject), json!(nick));
    issuer.signer.token("EdDSA", json!({}), &claims)
}

#[test]
fn s4_nobody_names_itself_into_the_policy_of_somebody_else() {
    let issuer = Issuer::start();
    let gateway = gateway(&issuer, &json!({}));
    let tools = |token: &str| {
        let (link, _) = Link::http(&gateway, "2026-07-28", Some(token));
        link.request("tools/list", json!({})).tools().len()
    };
    let taken =
        ["key:abc", "basic:bob", "local", "anonymous", "token-1", "token:2", "name:nightly", "jwt:x|root"];
    for name in taken {
        assert_eq!(tools(&token(&issuer, "eve", name)), 0, "called `{name}`");
    }
    for subject in &taken[..taken.len() - 1] {
        assert_eq!(tools(&token(&issuer, subject, "")), 0, "subject `{subject}`");
    }
    for (subject, name) in [("eve", "ann"), ("ann", ""), ("root", "eve"), ("root", "local")] {
        assert_eq!(tools(&token(&issuer, subject, name)), 1, "{subject}, called `{name}`");
    }
    assert_eq!([tools(TOKENS[0]), tools(TOKENS[1]), tools(TOKENS[2])], [1, 1, 0]);
}

#[test]
fn s4_each_scope_of_a_token_counts_and_none_is_left_out() {
    let issuer = Issuer::start();
    let gateway = gateway(
        &issuer,
        &json!({ "access": {
        "default": "execute",
        "policies": { "look": { "default": "read" } },
        "attach": { "claims": { "scope": { "readonly": "look" }, "scp": { "readonly": "look" }, "role": { "guest": "look" } } },
    } }),
    );
    let with = |name: &str, value: Value| {
        let mut claims = issuer.claims();
        claims[name] = value;
        issuer.signer.token("EdDSA", json!({}), &claims)
    };
    let may = |token: &str| {
        let (link, _) = Link::http(&gateway, "2026-07-28", Some(token));
        !link.call("s__echo").is_error()
    };
    for (name, value, expected) in [
        ("scope", json!("mcp readonly"), false),
        ("scope", json!("readonly"), false),
        ("scope", json!("mcp  readonly "), false),
        ("scp", json!(["mcp", "readonly"]), false),
        ("scope", json!("mcp readonlyx"), true),
        ("role", json!("no guest"), true),
        ("role", json!("guest"), false),
    ] {
        assert_eq!(may(&with(name, value.clone())), expected, "{name}: {value}");
    }
    let roles = |count: usize| json!((0..count).map(|number| format!("role-{number}")).collect::<Vec<_>>());
    assert!(may(&with("role", roles(256))));
    let shown = bearer(&with("role", roles(257)));
    assert_eq!(status(&gateway, &shown), 401, "what is left out could take a right away");
}

#[test]
fn nobody_names_itself_into_the_rate_of_somebody_else() {
    let issuer = Issuer::start();
    let rates = json!({ "perCaller": { "rate": "1/1h" }, "callers": {
        "key:abc": "100/1m", "local": "100/1m", "token-1": "100/1m", "ann": "100/1m",
    } });
    let gateway = gateway(&issuer, &json!({ "rates": rates, "access": { "default": "execute" } }));
    for (name, may) in [("key:abc", false), ("local", false), ("token-1", false), ("ann", true)] {
        let (link, _) =
            Link::http(&gateway, "2026-07-28", Some(&token(&issuer, &format!("eve-{name}"), name)));
        assert!(!link.call("s__echo").is_error());
        assert_eq!(link.call("s__echo").is_error(), !may, "called `{name}`");
    }
    let (link, _) = Link::http(&gateway, "2026-07-28", Some(TOKENS[0]));
    assert!(!link.call("s__echo").is_error() && !link.call("s__echo").is_error());
}
