//! Clients whose folder or variables make something else of the file: each gets what is its own, and shares the rest.
//!
//! How gateways stand beside each other in one process is tried in `views.rs`.

use crate::shared::rig;
use crate::shared::rig::Shared;
use crate::support::eventually::eventually;
use crate::support::stdio_client::StdioClient;
use serde_json::json;
use std::sync::Arc;

/// A client with this variable.
fn client(shared: &Arc<Shared>, name: &str, value: &str) -> StdioClient {
    let mut command = shared.command(&[]);
    command.env(name, value).env("PATH", format!("/usr/bin:/bin:/{value}"));
    StdioClient::spawn(command, None).legacy()
}

fn pid(client: &StdioClient, server: &str) -> String {
    client.call(&format!("{server}__pid"), json!({})).text().to_owned()
}

#[test]
fn what_resolves_otherwise_is_started_for_each_and_everything_else_once() {
    let shared = Shared::start(|conf| {
        let own = conf.fake("own").args(&["--name", "${WHO:-nobody}"]);
        let needs = conf.fake("needs").args(&["--name", "${ONLY}"]);
        json!({ "mcpServers": { "own": own.json(), "all": conf.fake("all").json(), "needs": needs.json() } })
    });
    let (ann, bob) = (client(&shared, "WHO", "ann"), client(&shared, "WHO", "bob"));
    let other = client(&shared, "WHO", "ann");
    let has = client(&shared, "ONLY", "me");
    assert_eq!(pid(&ann, "own"), pid(&other, "own"));
    assert_ne!(pid(&ann, "own"), pid(&bob, "own"));
    for one in [&bob, &other, &has] {
        assert_eq!(pid(one, "all"), pid(&ann, "all"));
        assert_eq!(rig::attached_to(one), rig::attached_to(&ann));
    }
    assert_eq!(shared.conf().spawns("ann") + shared.conf().spawns("bob"), 2);
    let lists = |client: &StdioClient| client.request("tools/list", json!({})).tools();
    assert!(lists(&has).contains(&"needs__pid".to_owned()));
    assert!(!lists(&ann).contains(&"needs__pid".to_owned()), "what it has no variable for");
    assert_eq!(shared.status()["sessions"], 4);
}

#[test]
fn an_edit_that_makes_clients_differ_gives_each_its_own() {
    let shared = Shared::with_servers(1, "60s");
    let (ann, bob) = (client(&shared, "WHO", "ann"), client(&shared, "WHO", "bob"));
    assert_eq!(pid(&ann, "s0"), pid(&bob, "s0"));
    let own = shared.conf().fake("s0").args(&["--name", "${WHO}"]);
    shared.conf().write(&json!({ "mcpServers": { "s0": own.json() } }));
    eventually("each has its own", || {
        let (ann, bob) = (pid(&ann, "s0"), pid(&bob, "s0"));
        ann != bob && shared.conf().spawns("ann") == 1 && shared.conf().spawns("bob") == 1
    });
    assert_eq!(rig::attached_to(&ann), rig::attached_to(&bob), "of one gateway");
    for client in [&ann, &bob] {
        assert!(client.messages().iter().all(|message| !message.is_error()), "nothing is lost on the way");
    }
}
