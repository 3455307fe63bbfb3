//! Several clients of one process, each with a folder and variables of its own: what they share, and what they never do.
//!
//! Here they come through the library; how those of other processes do is tested elsewhere.

mod rig;

use crate::support::processes::MARK;
use crate::support::processes::is_alive;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;
use crate::views::rig::Rig;
use crate::views::rig::conf;
use crate::views::rig::eventually;
use crate::views::rig::file;
use mcp_manifold::auth::caller::Caller;
use mcp_manifold::config::model::Config;
use mcp_manifold::front::program::Program;
use mcp_manifold::reload::apply::apply;
use serde_json::Value;
use serde_json::json;
use std::pin::pin;
use std::sync::Arc;
use tokio::task::JoinSet;

fn token() -> Value {
    json!({ "TOKEN": "${env:TOKEN}" })
}

fn folder() -> Value {
    json!({ "FOLDER": "${workspaceFolder}" })
}

fn play(step: &Value) -> Value {
    json!({ "steps": [step] })
}

#[tokio::test]
async fn what_resolves_equally_is_one_child_and_what_does_not_is_each_clients_own() {
    let conf = conf(&[("own", token())]);
    let rig = Rig::start(&conf, &[]).await;
    let mut ann = rig.client("/a", &[("TOKEN", "anns"), ("PATH", "/elsewhere")]).await;
    let mut bob = rig.client("/b", &[("TOKEN", "bobs"), ("CLAUDE_PROJECT_DIR", "/p")]).await;
    let mut also_ann = rig.client("/c", &[("TOKEN", "anns")]).await;
    assert_eq!(rig.views.count(), 3, "the first, and one for each token");

    let all = ann.pid("all").await;
    assert_eq!((bob.pid("all").await, also_ann.pid("all").await), (all, all));
    let (anns, bobs) = (ann.pid("own").await, bob.pid("own").await);
    assert_eq!(also_ann.pid("own").await, anns);
    assert_ne!(anns, bobs);
    assert_eq!(ann.var("own", "TOKEN").await.as_deref(), Some("anns"));
    assert_eq!(bob.var("own", "TOKEN").await.as_deref(), Some("bobs"));
    for (client, server) in [(&mut ann, "all"), (&mut bob, "own")] {
        assert_eq!(client.var(server, "CLAUDE_PROJECT_DIR").await, None, "whose it is was not asked for");
        assert_eq!(client.var(server, "PATH").await.as_deref(), Some("/usr/bin"), "of the process");
    }
    assert_eq!((conf.spawns("all"), conf.spawns("own")), (1, 2));
    rig.stop().await;
    assert!(conf.processes().is_empty());
}

#[tokio::test]
async fn everybody_sees_what_resolves_for_them() {
    let conf = conf(&[("own", token()), ("place", folder())]);
    let rig = Rig::start(&conf, &[]).await;
    let mut with = rig.client("/a", &[("TOKEN", "t")]).await;
    let mut without = rig.client("/b", &[]).await;
    assert_eq!(with.servers().await, ["all", "own", "place"]);
    assert_eq!(without.servers().await, ["all", "place"]);
    assert_eq!(with.var("place", "FOLDER").await.as_deref(), Some("/a"));
    assert_eq!(without.var("place", "FOLDER").await.as_deref(), Some("/b"));

    let status = rig.status();
    let views = status["views"].as_array().expect("a list");
    assert_eq!(views.len(), 2, "{status}");
    assert!(views[0]["view"].as_str().is_some_and(|name| name.ends_with("(/a)")), "{status}");
    assert_eq!((&views[0]["sessions"], &views[0]["servers"]["own"]["state"]), (&json!(1), &json!("ready")));
    assert!(views[0]["servers"].get("all").is_none(), "it is listed with the first: {status}");
    assert!(views[1]["leftOut"]["own"].as_str().is_some_and(|why| why.contains("TOKEN")), "{status}");
    assert_eq!((&status["sessions"], &status["servers"]["all"]["state"]), (&json!(2), &json!("ready")));
    assert_eq!(status["sessionList"][1]["view"], views[1]["view"]);
    assert!(!status.to_string().contains("\"t\""));
    rig.stop().await;
}

#[tokio::test]
async fn lists_that_were_read_with_one_secret_are_not_shown_to_who_has_another() {
    let conf = conf(&[("own", token())]);
    for name in ["anns", "bobs", "anns"] {
        let rig = Rig::start(&conf, &[]).await;
        let mut client = rig.client("/a", &[("TOKEN", name)]).await;
        assert_eq!(client.servers().await, ["all", "own"]);
        rig.stop().await;
    }
    assert_eq!((conf.spawns("all"), conf.spawns("own")), (1, 2), "the third time its own lists are known");
}

#[tokio::test]
async fn what_a_shared_server_says_goes_to_whom_it_concerns_in_whichever_view() {
    let rig = Rig::start(&conf(&[("own", token())]), &[]).await;
    let mut ann = rig.client("/a", &[("TOKEN", "anns")]).await;
    let mut bob = rig.client("/b", &[("TOKEN", "bobs")]).await;
    let line = r#""level":"info","data":"#;
    let log =
        |data: &str| json!({ "announce": format!(r#"{line}"{data}""#), "method": "notifications/message" });
    ann.call("all__play", play(&log("to ann"))).await;
    bob.call("all__play", play(&log("to bob"))).await;
    let heard = |client: &rig::Client| -> Vec<String> {
        let lines = client.told("notifications/message");
        lines.iter().map(|line| line.json["params"]["data"].as_str().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!((heard(&ann), heard(&bob)), (vec!["to ann".to_owned()], vec!["to bob".to_owned()]));

    // With calls of both in flight it is nobody's.
    let waits = json!({ "ms": 200 });
    let (first, second) =
        (ann.begin_call("all__sleep", waits.clone()).await, bob.begin_call("all__sleep", waits).await);
    let refused = ann
        .call(
            "all__play",
            play(&json!({ "ask": r#""method":"elicitation/create","params":{"message":"m"}"# })),
        )
        .await;
    assert!(refused.raw.contains("calls of several clients"), "{}", refused.raw);
    ann.call("all__play", play(&log("to nobody"))).await;
    ann.answer(&first).await;
    bob.answer(&second).await;
    assert_eq!((heard(&ann).len(), heard(&bob).len()), (1, 1));

    let question =
        json!({ "ask": r#""method":"elicitation/create","params":{"message":"m","requestedSchema":{}}"# });
    let id = bob.begin_call("all__play", play(&question)).await;
    eventually("the question", || !bob.told("elicitation/create").is_empty()).await;
    let asked = bob.told("elicitation/create")[0].id().clone();
    bob.send(&json!({ "jsonrpc": "2.0", "id": asked, "result": { "action": "decline" } })).await;
    assert!(bob.answer(&id).await.text().contains("decline"));
    assert!(ann.told("elicitation/create").is_empty());
    rig.stop().await;
}

#[tokio::test]
async fn a_line_of_nobody_in_particular_goes_to_the_only_client_of_all_views_or_to_none() {
    let rig = Rig::start(&conf(&[("own", token())]), &[]).await;
    let line = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"d"}}"#;
    let aside = play(&json!({ "afterwards": line }));
    let mut ann = rig.client("/a", &[("TOKEN", "anns")]).await;
    ann.call("all__play", aside.clone()).await;
    eventually("she is the only one", || ann.told("notifications/message").len() == 1).await;
    let mut bob = rig.client("/b", &[("TOKEN", "bobs")]).await;
    bob.call("all__play", aside.clone()).await;
    ann.call("all__play", aside).await;
    // Each answer comes over the same connection as what was said before it.
    for client in [&mut ann, &mut bob] {
        client.call("all__pid", json!({})).await;
    }
    assert_eq!((ann.told("notifications/message").len(), bob.told("notifications/message").len()), (1, 0));
    rig.stop().await;
}

#[tokio::test]
async fn a_connection_of_one_session_is_its_own_in_every_view() {
    let conf = TempConf::new();
    let own = conf.fake("own").set("env", json!({ MARK: conf.mark(), "TOKEN": "${env:TOKEN}" }));
    let each = conf.fake("each").set("sharing", "per-session");
    conf.write(&servers([("own", own), ("each", each)]));
    let rig = Rig::start(&conf, &[]).await;
    let mut ann = rig.client("/a", &[("TOKEN", "anns")]).await;
    let mut bob = rig.client("/b", &[("TOKEN", "bobs")]).await;
    let (anns, bobs) = (ann.pid("each").await, bob.pid("each").await);
    assert_ne!(anns, bobs);

    let line = r#"{"jsonrpc":"2.0","method":"notifications/message","params":{"level":"info","data":"d"}}"#;
    let question = r#"{"jsonrpc":"2.0","id":"q","method":"elicitation/create","params":{"message":"m","requestedSchema":{}}}"#;
    let steps = json!({ "steps": [{ "afterwards": line }, { "afterwards": question }] });
    bob.call("each__play", steps).await.result();
    eventually("he is asked", || !bob.told("elicitation/create").is_empty()).await;
    assert_eq!((bob.told("notifications/message").len(), ann.told("notifications/message").len()), (1, 0));
    assert!(ann.told("elicitation/create").is_empty());
    bob.leave().await;
    eventually("it ends with its session", || !is_alive(bobs)).await;
    assert_eq!(ann.pid("each").await, anns);
    rig.stop().await;
}

#[tokio::test]
async fn updates_reach_every_view_that_wants_them_and_no_other() {
    const ITEM: &str = "fake-all://item/0";
    const UPDATED: &str = "notifications/resources/updated";
    let rig = Rig::start(&conf(&[("own", token())]), &[]).await;
    let mut ann = rig.client("/a", &[("TOKEN", "anns")]).await;
    let mut bob = rig.client("/b", &[("TOKEN", "bobs")]).await;
    let mut eve = rig.client("/e", &[("TOKEN", "eves")]).await;
    for client in [&mut ann, &mut bob] {
        client.request("resources/subscribe", json!({ "uri": ITEM })).await.result();
    }
    let changed = play(&json!({ "announce": format!(r#""uri":"{ITEM}""#), "method": UPDATED }));
    eve.call("all__play", changed.clone()).await;
    eventually("both are told", || ann.told(UPDATED).len() == 1 && bob.told(UPDATED).len() == 1).await;

    // The server is not told before the last has gone.
    ann.leave().await;
    eventually("the view has ended", || rig.views.count() == 3).await;
    eve.call("all__play", changed.clone()).await;
    eventually("the other one still is", || bob.told(UPDATED).len() == 2).await;
    bob.request("resources/unsubscribe", json!({ "uri": ITEM })).await.result();
    let mut seen = Vec::new();
    for _ in 0..200 {
        seen = eve.call("all__seen", json!({})).await.texts();
        if seen.iter().any(|line| line.contains("resources/unsubscribe")) {
            break;
        }
    }
    let count = |method: &str| seen.iter().filter(|line| line.contains(method)).count();
    assert_eq!((count("resources/subscribe"), count("resources/unsubscribe")), (1, 1), "{seen:?}");
    assert!(eve.told(UPDATED).is_empty());
    rig.stop().await;
}

#[tokio::test]
async fn every_view_follows_the_file_with_its_own_variables() {
    let conf = conf(&[("own", token())]);
    let rig = Rig::start(&conf, &[]).await;
    let mut ann = rig.client("/a", &[("TOKEN", "anns")]).await;
    let mut bob = rig.client("/b", &[("TOKEN", "bobs")]).await;
    let (all, before) = (ann.pid("all").await, [ann.pid("own").await, bob.pid("own").await]);
    file(&conf, &[("own", json!({ "TOKEN": "new ${env:TOKEN}" })), ("late", json!({}))]);
    for client in [&mut ann, &mut bob] {
        eventually("it is told", || !client.told("notifications/tools/list_changed").is_empty()).await;
    }
    assert_eq!(ann.servers().await, ["all", "late", "own"]);
    assert_eq!(ann.var("own", "TOKEN").await.as_deref(), Some("new anns"));
    assert_eq!(bob.var("own", "TOKEN").await.as_deref(), Some("new bobs"));
    assert_eq!(ann.pid("late").await, bob.pid("late").await);
    assert_eq!(bob.pid("all").await, all, "what did not change goes on");
    eventually("the old ones have ended", || !before.into_iter().any(is_alive)).await;
    assert!(!ann.misplaced.is_cancelled() && !bob.misplaced.is_cancelled());
    assert_eq!(conf.spawns("late"), 1);
    rig.stop().await;
}

#[tokio::test]
async fn a_view_ends_with_its_last_client_and_a_shared_child_with_its_last_view() {
    let conf = conf(&[("own", token()), ("place", folder())]);
    let rig = Rig::start(&conf, &[]).await;
    let anns = [("TOKEN", "anns")];
    let mut one = rig.client("/a", &anns).await;
    let two = rig.client("/a", &anns).await;
    let mut other = rig.client("/b", &anns).await;
    let (all, own) = (one.pid("all").await, one.pid("own").await);
    let (here, there) = (one.pid("place").await, other.pid("place").await);
    assert_eq!((other.pid("own").await, rig.views.count()), (own, 3), "the first has no `own`");
    one.leave().await;
    assert_eq!(rig.views.count(), 3, "somebody is left");
    two.leave().await;
    assert_eq!(rig.views.count(), 2);
    eventually("its own child has ended", || !is_alive(here)).await;
    assert_eq!((other.pid("own").await, other.pid("place").await), (own, there));
    other.leave().await;
    eventually("those of the last view too", || !is_alive(own) && !is_alive(there)).await;
    assert!(is_alive(all), "the first view stays");
    eventually("nothing is left of them", || rig.status().get("views").is_none()).await;
    rig.stop().await;
    assert!(conf.processes().is_empty());
}

#[tokio::test]
async fn a_server_that_leaves_the_file_finishes_the_calls_of_every_view() {
    let conf = conf(&[("own", token()), ("gone", json!({}))]);
    let rig = Rig::start(&conf, &[]).await;
    let mut ann = rig.client("/a", &[("TOKEN", "anns")]).await;
    let mut bob = rig.client("/b", &[("TOKEN", "bobs")]).await;
    let pid = bob.pid("gone").await;
    let waits = json!({ "ms": 1500 });
    let calls =
        (ann.begin_call("gone__sleep", waits.clone()).await, bob.begin_call("gone__sleep", waits).await);
    file(&conf, &[("own", token())]);
    for client in [&mut ann, &mut bob] {
        eventually("it is told", || !client.told("notifications/tools/list_changed").is_empty()).await;
        assert_eq!(client.servers().await, ["all", "own"]);
    }
    ann.answer(&calls.0).await.result();
    bob.answer(&calls.1).await.result();
    eventually("it has ended", || !is_alive(pid)).await;
    rig.stop().await;
}

#[tokio::test]
async fn clients_for_whom_the_file_comes_to_differ_are_told_to_come_anew() {
    let conf = conf(&[("own", token())]);
    let rig = Rig::start(&conf, &[]).await;
    let (first, second) = ([("TOKEN", "t"), ("X", "1")], [("TOKEN", "t"), ("X", "2")]);
    let mut one = rig.client("/a", &first).await;
    let mut two = rig.client("/a", &second).await;
    let plain = rig.client("/a", &[]).await;
    let own = one.pid("own").await;
    assert_eq!((two.pid("own").await, rig.views.count()), (own, 2));

    file(&conf, &[("own", token()), ("new", json!({ "X": "${env:X}" }))]);
    eventually("the second is told", || two.misplaced.is_cancelled()).await;
    two.leave().await;
    let mut two = rig.client("/a", &second).await;
    eventually("the first has it too", || !one.told("notifications/tools/list_changed").is_empty()).await;
    assert_eq!(one.var("new", "X").await.as_deref(), Some("1"));
    assert_eq!(two.var("new", "X").await.as_deref(), Some("2"));
    assert_eq!((two.pid("own").await, rig.views.count()), (own, 3));
    assert!(!one.misplaced.is_cancelled() && !plain.misplaced.is_cancelled());
    rig.stop().await;
}

#[tokio::test]
async fn a_call_that_was_taken_before_an_edit_is_made_although_its_server_was_not_started_yet() {
    let conf = conf(&[]);
    let first = Rig::start(&conf, &[]).await;
    first.client("/a", &[]).await.leave().await;
    first.stop().await;
    let rig = Rig::start(&conf, &[]).await;
    let program = Program::new(rig.gateway.clone(), Caller::Local);
    let mut call = pin!(program.call_tool("all__pid", "{}"));
    tokio::select! {
        biased;
        _ = &mut call => panic!("no server runs"),
        () = std::future::ready(()) => {}
    }
    apply(&rig.gateway, Config::default());
    assert!(call.await.is_ok_and(|result| result.get().contains("content")));
    assert!(program.call_tool("all__pid", "{}").await.is_err());
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_come_and_go_while_the_file_changes_leave_nothing_behind() {
    let conf = conf(&[("own", token()), ("place", folder())]);
    let rig = Arc::new(Rig::start(&conf, &[]).await);
    let mut clients = JoinSet::new();
    for n in 0..4 {
        let rig = Arc::clone(&rig);
        clients.spawn(async move {
            let (folder, name) = (format!("/{}", n % 2), format!("token {n}"));
            for _ in 0..5 {
                let mut client = rig.client(&folder, &[("TOKEN", &name)]).await;
                assert!(client.var("own", "TOKEN").await.is_some_and(|seen| seen.ends_with(&name)));
                assert_eq!(client.var("place", "FOLDER").await.as_deref(), Some(&*folder));
                client.pid("all").await;
                client.leave().await;
            }
        });
    }
    for n in 0..4 {
        file(&conf, &[("own", json!({ "TOKEN": format!("{n} ${{env:TOKEN}}") })), ("place", folder())]);
        let generation = || rig.status()["config"]["generation"].as_u64().unwrap_or_default();
        let before = generation();
        eventually("the file is followed", || generation() > before).await;
    }
    while let Some(ended) = clients.join_next().await {
        ended.expect("no client fails");
    }
    eventually("the first view alone is left", || rig.status().get("views").is_none()).await;
    assert_eq!((rig.views.count(), conf.spawns("all")), (1, 1));
    Arc::into_inner(rig).expect("nobody holds it").stop().await;
    assert!(conf.processes().is_empty());
}
