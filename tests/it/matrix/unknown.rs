//! What nobody knows: methods are refused, notifications and stray answers ignored, on every transport.
//!
//! Fields and content types that nobody knows are a row of the table.

use crate::support::bed::Bed;
use crate::support::bed::CLIENTS;
use crate::support::bed::PEERS;
use crate::support::driver::Era;
use crate::support::message::Message;
use serde_json::json;

#[test]
fn unknown_methods_of_clients_are_refused_and_unknown_notifications_ignored() {
    for client in CLIENTS {
        let bed = Bed::start(client, json!({}), |_, _| Vec::new());
        for method in ["x-odd/method", "tools/", "notifications/x-odd", "elicitation/create", "roots/list"] {
            let answer = bed.driver.request(method, json!({ "x": 1 }));
            assert_eq!(answer.error_code(), -32601, "{client:?}: `{method}`: {}", answer.raw);
        }
        bed.driver.notify("notifications/x-odd", r#"{"x":1e2}"#);
        bed.driver.notify("x-odd", "[]");
        bed.driver.notify("tools/call", r#"{"name":"lp__echo"}"#);
        if client.0 == Era::Legacy {
            bed.driver.respond(&json!("nobody asked"), r#""result":{}"#);
            bed.driver.respond(&json!(7), r#""error":{"code":1,"message":"m"}"#);
        }
        for peer in &PEERS {
            let seen = bed.driver.call(&peer.name_of("seen"), json!({})).texts().join("\n");
            assert!(!seen.contains("x-odd") && !seen.contains("nobody asked"), "{client:?}: {seen}");
        }
        assert_eq!(bed.conf.ledger("call", "lp").len(), 1, "{client:?}: a notification is no call");
    }
}

#[test]
fn unknown_members_of_envelopes_are_left_out_and_harm_nobody() {
    for client in CLIENTS {
        let bed = Bed::start(client, json!({}), |_, _| Vec::new());
        for peer in &PEERS {
            let kind = if peer.era == Era::Modern { r#""resultType":"complete","# } else { "" };
            let members = format!(r#""x-odd":[1e400],"result":{{{kind}"content":[]}},"y":{{"id":1}}"#);
            let answer = bed.driver.call(&peer.name_of("members"), json!({ "members": members }));
            assert_eq!(answer.result()["content"], json!([]), "{client:?}: {peer:?}");
            assert!(!answer.raw.contains("x-odd"), "{client:?}: {}", answer.raw);
        }
    }
}

#[test]
fn unknown_questions_of_legacy_servers_are_refused_and_pings_answered() {
    for client in CLIENTS {
        let bed = Bed::start(client, json!({}), |_, _| Vec::new());
        for peer in PEERS.iter().filter(|peer| peer.era == Era::Legacy) {
            let ask = |method: &str| json!({ "ask": format!(r#""method":"{method}","params":{{}}"#) });
            let steps = json!({ "steps": [ask("x-odd/ask"), ask("tools/list"), ask("ping")] });
            let heard = bed.driver.call(&peer.name_of("play"), steps).texts();
            let heard: Vec<Message> = heard.into_iter().map(Message::new).collect();
            assert_eq!(
                [heard[0].error_code(), heard[1].error_code()],
                [-32601, -32601],
                "{client:?}: {peer:?}"
            );
            assert_eq!(heard[2].result(), &json!({}), "{client:?}: {peer:?}");
        }
    }
}
