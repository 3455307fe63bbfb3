//! What callers hear unasked: updates, changed lists and log lines of what they may see, and nothing else, also when rules
//! change while a stream is open.

use crate::policy::TOKENS;
use crate::policy::link::Link;
use crate::support::eventually::eventually;
use crate::support::gateway::Gateway;
use crate::support::gateway::HttpGateway;
use crate::support::http_client::HttpClient;
use crate::support::http_client::Reply;
use crate::support::tempconf::TempConf;
use serde_json::Value;
use serde_json::json;

const UPDATED: &str = "notifications/resources/updated";
const CHANGED: &str = "notifications/tools/list_changed";
const LOG: &str = "notifications/message";
const ACKNOWLEDGED: &str = "notifications/subscriptions/acknowledged";
const ITEMS: [&str; 2] = ["fake-a://item/0", "fake-b://item/0"];
/// Who sees everything, and who is told of the rules.
const ALL: &str = TOKENS[0];
const FEW: &str = TOKENS[1];

/// Servers `a` and `b` of this era, and rules for the second token.
fn write(conf: &TempConf, era: &str, rules: &Value) {
    let fake = |name: &str| conf.fake(name).args(&["--era", era, "--tasks"]).set("sharing", "shared").json();
    let policies = json!({ "few": { "default": "execute", "rules": rules } });
    let access = json!({ "policies": policies, "attach": { "callers": { "token-2": "few" } } });
    conf.write(&json!({
        "gateway": { "access": access, "http": { "bearerTokens": TOKENS } },
        // With only one server left every URI would be its.
        "mcpServers": { "a": fake("a"), "b": fake("b"), "c": fake("c") },
    }));
}

fn hide_a() -> Value {
    json!([{ "server": "a", "level": "deny" }])
}

/// A client with an open stream on which it is told what it wants to hear.
struct Ear {
    client: HttpClient,
    stream: Reply,
}

impl Ear {
    fn open(gateway: &HttpGateway, version: &str, token: &str) -> Self {
        let (Link::Http(client), _) = Link::http(gateway, version, Some(token)) else { panic!("over HTTP") };
        client.request("tools/list", json!({})).result();
        let stream = if version == "2026-07-28" {
            let (stream, honoured) = listen(&client);
            assert_eq!(honoured, json!(ITEMS));
            stream
        } else {
            for uri in ITEMS {
                client.request("resources/subscribe", json!({ "uri": uri })).result();
            }
            client.send("GET", &[("accept", "text/event-stream")]).expect(200)
        };
        Self { client, stream }
    }

    /// Everything it is told before the message of server `b` that `fence` has sent.
    fn heard_before(&mut self, fence: u64) -> Vec<String> {
        let mut heard = Vec::new();
        loop {
            let message = self.stream.next().expect("the stream goes on");
            let params = &message.json["params"];
            if params["x-fence"] == fence || params["data"] == fence {
                return heard;
            }
            heard.push(format!("{} {}", message.method(), params["uri"].as_str().unwrap_or_default()));
        }
    }

    fn wait(&mut self, method: &str) {
        self.stream.wait(method, |message| message.method() == method);
    }

    fn sees_a(&self) -> bool {
        let names = self.client.request("tools/list", json!({})).tools();
        names.iter().any(|name| name.starts_with("a__"))
    }
}

/// Listens to everything; which resources it will hear of.
fn listen(client: &HttpClient) -> (Reply, Value) {
    let wanted = json!({ "toolsListChanged": true, "resourceSubscriptions": ITEMS });
    let mut stream =
        client.begin("subscriptions/listen", json!({ "notifications": wanted })).head().expect(200);
    let said = stream.wait("the acknowledgement", |message| message.method() == ACKNOWLEDGED);
    let honoured = said.json["params"]["notifications"]["resourceSubscriptions"].clone();
    (stream, honoured)
}

fn update(owner: &HttpClient, server: usize, fence: u64) {
    let step =
        json!({ "announce": format!(r#""uri":"{}","x-fence":{fence}"#, ITEMS[server]), "method": UPDATED });
    let tool = ["a__play", "b__play"][server];
    owner.call(tool, json!({ "steps": [step] })).result();
}

#[test]
fn s4_a_right_that_is_taken_away_ends_what_is_heard_on_open_streams() {
    for (era, version) in [
        ("legacy", "2025-11-25"),
        ("legacy", "2026-07-28"),
        ("modern", "2025-11-25"),
        ("modern", "2026-07-28"),
    ] {
        let what = format!("{era}, {version}");
        let conf = TempConf::new();
        write(&conf, era, &json!([]));
        let gateway = Gateway::on(&conf).http();
        let (Link::Http(owner), _) = Link::http(&gateway, "2026-07-28", Some(ALL)) else {
            panic!("over HTTP")
        };
        let (mut all, mut few) = (Ear::open(&gateway, version, ALL), Ear::open(&gateway, version, FEW));
        let updated = format!("{UPDATED} {}", ITEMS[0]);
        update(&owner, 0, 0);
        all.wait(UPDATED);
        update(&owner, 1, 1);
        assert!(few.heard_before(1).contains(&updated), "{what}: it may see it");

        write(&conf, era, &hide_a());
        eventually("the rules hold", || !few.sees_a());
        few.wait(CHANGED);
        update(&owner, 0, 0);
        all.wait(UPDATED);
        owner.call("a__mutate_tools", json!({ "add": "fresh" })).result();
        all.wait(CHANGED);
        update(&owner, 1, 2);
        let heard = few.heard_before(2);
        assert!(
            !heard.contains(&updated) && !heard.iter().any(|one| one.starts_with(CHANGED)),
            "{what}: {heard:?}"
        );

        if version == "2026-07-28" {
            assert_eq!(listen(&few.client).1, json!([ITEMS[1]]), "{what}: a new stream");
        } else {
            let answer = |uri: &str| {
                few.client.request("resources/subscribe", json!({ "uri": uri })).error_text().to_owned()
            };
            assert_eq!(answer(ITEMS[0]), answer("nope-a://item/0").replace("nope-a", "fake-a"), "{what}");
        }
    }
}

#[test]
fn s4_log_lines_of_a_server_that_is_hidden_are_not_heard() {
    let conf = TempConf::new();
    write(&conf, "legacy", &json!([]));
    let gateway = Gateway::on(&conf).http();
    let (Link::Http(owner), _) = Link::http(&gateway, "2026-07-28", Some(ALL)) else { panic!("over HTTP") };
    // The only session there is: it hears what cannot be attributed.
    let mut few = Ear::open(&gateway, "2025-11-25", FEW);
    few.client.request("logging/setLevel", json!({ "level": "debug" })).result();
    let log = |tool: &str, number: u64| {
        let line = format!(
            r#"{{"jsonrpc":"2.0","method":"{LOG}","params":{{"level":"error","logger":"canary","data":{number}}}}}"#
        );
        owner.call(tool, json!({ "steps": [{ "afterwards": line }] })).result();
    };
    log("a__play", 1);
    log("b__play", 2);
    assert!(few.heard_before(2).iter().any(|one| one.starts_with(LOG)), "it may see the server");
    write(&conf, "legacy", &hide_a());
    eventually("the rules hold", || !few.sees_a());
    log("a__play", 3);
    owner.call("a__pid", json!({})).result();
    log("b__play", 4);
    let heard = few.heard_before(4);
    assert!(!heard.iter().any(|one| one.starts_with(LOG)), "{heard:?}");
}

const TASK: &str = "notifications/tasks/status";

/// The answer about a task, where that is an error: its code and text with the id left out.
fn unknown(client: &HttpClient, method: &str, id: &str) -> (i64, String) {
    let mut params = json!({ "taskId": id });
    if client.version.as_deref() == Some("2026-07-28") {
        params["_meta"] = declaring();
    }
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
    let answer = client.start("POST", &[("mcp-method", method), ("mcp-name", id)], &body).head().answer();
    assert!(answer.error_text().starts_with("unknown task"), "{method}: {}", answer.short());
    (answer.error_code(), answer.error_text().replace(id, "ID"))
}

fn declaring() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": { "extensions": { "io.modelcontextprotocol/tasks": {} } },
    })
}

#[test]
fn s10_tasks_of_others_and_of_what_is_hidden_are_unknown() {
    let conf = TempConf::new();
    write(&conf, "legacy", &json!([]));
    let gateway = Gateway::on(&conf).http();
    let (mut all, mut few) = (Ear::open(&gateway, "2025-11-25", ALL), Ear::open(&gateway, "2025-11-25", FEW));
    let begin = |client: &HttpClient| {
        let begun = client.request("tools/call", json!({ "name": "a__job", "arguments": {}, "task": {} }));
        begun.result()["task"]["taskId"].as_str().expect("an id").to_owned()
    };
    let listed = |client: &HttpClient| client.request("tasks/list", json!({})).keys("tasks", "taskId");
    // The first task of the server is `few`'s.
    let (mine, theirs) = (begin(&few.client), begin(&all.client));
    let check = |client: &HttpClient, id: &str| {
        for method in ["tasks/get", "tasks/result", "tasks/cancel"] {
            assert_eq!(unknown(client, method, id), unknown(client, method, "never-was"), "{method}");
        }
    };
    check(&few.client, &theirs);
    assert_eq!((listed(&few.client), listed(&all.client)), (vec![mine.clone()], vec![theirs]));

    write(&conf, "legacy", &hide_a());
    eventually("the rules hold", || !few.sees_a());
    check(&few.client, &mine);
    assert_eq!(listed(&few.client), Vec::<String>::new());
    for task in ["task-1", "task-2"] {
        all.client.call("a__finish", json!({ "task": task })).result();
    }
    all.wait(TASK);
    update(&all.client, 1, 1);
    let heard = few.heard_before(1);
    assert!(!heard.iter().any(|one| one.starts_with(TASK)), "{heard:?}");
}

#[test]
fn s10_a_modern_task_of_another_caller_is_unknown_and_not_listened_to() {
    let conf = TempConf::new();
    write(&conf, "modern", &json!([]));
    let gateway = Gateway::on(&conf).http();
    let client = |token| match Link::http(&gateway, "2026-07-28", Some(token)).0 {
        Link::Http(client) => client,
        Link::Stdio(_) => panic!("over HTTP"),
    };
    let (all, few) = (client(ALL), client(FEW));
    let begun = all.request("tools/call", json!({ "name": "a__job", "arguments": {}, "_meta": declaring() }));
    let id = begun.result()["taskId"].as_str().expect("an id").to_owned();
    for method in ["tasks/get", "tasks/update", "tasks/cancel"] {
        assert_eq!(unknown(&few, method, &id), unknown(&few, method, "never-was"), "{method}");
    }
    let honoured = |client: &HttpClient| {
        let params = json!({ "notifications": { "taskIds": [id] }, "_meta": declaring() });
        let mut stream = client.begin("subscriptions/listen", params).head().expect(200);
        let said = stream.wait("the acknowledgement", |message| message.method() == ACKNOWLEDGED);
        said.json["params"]["notifications"]["taskIds"].clone()
    };
    assert_eq!((honoured(&few), honoured(&all)), (Value::Null, json!([id])));
}
