//! Tests of the store against real folders.

use super::*;
use crate::catalog::fixtures;
use crate::catalog::lists::Item;
use crate::catalog::merge::merge;
use crate::config::model::Naming;
use std::time::Duration;
use tempfile::TempDir;

fn store() -> (TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("cache")).unwrap();
    (dir, store)
}

fn path(store: &Store, file: &str) -> PathBuf {
    store.folder.join(file)
}

fn files(store: &Store) -> Vec<String> {
    let names = fs::read_dir(&store.folder).unwrap().map(|file| file.unwrap().file_name());
    let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn what_was_saved_is_loaded_byte_for_byte() {
    let (dir, store) = store();
    assert!(matches!(store.load("d1"), Loaded::Absent));
    let mut lists = fixtures::resources(&["u:1"], &["u:{x}"]);
    let text = r#"{ "name":"t","n":1e2,"big":123456789012345678901,"s":"\u00e9\/" }"#;
    lists.tools.push(Item { key: "t".into(), raw: fixtures::raw(text) });
    lists.server_info = Some(fixtures::raw(r#"{"name":"x"}"#));
    lists.instructions = Some("Use\nme.".into());
    store.save("d1", &fixtures::empty(), "s0", 1).unwrap();
    store.save("d1", &lists, "s1", 7).unwrap();
    let again = Store::open(&dir.path().join("cache")).unwrap();
    let loaded = again.load("d1").found().unwrap();
    assert_eq!(loaded, Stored { lists, secret_digest: "s1".into(), saved_at: 7 });
    assert_eq!(loaded.lists.tools[0].raw.get(), text);
    assert_eq!(files(&store), ["entry-d1.json"], "nothing else is left");
}

#[test]
fn owners_are_kept_per_configuration() {
    let (_dir, store) = store();
    assert!(matches!(store.load_owners("c1"), Loaded::Absent));
    let s = fixtures::server("s");
    let parts = [fixtures::part(&s, fixtures::tools(&["a.b"]))];
    let owners = merge(&parts, &Naming::default(), &Owners::default()).owners;
    store.save_owners("c1", &owners).unwrap();
    assert_eq!(store.load_owners("c1").found(), Some(owners));
    assert!(matches!(store.load_owners("c2"), Loaded::Absent));
}

#[test]
fn damaged_and_foreign_files_are_told_apart() {
    let (_dir, store) = store();
    store.save("d", &fixtures::tools(&["t"]), "s", 1).unwrap();
    let good = fs::read_to_string(path(&store, "entry-d.json")).unwrap();
    let outcome = |text: &str| {
        fs::write(path(&store, "entry-d.json"), text).unwrap();
        match store.load("d") {
            Loaded::Unusable(why) => why.to_string(),
            other => format!("{other:?}"),
        }
    };
    for damaged in ["", "{", &good[..good.len() / 2], "[]", &good.replace("\"tools\"", "\"fools\"")] {
        assert!(outcome(damaged).starts_with("it is not a saved catalog"), "{damaged}");
    }
    assert!(outcome(&good.replace("\"format\":1", "\"format\":2")).starts_with("it has format 2"));
    assert!(outcome(r#"{"format":0,"else":1}"#).starts_with("it has format 0"));
    fs::write(path(&store, "entry-d.json"), [b'"', 0xff, b'"']).unwrap();
    assert!(matches!(store.load("d"), Loaded::Unusable(Unusable::Io(_))));
    fs::write(path(&store, "owners-c.json"), r#"{"format":1,"owners":{"tools":{"a":["",""]}}}"#).unwrap();
    assert!(matches!(store.load_owners("c"), Loaded::Unusable(Unusable::Corrupt(_))));
    store.save("d", &fixtures::empty(), "s", 1).unwrap();
    assert!(store.load("d").found().is_some(), "saving heals it");
}

#[test]
fn identifiers_do_not_lead_out_of_the_folder() {
    let (_dir, store) = store();
    for bad in ["", "../x", "a/b", "a.b", &"a".repeat(129)] {
        assert_eq!(store.save(bad, &fixtures::empty(), "s", 1).unwrap_err().kind(), ErrorKind::InvalidInput);
        assert!(matches!(store.load(bad), Loaded::Absent));
    }
}

#[test]
fn the_key_stays_the_same() {
    let (dir, store) = store();
    let key = store.key().unwrap();
    assert_eq!(store.key().unwrap(), key);
    assert_eq!(Store::open(&dir.path().join("cache")).unwrap().key().unwrap(), key);
    fs::write(path(&store, KEY), b"short").unwrap();
    let new = store.key().unwrap();
    assert_ne!(new, key);
    assert_eq!((store.key().unwrap(), files(&store)), (new, vec![KEY.to_owned()]));
}

#[test]
fn all_that_start_at_once_have_one_key() {
    let (_dir, store) = store();
    let keys = std::thread::scope(|scope| {
        let asked: Vec<_> = (0..8).map(|_| scope.spawn(|| store.key().unwrap())).collect();
        asked.into_iter().map(|thread| thread.join().unwrap()).collect::<HashSet<_>>()
    });
    assert_eq!(keys.len(), 1);
}

#[test]
fn pruning_removes_what_is_old_and_not_in_use() {
    let (_dir, store) = store();
    for digest in ["used", "unused"] {
        store.save(digest, &fixtures::empty(), "s", 1).unwrap();
    }
    store.save_owners("c", &Owners::default()).unwrap();
    store.key().unwrap();
    fs::write(path(&store, ".new-1"), "left by a crash").unwrap();
    let keep = HashSet::from(["used".to_owned()]);
    assert_eq!(store.prune(&keep, SystemTime::UNIX_EPOCH).unwrap(), 0);
    assert_eq!(store.prune(&keep, SystemTime::now() + Duration::from_secs(9)).unwrap(), 2);
    assert_eq!(files(&store), ["entry-used.json", "key", "owners-c.json"]);
}

#[test]
fn a_folder_that_cannot_be_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(Store::open(&file).is_err());
    let store = Store::open(&dir.path().join("cache")).unwrap();
    fs::remove_dir_all(&store.folder).unwrap();
    assert!(store.save("d", &fixtures::empty(), "s", 1).is_err());
    assert!(store.key().is_err());
    assert!(store.prune(&HashSet::new(), SystemTime::UNIX_EPOCH).is_err());
    assert!(matches!(store.load("d"), Loaded::Absent));
}

#[cfg(unix)]
#[test]
fn only_the_user_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let (dir, store) = store();
    store.save("d", &fixtures::empty(), "s", 1).unwrap();
    store.key().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path(&store, "entry-d.json")), mode(&path(&store, KEY))), (0o600, 0o600));
    assert_eq!(mode(&store.folder), 0o700);
    fs::set_permissions(&store.folder, fs::Permissions::from_mode(0o777)).unwrap();
    Store::open(&dir.path().join("cache")).unwrap();
    assert_eq!(mode(&store.folder), 0o700, "tightened");
}

#[test]
#[expect(clippy::print_stderr, reason = "a rough measure for whoever looks, not a check")]
fn fifty_entries_of_twenty_tools_load() {
    let (_dir, store) = store();
    let description = "What it does, at some length. ".repeat(15);
    let tool = |at: usize| {
        let key = format!("tool_{at}");
        let raw = fixtures::raw(&format!(
            r#"{{"name":"{key}","description":"{description}","inputSchema":{{"type":"object","properties":{{"a":{{"type":"string"}}}}}}}}"#
        ));
        Item { key, raw }
    };
    let lists = ServerLists { tools: (0..20).map(tool).collect(), ..fixtures::empty() };
    for at in 0..50 {
        store.save(&format!("d{at}"), &lists, "s", 1).unwrap();
    }
    let start = tokio::time::Instant::now();
    let loaded: Vec<Stored> = (0..50).filter_map(|at| store.load(&format!("d{at}")).found()).collect();
    eprintln!("50 entries of 20 tools loaded in {:?}", start.elapsed());
    assert!(loaded.len() == 50 && loaded.iter().all(|stored| stored.lists == lists));
}
