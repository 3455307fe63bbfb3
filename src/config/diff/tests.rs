//! The laws of a diff, over random configurations.

use super::*;
use crate::config::model::EraChoice;
use crate::config::model::Expanded;
use crate::config::model::Http;
use crate::config::model::LeftOut;
use crate::config::model::Sharing;
use crate::config::model::Stdio;
use crate::config::model::Transport;
use crate::protocol::version::Era;
use indexmap::IndexMap;
use proptest::prelude::*;
use std::sync::Arc;
use std::time::Duration;

fn server() -> impl Strategy<Value = Server> {
    (0..5usize, 0..3u8, 0..2u8, 0..2u64, proptest::option::of("[ab]")).prop_map(
        |(name, program, era, seconds, prefix)| {
            let transport = match program {
                0 => Transport::Http(Http { url: Expanded::plain("http://h/"), ..Http::default() }),
                other => Transport::Stdio(Stdio {
                    command: Expanded { value: other.to_string(), written: "${X}".into() },
                    ..Stdio::default()
                }),
            };
            Server {
                prefix,
                era: if era == 0 { EraChoice::Auto } else { EraChoice::Always(Era::Modern) },
                call_timeout: Duration::from_secs(seconds + 1),
                sharing: if seconds == 0 { Sharing::Auto } else { Sharing::PerSession },
                ..Server::new(ServerName::new(["a", "b", "c", "d", "e"][name]).unwrap(), transport)
            }
        },
    )
}

fn config() -> impl Strategy<Value = Config> {
    (proptest::collection::vec(server(), 0..5), 0..3u64, any::<bool>()).prop_map(|(servers, drain, off)| {
        let mut config = Config::default();
        for server in servers {
            config.servers.insert(server.name.clone(), Arc::new(server));
        }
        config.settings.drain_timeout = Duration::from_secs(drain);
        if off {
            config.left_out.push(LeftOut { name: "off".into(), reason: "disabled".into() });
        }
        config
    })
}

/// `old` with the changes made, taking from `new` only what the changes name.
fn apply(old: &Config, changes: &Changes, new: &Config) -> IndexMap<ServerName, Arc<Server>> {
    let mut servers = old.servers.clone();
    servers.retain(|name, _| !changes.removed.contains(name));
    for name in changes.added.iter().chain(&changes.changed).chain(&changes.cosmetic) {
        servers.insert(name.clone(), new.servers[name].clone());
    }
    servers
}

proptest! {
    #[test]
    fn nothing_changes_between_equals(config in config()) {
        let changes = diff(&config, &config.clone());
        prop_assert!(changes.is_empty(), "{changes:?}");
        prop_assert_eq!(changes.unchanged.len(), config.servers.len());
    }

    #[test]
    fn applying_gives_the_new_servers(old in config(), new in config()) {
        let changes = diff(&old, &new);
        prop_assert_eq!(apply(&old, &changes, &new), new.servers.clone());
    }

    #[test]
    fn what_is_unchanged_is_not_touched_and_what_is_touched_has_changed(old in config(), new in config()) {
        let changes = diff(&old, &new);
        for name in &changes.unchanged {
            prop_assert_eq!(&old.servers[name], &new.servers[name]);
        }
        for name in &changes.cosmetic {
            let (before, after) = (&old.servers[name], &new.servers[name]);
            prop_assert!(before != after && !needs_restart(before, after));
        }
        for name in &changes.changed {
            prop_assert!(needs_restart(&old.servers[name], &new.servers[name]));
        }
        prop_assert!(changes.removed.iter().all(|name| !new.servers.contains_key(name)));
        prop_assert!(changes.added.iter().all(|name| !old.servers.contains_key(name)));
    }

    #[test]
    fn every_server_is_in_exactly_one_list(old in config(), new in config()) {
        let changes = diff(&old, &new);
        let lists = [&changes.added, &changes.changed, &changes.cosmetic, &changes.unchanged];
        let mut named: Vec<_> = lists.into_iter().flatten().cloned().collect();
        named.sort();
        let mut expected: Vec<_> = new.servers.keys().cloned().collect();
        expected.sort();
        prop_assert_eq!(named, expected);
    }

    #[test]
    fn empty_means_equal_and_in_the_same_order(old in config(), new in config()) {
        let same = old == new && old.servers.keys().eq(new.servers.keys());
        prop_assert_eq!(diff(&old, &new).is_empty(), same);
    }

    #[test]
    fn the_way_back_swaps_added_and_removed(old in config(), new in config()) {
        let (there, back) = (diff(&old, &new), diff(&new, &old));
        let sorted = |names: &[ServerName]| { let mut names = names.to_vec(); names.sort(); names };
        prop_assert_eq!(sorted(&there.added), sorted(&back.removed));
        prop_assert_eq!(sorted(&there.changed), sorted(&back.changed));
        prop_assert_eq!(there.reordered, back.reordered);
    }
}

#[test]
fn a_rotated_secret_needs_a_restart_and_a_prefix_does_not() {
    let names = |text: &str| {
        let environment = crate::config::environment::Environment::new([("T", "1")], "/w");
        crate::config::parse(text, std::path::Path::new("mcp.json"), &environment).unwrap().config
    };
    let old = names(r#"{"mcpServers": {"a": {"command": "x", "env": {"K": "1"}}, "b": {"command": "y"}}}"#);
    let new = names(
        r#"{"gateway": {"http": {"maxSessions": 5}},
            "mcpServers": {"b": {"command": "y", "prefix": ""}, "a": {"command": "x", "env": {"K": "2"}}}}"#,
    );
    let changes = diff(&old, &new);
    assert_eq!(changes.changed, vec![ServerName::new("a").unwrap()]);
    assert_eq!(changes.cosmetic, vec![ServerName::new("b").unwrap()]);
    assert_eq!(changes.settings_changed, vec!["http.maxSessions"]);
    assert!(changes.reordered);
}
