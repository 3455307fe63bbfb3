//! What a lock file pins and how it is kept: values of entries but no secrets, changes that are told whole, several who
//! approve at once.
//!
//! What is held back while a gateway runs is tested in `lock.rs`.

use crate::support::gateway::Gateway;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;
use serde_json::Value;
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;

fn run(conf: &Arc<TempConf>, args: &[&str]) -> (Option<i32>, String) {
    let output = Gateway::on(conf).run(args);
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    (output.status.code(), said.concat())
}

fn lock_file(conf: &TempConf) -> PathBuf {
    conf.dir().join("mcp.lock.json")
}

fn offer(conf: &TempConf, name: &str, tool: &Value) -> String {
    let file = conf.dir().join(format!("{name}.json"));
    let all = json!({"tools": [tool], "prompts": [], "resources": [], "resourceTemplates": []});
    std::fs::write(&file, all.to_string()).expect("it is writable");
    file.display().to_string()
}

fn tool(description: &str) -> Value {
    json!({"name": "echo", "description": description, "inputSchema": {"type": "object"}})
}

#[test]
fn s13_values_of_an_entry_are_pinned_and_secrets_are_not() {
    let conf = TempConf::new();
    let write = |env: &Value, file: &str| {
        std::fs::write(conf.dir().join(".env"), file).expect("it is writable");
        let a = conf.fake("a").tools(&["echo"]).set("env", env.clone()).set("envFile", ".env");
        let mut all = servers([("a", a)]);
        all["gateway"] = json!({"lock": "enforce"});
        conf.write(&all);
    };
    let good = json!({"PYTHONPATH": "/good", "API_TOKEN": "canary-1", "DB": "pg://u:canary-1@h/"});
    write(&good, "NODE_OPTIONS=--good\nDB_PASSWORD=canary-1\n");
    assert_eq!(run(&conf, &["lock"]).0, Some(0));
    let secrets = json!({"PYTHONPATH": "/good", "API_TOKEN": "canary-2", "DB": "pg://u:canary-2@h/"});
    write(&secrets, "NODE_OPTIONS=--good\nDB_PASSWORD=canary-2\n");
    let (code, said) = run(&conf, &["lock"]);
    assert!(code == Some(0) && said.contains("nothing changed"), "{said}");
    assert!(!std::fs::read_to_string(lock_file(&conf)).expect("it is there").contains("canary"));
    let evil = json!({"PYTHONPATH": "/evil", "API_TOKEN": "canary-1", "DB": "pg://u:canary-1@h/"});
    let spawned = conf.spawns("a");
    for (env, file) in [
        (&evil, "NODE_OPTIONS=--good\nDB_PASSWORD=canary-1\n"),
        (&good, "NODE_OPTIONS=--require=/evil\nDB_PASSWORD=canary-1\n"),
    ] {
        write(env, file);
        let (code, said) = run(&conf, &["lock"]);
        assert!(code == Some(2) && said.contains("a: the entry changed"), "{said}");
        assert_eq!(conf.legacy().request("tools/list", json!({})).tools(), Vec::<String>::new());
    }
    assert_eq!(conf.spawns("a"), spawned, "it is not even started");
}

#[test]
fn s13_two_who_approve_at_once_lose_nothing() {
    let conf = TempConf::new();
    let configure = |description: &str| {
        let entry = |name: &str| {
            let file = offer(&conf, name, &tool(description));
            conf.fake(name).args(&["--definitions", &file, "--slow-start", "500"])
        };
        conf.write(&servers([("a", entry("a")), ("b", entry("b"))]));
    };
    configure("before");
    assert_eq!(run(&conf, &["lock"]).0, Some(0));
    configure("after");
    std::thread::scope(|scope| {
        let updates = ["a", "b"].map(|name| {
            let conf = Arc::clone(&conf);
            scope.spawn(move || run(&conf, &["lock", "--update", name]))
        });
        for update in updates {
            let (code, said) = update.join().expect("it does not panic");
            assert_eq!(code, Some(0), "{said}");
        }
    });
    let (code, said) = run(&conf, &["lock", "--check"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(!conf.dir().join("mcp.lock.json.lock").exists());
}

#[test]
fn s13_a_lock_file_that_shows_something_else_than_it_approves_is_refused() {
    let conf = TempConf::new();
    let file = offer(&conf, "a", &tool("EVIL"));
    let mut all = servers([("a", conf.fake("a").args(&["--definitions", &file]))]);
    all["gateway"] = json!({"lock": "enforce"});
    conf.write(&all);
    assert_eq!(run(&conf, &["lock"]).0, Some(0));
    let text = std::fs::read_to_string(lock_file(&conf)).expect("it is there");
    assert!(text.contains("EVIL"));
    std::fs::write(lock_file(&conf), text.replace("EVIL", "harmless")).expect("it is writable");
    for command in ["check", "lock"] {
        let (code, said) = run(&conf, &[command]);
        let told = "the digest of tool `echo` of server `a` is not that of the definition beside it";
        assert!(code == Some(2) && said.contains(told), "{said}");
    }
}

#[test]
fn s13_no_change_hides_in_a_long_text_or_among_many() {
    let conf = TempConf::new();
    let long = "Reads a file. ".repeat(430);
    let properties = |n: usize| -> Value {
        (0..60).map(|at| (format!("p{at}"), json!({"minimum": n}))).collect::<serde_json::Map<_, _>>().into()
    };
    let mut was = tool(&long);
    was["inputSchema"]["properties"] = properties(1);
    let file = offer(&conf, "a", &was);
    conf.write(&servers([("a", conf.fake("a").args(&["--definitions", &file]))]));
    assert_eq!(run(&conf, &["lock"]).0, Some(0));

    let mut now = was.clone();
    now["description"] = json!(format!("{long}yEVIL"));
    offer(&conf, "a", &now);
    let (code, said) = run(&conf, &["lock"]);
    let end = said.lines().find(|line| line.contains("description changed")).expect("it is told");
    assert!(code == Some(2) && end.ends_with("yEVIL\"") && end.len() < 400, "{said}");

    now["inputSchema"]["properties"] = properties(2);
    now["title"] = json!("EVIL");
    offer(&conf, "a", &now);
    let (_, said) = run(&conf, &["lock"]);
    let told: Vec<_> = said.lines().filter(|line| line.starts_with("  ")).collect();
    assert!(told.len() == 62 && told[1] == r#"  title added: "EVIL""#, "{said}");
}
