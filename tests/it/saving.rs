//! Tables of ways to save the file, and of ways to spoil it: a good one is applied once and whole, a bad one changes
//! nothing.
//!
//! What is applied how is in `reload.rs`; the watcher alone is tested beside its code.

use crate::support::eventually::eventually;
use crate::support::gateway::Gateway;
use crate::support::stdio_client::StdioClient;
use crate::support::tempconf::TempConf;
use crate::support::tempconf::servers;
use mcp_manifold::config;
use mcp_manifold::config::environment::Environment;
use mcp_manifold::config::problem::Severity;
use serde_json::Value;
use serde_json::json;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::process::Output;
use std::sync::Arc;

/// A file whose one server has this prefix: each version of it shows another name.
fn version(conf: &TempConf, prefix: &str) -> Value {
    servers([("a", conf.fake("a").tools(&["pid"]).set("prefix", prefix))])
}

/// How often the file was put to use, and how often it was refused.
fn told(client: &StdioClient) -> (usize, usize) {
    let log = client.stderr();
    (log.matches("configuration in use").count(), log.matches("configuration refused").count())
}

/// One way to put `text` into `folder/mcp.json`. What looks at the gateway may be called in between.
type Save = fn(folder: &Path, text: &str, look: &dyn Fn());

fn in_place(path: &Path, text: &str) {
    fs::write(path, text).expect("written");
}

fn truncate_and_write_in_steps(folder: &Path, text: &str, look: &dyn Fn()) {
    let mut file = fs::File::create(folder.join("mcp.json")).expect("truncated");
    for byte in text.as_bytes() {
        file.write_all(&[*byte]).and_then(|()| file.flush()).expect("written");
        look();
    }
}

fn rename_over(folder: &Path, text: &str, look: &dyn Fn()) {
    in_place(&folder.join("mcp.json.tmp"), text);
    look();
    fs::rename(folder.join("mcp.json.tmp"), folder.join("mcp.json")).expect("renamed");
}

/// `backupcopy=no`: a probe, the old file becomes the backup, a new one is written.
fn as_vim_does(folder: &Path, text: &str, look: &dyn Fn()) {
    in_place(&folder.join(".mcp.json.swp"), "swap");
    in_place(&folder.join("4913"), "");
    fs::remove_file(folder.join("4913")).expect("removed");
    fs::rename(folder.join("mcp.json"), folder.join("mcp.json~")).expect("moved");
    look();
    in_place(&folder.join("mcp.json"), text);
    fs::remove_file(folder.join("mcp.json~")).expect("removed");
    fs::remove_file(folder.join(".mcp.json.swp")).expect("removed");
}

/// `backupcopy=yes`: the backup is a copy, the file is written in place.
fn as_vim_does_with_a_copy(folder: &Path, text: &str, look: &dyn Fn()) {
    fs::copy(folder.join("mcp.json"), folder.join("mcp.json~")).expect("copied");
    let mut file = fs::File::create(folder.join("mcp.json")).expect("truncated");
    look();
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).expect("written");
    fs::remove_file(folder.join("mcp.json~")).expect("removed");
}

/// The real one with its defaults (`backupcopy=auto`), where there is one.
fn by_vim(folder: &Path, text: &str, look: &dyn Fn()) {
    in_place(&folder.join("wanted"), text);
    let mut vim = Command::new("vim");
    vim.args([
        "-u",
        "NONE",
        "-es",
        "-n",
        "-c",
        "silent $r wanted",
        "-c",
        "silent 1,$-1d",
        "-c",
        "wq",
        "mcp.json",
    ]);
    if !vim.current_dir(folder).status().is_ok_and(|status| status.success()) {
        as_vim_does(folder, text, look);
    }
    fs::remove_file(folder.join("wanted")).expect("removed");
}

/// Autosave, then the old file is renamed to the backup.
fn as_emacs_does(folder: &Path, text: &str, look: &dyn Fn()) {
    in_place(&folder.join("#mcp.json#"), "half a te");
    symlink("ann@host.1:2", folder.join(".#mcp.json")).expect("a lock");
    fs::rename(folder.join("mcp.json"), folder.join("mcp.json~")).expect("moved");
    in_place(&folder.join("mcp.json"), text);
    look();
    fs::remove_file(folder.join("#mcp.json#")).expect("removed");
    fs::remove_file(folder.join(".#mcp.json")).expect("removed");
}

fn as_vs_code_does(folder: &Path, text: &str, look: &dyn Fn()) {
    let mut file = fs::File::create(folder.join("mcp.json")).expect("truncated");
    let (head, tail) = text.split_at(text.len() / 2);
    file.write_all(head.as_bytes()).expect("written");
    look();
    file.write_all(tail.as_bytes()).expect("written");
}

fn by_sed(folder: &Path, text: &str, _: &dyn Fn()) {
    let prefix = |text: &str| -> String {
        let file: Value = serde_json::from_str(text).expect("JSON");
        file["mcpServers"]["a"]["prefix"].as_str().expect("a prefix").to_owned()
    };
    let path = folder.join("mcp.json");
    let now = prefix(&fs::read_to_string(&path).expect("it is there"));
    let command = format!("s/\"prefix\":\"{now}\"/\"prefix\":\"{}\"/", prefix(text));
    assert!(Command::new("sed").arg("-i").arg(command).arg(&path).status().expect("sed").success());
}

fn delete_and_write_anew(folder: &Path, text: &str, look: &dyn Fn()) {
    fs::remove_file(folder.join("mcp.json")).expect("removed");
    // Long enough for anybody to see that it is gone.
    (0..100).for_each(|_| look());
    in_place(&folder.join("mcp.json"), text);
}

fn retarget_a_link(folder: &Path, text: &str, look: &dyn Fn()) {
    let target =
        folder.join(format!("target-{}", text.len() + fs::read_dir(folder).expect("a folder").count()));
    in_place(&target, text);
    symlink(&target, folder.join("link")).expect("a link");
    look();
    fs::rename(folder.join("link"), folder.join("mcp.json")).expect("renamed");
}

/// As kubelet does.
fn swap_a_config_map(folder: &Path, text: &str, look: &dyn Fn()) {
    let name = format!("..{}", fs::read_dir(folder).expect("a folder").count());
    fs::create_dir(folder.join(&name)).expect("a folder");
    in_place(&folder.join(&name).join("mcp.json"), text);
    symlink(&name, folder.join("..data_tmp")).expect("a link");
    fs::rename(folder.join("..data_tmp"), folder.join("..data")).expect("renamed");
    look();
    if fs::read_link(folder.join("mcp.json")).ok().as_deref() != Some(Path::new("..data/mcp.json")) {
        symlink("..data/mcp.json", folder.join("link")).expect("a link");
        fs::rename(folder.join("link"), folder.join("mcp.json")).expect("renamed");
    }
}

/// As through a bind mount of the file: it changes, and nothing is heard of it in its folder.
fn through_another_name(folder: &Path, text: &str, look: &dyn Fn()) {
    let elsewhere = tempfile::tempdir().expect("a folder");
    let path = folder.join("mcp.json");
    let before = fs::read_to_string(&path).expect("it is there");
    fs::remove_file(&path).expect("removed");
    in_place(&path, &before);
    fs::hard_link(&path, elsewhere.path().join("same")).expect("a link");
    look();
    in_place(&elsewhere.path().join("same"), text);
}

fn without_a_new_time(folder: &Path, text: &str, look: &dyn Fn()) {
    let path = folder.join("mcp.json");
    let before = fs::metadata(&path).and_then(|about| about.modified()).expect("a time");
    look();
    let mut file = fs::File::create(&path).expect("truncated");
    file.write_all(text.as_bytes()).and_then(|()| file.set_modified(before)).expect("written");
}

fn a_hundred_times(folder: &Path, text: &str, look: &dyn Fn()) {
    for n in 0..100 {
        in_place(&folder.join("mcp.json"), &format!("{text}{}", " ".repeat(n)));
        if n % 10 == 0 {
            look();
        }
    }
}

/// R18.
#[test]
fn every_way_of_saving_is_applied_once_and_whole() {
    let rows: [(&str, Save); 14] = [
        ("steps", truncate_and_write_in_steps),
        ("rename", rename_over),
        ("vim", as_vim_does),
        ("vim-copy", as_vim_does_with_a_copy),
        ("vim-real", by_vim),
        ("emacs", as_emacs_does),
        ("vscode", as_vs_code_does),
        ("sed", by_sed),
        ("anew", delete_and_write_anew),
        ("link", retarget_a_link),
        ("mount", through_another_name),
        ("time", without_a_new_time),
        ("hundred", a_hundred_times),
        ("configmap", swap_a_config_map),
    ];
    let conf = TempConf::new();
    fs::write(conf.file(), version(&conf, "start").to_string()).expect("written");
    let client = conf.legacy();
    let mut before = "start".to_owned();
    let mut counted = told(&client);
    for (name, save) in rows.iter().chain(&rows[12..]) {
        let next = if before.starts_with(name) { format!("{name}-again") } else { (*name).to_owned() };
        let shows = |prefix: &str| format!("{prefix}__pid");
        let look = || {
            let tools = client.request("tools/list", json!({})).tools();
            assert!(tools == [shows(&before)] || tools == [shows(&next)], "{name}: {tools:?}");
        };
        save(conf.dir(), &version(&conf, &next).to_string(), &look);
        eventually(&format!("{name} is applied; {}", client.stderr()), || {
            look();
            client.request("tools/list", json!({})).tools() == [shows(&next)]
        });
        // The word of it may come a moment after its effect.
        eventually(&format!("{name} is told"), || told(&client).0 > counted.0);
        let (used, refused) = told(&client);
        assert_eq!(refused, 0, "{name}: half a file was read: {}", client.stderr());
        // A hundred saves may take longer than a quiet moment; a link is new, too.
        let most = if ["hundred", "mount"].contains(name) { 100 } else { 1 };
        let times = used - counted.0;
        assert!((1..=most).contains(&times), "{name} was applied {times} times: {}", client.stderr());
        (before, counted) = (next, (used, refused));
    }
}

#[test]
fn a_folder_that_is_replaced_is_applied() {
    let conf = TempConf::new();
    let folder = conf.dir().join("conf");
    fs::create_dir(&folder).expect("a folder");
    fs::write(folder.join("mcp.json"), version(&conf, "one").to_string()).expect("written");
    symlink("conf/mcp.json", conf.file()).expect("a link");
    let client = conf.legacy();
    fs::create_dir(conf.dir().join("new")).expect("a folder");
    fs::write(conf.dir().join("new/mcp.json"), version(&conf, "two").to_string()).expect("written");
    fs::rename(&folder, conf.dir().join("old")).expect("renamed");
    fs::rename(conf.dir().join("new"), &folder).expect("renamed");
    eventually("it is applied", || client.request("tools/list", json!({})).tools() == ["two__pid"]);
    assert_eq!(told(&client).1, 0);
}

/// A file that is looked at quickly, of some lines.
fn quick(conf: &TempConf, prefix: &str) -> String {
    let mut config = version(conf, prefix);
    config["gateway"] = json!({ "watch": { "debounce": "10ms", "poll": "50ms" } });
    format!("{config:#}\n")
}

/// R19: cut off everywhere.
#[test]
fn a_file_cut_at_any_byte_is_refused_with_a_place() {
    let conf = TempConf::new();
    let text = quick(&conf, "good");
    let environment = Environment::new([("HOME", "/h")], conf.dir());
    let whole = config::parse(&text, &conf.file(), &environment).expect("it is good").config;
    for end in 0..text.len() {
        match config::parse(&text[..end], &conf.file(), &environment) {
            Ok(loaded) => assert_eq!(loaded.config, whole, "cut at {end}"),
            Err(error) => {
                let problem = error.problems().iter().find(|problem| problem.severity == Severity::Error);
                let problem = problem.unwrap_or_else(|| panic!("cut at {end}: no problem"));
                assert!(problem.line >= 1 && problem.column >= 1);
            }
        }
    }

    // And with a gateway that runs.
    conf.write_text(&text);
    let client = conf.legacy();
    let pid = client.call("good__pid", json!({})).text().to_owned();
    let file = fs::File::options().write(true).open(conf.file()).expect("it is there");
    let mut noticed = told(&client);
    for end in (1..text.trim_end().len()).rev() {
        file.set_len(end as u64).expect("cut");
        eventually(&format!("the cut at {end} is noticed"), || told(&client).1 > noticed.1);
        noticed = told(&client);
        if end % 20 == 0 {
            assert_eq!(client.call("good__pid", json!({})).text(), pid, "cut at {end}");
        }
    }
    assert_eq!(noticed.0, 0, "something else was put to use");
    assert_eq!(client.call("good__pid", json!({})).text(), pid);
    fs::write(conf.file(), quick(&conf, "mended")).expect("written");
    eventually("it is mended", || client.request("tools/list", json!({})).tools() == ["mended__pid"]);
}

type Spoil = fn(&Path);

/// What a file can be, how it becomes that, what is said about it, and whether that has a place.
fn bad_files() -> [(&'static str, Spoil, &'static str, bool); 11] {
    [
        ("empty", |path| in_place(path, ""), "empty", false),
        ("a list", |path| in_place(path, "[1]"), "must hold an object", true),
        ("blank", |path| in_place(path, " \n\n"), "empty", false),
        ("wrong type", |path| in_place(path, "{\n \"mcpServers\": 7}"), "mcpServers", true),
        ("torn", |path| in_place(path, "{\n  \"mcpServers\": {\n    oops\n  }\n}"), "3:5", true),
        ("twice", |path| in_place(path, r#"{"mcpServers":{},"mcpServers":{}}"#), "twice", true),
        (
            "not UTF-8",
            |path| fs::write(path, b"{\"mcpServers\":{\"\xFF\":{}}}").expect("written"),
            "UTF-8",
            true,
        ),
        (
            "50 MB",
            |path| fs::File::create(path).and_then(|file| file.set_len(50 << 20)).expect("grown"),
            "16777216",
            false,
        ),
        (
            "a folder",
            |path| {
                fs::remove_file(path).expect("removed");
                fs::create_dir(path).expect("a folder");
            },
            "folder",
            false,
        ),
        (
            "a pipe",
            |path| {
                fs::remove_dir(path).expect("removed");
                assert!(Command::new("mkfifo").arg(path).status().is_ok_and(|status| status.success()));
            },
            "named pipe",
            false,
        ),
        ("gone", |path| fs::remove_file(path).expect("removed"), "gone", false),
    ]
}

/// R19: bad in other ways. What it says, and whether it says where.
#[test]
fn a_bad_file_changes_nothing_and_check_gives_the_same_verdict() {
    let conf = TempConf::new();
    conf.write_text(&quick(&conf, "good"));
    let client = conf.legacy();
    let pid = client.call("good__pid", json!({})).text().to_owned();
    let mut wrong = Vec::new();
    for (what, spoil, words, has_place) in bad_files() {
        let before = client.stderr().len();
        spoil(&conf.file());
        let news = || client.stderr()[before..].to_owned();
        eventually(&format!("{what} is noticed: {}", news()), || news().contains("last good one"));
        assert_eq!(client.call("good__pid", json!({})).text(), pid, "{what}");
        assert_eq!(told(&client).0, 0, "{what} was put to use");
        let news = news();
        assert_eq!(news.matches("last good one").count(), 1, "{what} is told once: {news}");
        assert_eq!(news.contains("mcp.json:"), has_place, "{what}: {news}");
        assert!(news.contains(words), "{what}: no `{words}` in {news}");
        wrong.extend(verdict(&conf, what, words));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    conf.write_text(&quick(&conf, "mended"));
    eventually("it is mended", || client.request("tools/list", json!({})).tools() == ["mended__pid"]);
    assert_eq!(conf.spawns("a"), 1);
}

/// Neither `check` nor a start takes the file, and both say why. What is wrong with that.
fn verdict(conf: &Arc<TempConf>, what: &str, words: &str) -> Vec<String> {
    let file = conf.file().display().to_string();
    let check = Gateway::on(conf).run(&["check", "--config", &file]);
    let serve = Gateway::on(conf).run(&["serve", "--config", &file, "--no-cache"]);
    // What is no longer there for somebody who runs is nothing to read for somebody who starts.
    let words = if what == "gone" { "no such file" } else { words };
    let right = |output: &Output| {
        let text = String::from_utf8_lossy(&[&*output.stdout, &*output.stderr].concat()).into_owned();
        let wrong = !text.contains(words) || output.status.success();
        wrong.then(|| format!("{what}: no `{words}` in {text}"))
    };
    [&check, &serve].into_iter().filter_map(right).collect()
}
