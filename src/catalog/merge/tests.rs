//! Tests of the merge: names, order, collisions, bytes.

use super::*;
use crate::catalog::fixtures;
use crate::catalog::fixtures::part;
use crate::catalog::fixtures::server;
use crate::config::model::ToolFilter;
use proptest::prelude::*;

fn route(server: &str, own_name: &str) -> Route {
    Route { server: fixtures::name(server), own_name: own_name.into() }
}

fn merged(parts: &[Part<'_>], owners: &Owners) -> Merged {
    merge(parts, &Naming::default(), owners)
}

fn names(list: &[Exposed]) -> Vec<&str> {
    list.iter().map(|tool| tool.name.as_str()).collect()
}

fn bare(name: &str) -> Server {
    Server { prefix: Some(String::new()), ..server(name) }
}

#[test]
fn tools_are_named_after_their_server_and_sorted() {
    let (b, a) = (server("b"), server("a"));
    let merged = merged(
        &[part(&b, fixtures::tools(&["z", "x.y"])), part(&a, fixtures::tools(&["q"]))],
        &Owners::default(),
    );
    assert_eq!(names(&merged.tools), ["a__q", "b__x_y", "b__z"]);
    assert_eq!(merged.tools[1].route, route("b", "x.y"));
    assert_eq!(merged.tools[1].raw.get(), r#"{"name":"b__x_y"}"#);
    assert!(merged.collisions.is_empty() && merged.left_out.is_empty() && merged.missing.is_empty());
}

#[test]
fn only_the_name_is_replaced() {
    let text = r#"{ "z" :1e2,"inputSchema":{"name":"inner","n":123456789012345678901},"n\u0061me"  : "r\u0065ad" ,"d":1,"d":2, "title":"x" }"#;
    let mut lists = fixtures::empty();
    lists.tools.push(Item { key: "read".into(), raw: fixtures::raw(text) });
    lists.prompts.push(fixtures::item(ListKind::Prompts, "ask"));
    let s = server("s");
    let merged = merged(&[part(&s, lists)], &Owners::default());
    assert_eq!(merged.tools[0].raw.get(), text.replace(r#""r\u0065ad""#, r#""s__read""#));
    assert_eq!(merged.prompts[0].raw.get(), r#"{"name":"s__ask"}"#);
}

#[test]
fn odd_items_are_left_out_and_reported() {
    let odd = [
        ("t", r#"{"name":"t","n\u0061me":"u"}"#, LeftOutReason::KeyTwice),
        ("t", r#"["name"]"#, LeftOutReason::NotAnObject),
        ("t", r#"{"title":"t"}"#, LeftOutReason::NoKey),
        ("t", r#"{"name":7}"#, LeftOutReason::NoKey),
        ("t", r#"{"name":"u"}"#, LeftOutReason::NoKey),
        ("", r#"{"name":""}"#, LeftOutReason::NoKey),
        ("ok", r#"{"name":"ok"}"#, LeftOutReason::ListedTwice),
    ];
    let mut lists = fixtures::tools(&["ok"]);
    lists
        .tools
        .extend(odd.iter().map(|(key, text, _)| Item { key: (*key).into(), raw: fixtures::raw(text) }));
    lists.tools.push(fixtures::item(ListKind::Tools, &"x".repeat(MAX_KEY + 1)));
    let s = server("s");
    let merged = merged(&[part(&s, lists)], &Owners::default());
    assert_eq!(names(&merged.tools), ["s__ok"]);
    let reasons: Vec<LeftOutReason> = merged.left_out.iter().map(|item| item.reason).collect();
    let mut expected: Vec<LeftOutReason> = odd.iter().map(|(_, _, reason)| *reason).collect();
    expected.push(LeftOutReason::TooLong);
    assert_eq!(reasons, expected);
    let text = merged.left_out[0].to_string();
    assert_eq!(text, "tool `t` of server `s` is left out: its name or URI occurs twice in it");
}

#[test]
fn the_filter_goes_by_own_names_of_tools_only() {
    let filter = ToolFilter { include: Some(vec!["read*".into()]), exclude: vec!["read_secret".into()] };
    let s = Server { tools: filter, ..server("s") };
    let mut lists = fixtures::tools(&["read_a", "read_secret", "write"]);
    lists.prompts.push(fixtures::item(ListKind::Prompts, "write"));
    let merged = merged(&[part(&s, lists)], &Owners::default());
    assert_eq!((names(&merged.tools), names(&merged.prompts)), (vec!["s__read_a"], vec!["s__write"]));
    assert!(merged.left_out.is_empty());
}

#[test]
fn ties_go_to_the_first_in_the_file_and_stay_there() {
    let (a, b) = (bare("a"), bare("b"));
    let of = |server| part(server, fixtures::tools(&["read"]));
    let first = merged(&[of(&a), of(&b)], &Owners::default());
    let expected = Collision {
        kind: ListKind::Tools,
        name: "read".into(),
        kept: route("a", "read"),
        left_out: route("b", "read"),
    };
    assert_eq!(first.collisions, [expected]);
    assert_eq!(
        first.collisions[0].to_string(),
        "tool `read` of server `b` is left out: `read` belongs to `read` of server `a`"
    );
    let turned = merged(&[of(&b), of(&a)], &first.owners);
    assert_eq!(turned.tools[0].route, route("a", "read"), "order of the file does not take a name away");
    assert_eq!(turned.owners, first.owners);
}

#[test]
fn two_own_names_of_one_server_can_collide() {
    let s = server("s");
    let merged = merged(&[part(&s, fixtures::tools(&["a.b", "a/b", "a_b"]))], &Owners::default());
    assert_eq!(names(&merged.tools), ["s__a_b"]);
    assert_eq!(merged.tools[0].route, route("s", "a.b"));
    let losers: Vec<&str> = merged.collisions.iter().map(|c| c.left_out.own_name.as_str()).collect();
    assert_eq!(losers, ["a/b", "a_b"]);
}

#[test]
fn a_name_is_kept_for_a_server_not_heard_of_yet() {
    let (a, b) = (bare("a"), bare("b"));
    let of = |server| part(server, fixtures::tools(&["read"]));
    let first = merged(&[of(&a)], &Owners::default());
    let waiting = merged(&[fixtures::missing(&a), of(&b)], &first.owners);
    assert!(waiting.tools.is_empty(), "a call meant for one server never goes to another");
    assert_eq!(waiting.collisions[0].kept, route("a", "read"));
    assert_eq!(waiting.missing, [fixtures::name("a")]);
    assert_eq!(waiting.owners, first.owners);
    let gone = merged(&[of(&b)], &waiting.owners);
    assert_eq!(gone.tools[0].route, route("b", "read"), "no longer in the file");
    let dropped = merged(&[part(&a, fixtures::empty()), of(&b)], &first.owners);
    assert_eq!(dropped.tools[0].route, route("b", "read"), "no longer listed");
    let renamed = Server { prefix: Some("x".into()), ..server("a") };
    let renamed = merged(&[fixtures::missing(&renamed), of(&b)], &first.owners);
    assert_eq!(renamed.tools[0].route, route("b", "read"), "would have another name now");
}

#[test]
fn a_later_arrival_does_not_take_a_uri() {
    let (a, b) = (server("a"), server("b"));
    let lists = || fixtures::resources(&["m:2", "m:1"], &["m:{x}"]);
    let first = merged(&[part(&b, lists())], &Owners::default());
    let uris: Vec<&str> = first.resources.iter().map(|owned| owned.uri.as_str()).collect();
    assert_eq!(uris, ["m:1", "m:2"]);
    let both = merged(&[part(&a, lists()), part(&b, lists())], &first.owners);
    let owners = both.resources.iter().chain(&both.templates).map(|owned| owned.server.as_str());
    assert_eq!(owners.collect::<Vec<_>>(), ["b", "b", "b"]);
    assert_eq!(both.collisions.len(), 3);
}

#[test]
fn owners_are_the_same_after_being_stored() {
    let s = server("s");
    let mut lists = fixtures::resources(&["m:1"], &["m:{x}"]);
    lists.tools = fixtures::tools(&["a.b"]).tools;
    let owners = merged(&[part(&s, lists)], &Owners::default()).owners;
    let text = serde_json::to_string(&owners).unwrap();
    assert!(text.starts_with(r#"{"tools":{"s__a_b":["s","a.b"]}"#), "{text}");
    assert_eq!(serde_json::from_str::<Owners>(&text).unwrap(), owners);
    assert_eq!(serde_json::from_str::<Owners>("{}").unwrap(), Owners::default());
}

type Listed = Vec<(Option<String>, Option<Vec<String>>)>;

/// Few names and characters, so that they often meet.
fn listed() -> impl Strategy<Value = Listed> {
    let prefix = prop::option::of("[abA]?");
    let own = prop_oneof!["[abA._]{1,3}", "[ab.]{50,52}"];
    prop::collection::vec((prefix, prop::option::of(prop::collection::vec(own, 0..6))), 1..5)
}

fn servers(listed: &Listed) -> Vec<Server> {
    let prefixed = |(at, (prefix, _)): (usize, &(Option<String>, _))| Server {
        prefix: prefix.clone(),
        ..server(["a", "b", "a.b", "a__b", "b_"][at])
    };
    listed.iter().enumerate().map(prefixed).collect()
}

fn parts<'s>(servers: &'s [Server], listed: &Listed) -> Vec<Part<'s>> {
    let lists = |keys: &Vec<String>| fixtures::tools(&keys.iter().map(String::as_str).collect::<Vec<_>>());
    let part = |(server, (_, keys)): (&'s Server, &(_, Option<Vec<String>>))| Part {
        server,
        lists: keys.as_ref().map(|keys| Arc::new(lists(keys))),
    };
    servers.iter().zip(listed).map(part).collect()
}

proptest! {
    #[test]
    fn s14_names_and_routes_are_one_to_one_whatever_case_counts(before in listed(), after in listed()) {
        let (old, new) = (servers(&before), servers(&after));
        let first = merged(&parts(&old, &before), &Owners::default());
        let second = merged(&parts(&new, &after), &first.owners);
        for merged in [&first, &second] {
            let names: HashSet<&str> = merged.tools.iter().map(|tool| tool.name.as_str()).collect();
            let routes: HashSet<&Route> = merged.tools.iter().map(|tool| &tool.route).collect();
            prop_assert_eq!((names.len(), routes.len()), (merged.tools.len(), merged.tools.len()));
            prop_assert!(merged.tools.is_sorted_by(|a, b| a.name < b.name));
            let mut looks: HashMap<String, &ServerName> = HashMap::new();
            for tool in &merged.tools {
                // Clients show 60 characters at least, and there is nothing but ASCII in a name.
                prop_assert!(tool.name.as_str().len() <= 60 && tool.name.as_str().is_ascii());
                let server = looks.entry(tool.name.as_str().to_ascii_lowercase()).or_insert(&tool.route.server);
                prop_assert_eq!(*server, &tool.route.server, "{} could be taken for another's", tool.name);
            }
        }
        for tool in &second.tools {
            let held = first.owners.of(ListKind::Tools).get(tool.name.as_str());
            let Some(held) = held.filter(|held| **held != tool.route) else { continue };
            let still = parts(&new, &after).into_iter().any(|part| {
                let listed = part.lists.as_ref().is_some_and(|l| l.tools.iter().any(|t| t.key == held.own_name));
                part.server.name == held.server && listed && {
                    let name = expose(&held.server, part.server.prefix.as_deref(), &held.own_name, &Naming::default());
                    name == tool.name
                }
            });
            prop_assert!(!still, "{:?} lost {} to {:?}", held, tool.name, tool.route);
        }
    }

    #[test]
    fn nothing_vanishes_silently(listed in listed()) {
        let servers = servers(&listed);
        let parts = parts(&servers, &listed);
        let merged = merged(&parts, &Owners::default());
        let offered: usize = parts.iter().filter_map(|part| part.lists.as_ref()).map(|lists| lists.tools.len()).sum();
        prop_assert_eq!(offered, merged.tools.len() + merged.collisions.len() + merged.left_out.len());
    }

    #[test]
    fn splicing_keeps_every_other_byte(own in ".{1,80}", before in "[ -~é]*", after in "[ -~é]*", blank in "[ \t]{0,3}") {
        let quoted = serde_json::to_string(&own).unwrap();
        let before = format!("{{{blank}\"title\":{},{blank}\"name\"{blank}:{blank}", serde_json::to_string(&before).unwrap());
        let after = format!("{blank},\"description\":{}{blank}}}", serde_json::to_string(&after).unwrap());
        let raw = fixtures::raw(&format!("{before}{quoted}{after}"));
        let s = server("s");
        let lists = ServerLists { tools: vec![Item { key: own.clone(), raw }], ..fixtures::empty() };
        let merged = merged(&[part(&s, lists)], &Owners::default());
        prop_assert_eq!(merged.tools[0].raw.get(), format!("{before}\"{}\"{after}", merged.tools[0].name));
        prop_assert_eq!(&merged.tools[0].route.own_name, &own);
    }
}
