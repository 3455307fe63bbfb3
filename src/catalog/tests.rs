//! Tests of the catalog as a whole: resolving, owners of URIs, pages, suggestions.

use super::*;
use crate::catalog::fixtures::name;
use crate::catalog::fixtures::part;
use crate::catalog::fixtures::server;
use crate::config::model::Server;
use proptest::prelude::*;

fn catalog(parts: &[Part<'_>]) -> Catalog {
    Catalog::build(parts, &Settings::default(), &Owners::default())
}

fn text(page: Result<Arc<[u8]>, CursorError>) -> String {
    String::from_utf8(page.unwrap().to_vec()).unwrap()
}

#[test]
fn names_resolve_and_others_do_not() {
    let (a, b) = (server("a"), server("b"));
    let mut lists = fixtures::tools(&["x.y"]);
    lists.prompts.push(fixtures::item(ListKind::Prompts, "ask"));
    let catalog = catalog(&[part(&a, lists), fixtures::missing(&b)]);
    assert_eq!(catalog.resolve_tool("a__x_y").unwrap().own_name, "x.y");
    assert_eq!(catalog.resolve_prompt("a__ask").unwrap().own_name, "ask");
    assert!(catalog.resolve_tool("a__ask").is_none() && catalog.resolve_prompt("a__x_y").is_none());
    assert!(catalog.resolve_tool("").is_none() && catalog.resolve_tool("x.y").is_none());
    assert_eq!(catalog.missing(), [name("b")]);
    assert!(
        catalog.instructions().contains("\na (1 tool)\nb (not listed yet)"),
        "{}",
        catalog.instructions()
    );
}

#[test]
fn a_uri_goes_to_whom_lists_it_then_by_template_then_by_scheme() {
    let (a, b, c) = (server("a"), server("b"), server("c"));
    let catalog = catalog(&[
        part(&a, fixtures::resources(&["file:///x/1", "memo:1"], &["db://{table}"])),
        part(&b, fixtures::resources(&["file:///y", "Git:r"], &["file:///x/{n}", "bad{"])),
        part(&c, fixtures::resources(&["file:///y"], &["file:///z/{n}", "file:///x/{+n}"])),
    ]);
    let owner = |uri: &str| catalog.owner_of_uri(uri).map(|name| name.as_str().to_owned());
    assert_eq!(owner("file:///x/1"), Ok("a".into()), "listed, although templates match");
    assert_eq!(owner("file:///y"), Ok("b".into()), "the first owns it");
    assert_eq!(owner("file:///z/9"), Ok("c".into()), "by template");
    assert_eq!(owner("db://t"), Ok("a".into()));
    assert_eq!(owner("file:///x/2"), Err(UriError::Ambiguous(vec![name("b"), name("c")])));
    assert_eq!(owner("GIT:other"), Ok("b".into()), "by scheme");
    let unclear = owner("file:///q").unwrap_err();
    assert_eq!(unclear, UriError::Ambiguous(vec![name("a"), name("b"), name("c")]));
    assert!(unclear.to_string().contains("`a`, `b`, `c`"), "{unclear}");
    assert_eq!(owner("other:1"), Err(UriError::NotFound));
    assert_eq!(owner("no scheme"), Err(UriError::NotFound));
    assert_eq!(catalog.owner_of_template("db://{table}").unwrap().as_str(), "a");
    assert!(catalog.owner_of_template("db://t").is_none());
}

#[test]
fn the_only_server_with_resources_gets_every_other_uri() {
    let (a, b) = (server("a"), server("b"));
    let mut announced = fixtures::empty();
    announced.capabilities = fixtures::raw(r#"{"resources":{}}"#);
    let one = catalog(&[part(&a, fixtures::tools(&["t"])), part(&b, announced)]);
    assert_eq!(one.owner_of_uri("any:1").unwrap().as_str(), "b");
    let none = catalog(&[part(&a, fixtures::tools(&["t"]))]);
    assert_eq!(none.owner_of_uri("any:1"), Err(UriError::NotFound));
}

#[test]
fn two_instances_of_one_server_share_a_scheme() {
    let (a, b) = (server("a"), server("b"));
    let lists = || fixtures::resources(&["memo:1"], &[]);
    let catalog = catalog(&[part(&a, lists()), part(&b, lists())]);
    assert_eq!(catalog.owner_of_uri("memo:1").unwrap().as_str(), "a");
    assert_eq!(catalog.owner_of_uri("memo:2"), Err(UriError::Ambiguous(vec![name("a"), name("b")])));
    assert_eq!(catalog.collisions().len(), 1);
}

#[test]
fn suggestions() {
    let s = server("files");
    let catalog = catalog(&[part(&s, fixtures::tools(&["read_file", "write_file", "list"]))]);
    assert_eq!(catalog.suggest_tool("files__raed_file", &|_| true), Some("files__read_file"));
    assert_eq!(catalog.suggest_tool("list", &|_| true), Some("files__list"), "its own name");
    assert_eq!(catalog.suggest_tool("zzz", &|_| true), None);
    assert_eq!(catalog.suggest_tool(&"files__read_file".repeat(99), &|_| true), None);
}

#[test]
fn pages_go_on_after_the_last_name_even_in_a_later_catalog() {
    let s = Server { prefix: Some(String::new()), ..server("s") };
    let old = catalog(&[part(&s, fixtures::tools(&["a", "c", "e"]))]);
    let page = |catalog: &Catalog, cursor| text(catalog.list_result(ListKind::Tools, Era::Legacy, cursor, 2));
    let first = r#"{"tools":[{"name":"a"},{"name":"c"}],"nextCursor":"63"}"#;
    assert_eq!(page(&old, None), first);
    assert_eq!(page(&old, Some("")), first);
    assert_eq!(page(&old, Some("63")), r#"{"tools":[{"name":"e"}]}"#);
    let new = catalog(&[part(&s, fixtures::tools(&["a", "b", "d", "e"]))]);
    assert_eq!(
        page(&new, Some("63")),
        r#"{"tools":[{"name":"d"},{"name":"e"}]}"#,
        "`c` is gone, nothing is twice"
    );
    assert_eq!(page(&new, Some("7a")), r#"{"tools":[]}"#);
    let refused = new.list_result(ListKind::Tools, Era::Legacy, Some("x"), 2);
    assert_eq!(refused, Err(CursorError));
}

#[test]
fn first_pages_are_kept_apart_by_kind_era_and_size() {
    let s = server("s");
    let mut lists = fixtures::resources(&["u:1", "u:2"], &["u:{x}"]);
    lists.tools = fixtures::tools(&["t"]).tools;
    lists.prompts.push(fixtures::item(ListKind::Prompts, "p"));
    let catalog = catalog(&[part(&s, lists)]);
    for kind in ListKind::ALL {
        for era in [Era::Legacy, Era::Modern] {
            let first = catalog.list_result(kind, era, None, 100).unwrap();
            let again = catalog.list_result(kind, era, None, 100).unwrap();
            assert!(Arc::ptr_eq(&first, &again));
            let first = text(Ok(first));
            assert!(first.starts_with(&format!("{{\"{}\":[{{", kind.member())), "{first}");
            assert_eq!(first.contains("resultType"), era == Era::Modern);
        }
    }
    let smaller = text(catalog.list_result(ListKind::Resources, Era::Legacy, None, 1));
    assert_eq!(smaller, r#"{"resources":[{"uri":"u:1"}],"nextCursor":"753a31"}"#);
}

proptest! {
    #[test]
    fn what_is_listed_resolves_and_pages_list_it_all(
        keys in prop::collection::hash_set(".{1,60}", 0..30), page_size in 0_usize..12
    ) {
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let s = server("s");
        let mut lists = fixtures::resources(&keys, &keys);
        lists.tools = fixtures::tools(&keys).tools;
        let catalog = catalog(&[part(&s, lists)]);
        for tool in catalog.tools() {
            prop_assert_eq!(catalog.resolve_tool(tool.name.as_str()), Some(&tool.route));
            prop_assert!(keys.contains(&tool.route.own_name.as_str()));
        }
        for owned in catalog.resources() {
            prop_assert_eq!(catalog.owner_of_uri(&owned.uri), Ok(&owned.server));
        }
        for (kind, count) in [(ListKind::Tools, catalog.tools().len()), (ListKind::Resources, keys.len())] {
            let (mut cursor, mut seen) = (None, Vec::new());
            loop {
                let page = text(catalog.list_result(kind, Era::Modern, cursor.as_deref(), page_size));
                let page: serde_json::Value = serde_json::from_str(&page).unwrap();
                let items = page[kind.member()].as_array().unwrap();
                prop_assert!(items.len() <= page_size.max(1));
                seen.extend(items.iter().map(|item| item[kind.key()].as_str().unwrap().to_owned()));
                let Some(next) = page["nextCursor"].as_str() else { break };
                cursor = Some(next.to_owned());
            }
            prop_assert_eq!(seen.len(), count);
            prop_assert!(seen.is_sorted_by(|a, b| a < b));
        }
    }
}
