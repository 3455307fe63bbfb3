//! The golden corpus: what one peer says reaches the other byte for byte, but for the edits of `docs/protocol.md`.
//!
//! Every text of `fixtures/fidelity/` goes through every pair of eras and transports. What the features do is `matrix.rs`.

use crate::support::bed::Bed;
use crate::support::bed::CLIENTS;
use crate::support::bed::PEERS;
use crate::support::bed::Peer;
use crate::support::driver::Era;
use crate::support::eventually::eventually;
use crate::support::message::Message;
use serde_json::Value;
use serde_json::json;
use serde_json::value::RawValue;
use std::path::Path;

/// One line of a fixture.
struct Case {
    what: String,
    raw: String,
}

fn corpus(name: &str) -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures/fidelity");
    let text = std::fs::read_to_string(folder.join(name)).expect("a fixture");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let cases = lines.map(|line| {
        let (what, raw) = line.split_once(" | ").unwrap_or_else(|| panic!("{name}: {line}"));
        Case { what: what.to_owned(), raw: raw.to_owned() }
    });
    cases.collect()
}

/// A log message as the documents say it arrives: its logger begins with the name of the server.
fn attributed(raw: &str, server: &str) -> String {
    if raw.contains(r#""logger":""#) {
        return raw.replacen(r#""logger":""#, &format!(r#""logger":"{server}/"#), 1);
    }
    let open = raw.strip_suffix('}').expect("an object");
    format!(r#"{open},"logger":"{server}"}}"#)
}

/// What differed, so that one run shows all of it.
#[derive(Default)]
struct Report(Vec<String>);

impl Report {
    fn same(&mut self, what: &str, seen: &str, expected: &str) {
        if seen != expected {
            self.0.push(format!("{what}\n  sent     {expected}\n  received {seen}"));
        }
    }
}

/// Runs `check` for every client beside each other and fails with all that differed.
fn for_all_clients(script: impl Fn(&Peer) -> Value + Sync, check: impl Fn(&Bed, &Peer, &mut Report) + Sync) {
    let capabilities =
        json!({ "elicitation": { "form": {}, "url": {} }, "sampling": { "tools": {} }, "roots": {} });
    let found = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for client in CLIENTS {
            let (found, capabilities, script, check) = (&found, &capabilities, &script, &check);
            scope.spawn(move || {
                let bed = Bed::start(client, capabilities.clone(), |conf, peer| {
                    Bed::play(conf, peer, &script(peer));
                    let file = Bed::script(conf, peer).display().to_string();
                    vec!["--script".into(), file]
                });
                for peer in &PEERS {
                    let mut report = Report::default();
                    check(&bed, peer, &mut report);
                    let all = report.0.iter().map(|one| format!("{client:?} with {}: {one}", peer.name));
                    found.lock().expect("no panic before").extend(all);
                }
            });
        }
    });
    let found = found.into_inner().expect("no panic before");
    assert!(found.is_empty(), "{} texts changed on their way:\n{}", found.len(), found.join("\n"));
}

/// A server that plays its own lists.
fn as_usual(_: &Peer) -> Value {
    json!({})
}

/// `raw` with members in front.
fn led(members: &str, raw: &str) -> String {
    let comma = if raw == "{}" { "" } else { "," };
    format!("{{{members}{comma}{}", &raw[1..])
}

/// `raw` with members at the end.
fn followed(raw: &str, members: &str) -> String {
    let comma = if raw == "{}" { "" } else { "," };
    format!("{}{comma}{members}}}", &raw[..raw.len() - 1])
}

/// A result as a server of this era writes it, and as a client of that era has to receive it.
fn both_ends(raw: &str, method: &str, from: Era, to: Era) -> (String, String) {
    let is_read = method == "resources/read";
    let hints = if is_read {
        r#""resultType":"complete","ttlMs":1e3,"cacheScope":"public""#
    } else {
        r#""resultType":"complete""#
    };
    let filled = if is_read {
        r#""resultType":"complete","ttlMs":0,"cacheScope":"private""#
    } else {
        r#""resultType":"complete""#
    };
    let sent = if from == Era::Modern { led(hints, raw) } else { raw.to_owned() };
    let received = match (from, to) {
        (Era::Legacy, Era::Modern) => followed(raw, filled),
        (Era::Modern, Era::Legacy) => raw.to_owned(),
        _ => sent.clone(),
    };
    (sent, received)
}

/// Calls the tool that answers with these members.
fn answered_with(bed: &Bed, peer: &Peer, members: &str) -> Message {
    bed.driver.call(&peer.name_of("members"), json!({ "members": members }))
}

#[test]
fn results_and_errors_of_tools_arrive_as_they_were_sent() {
    let (results, modern, errors) =
        (corpus("tool-results.txt"), corpus("modern-results.txt"), corpus("errors.txt"));
    for_all_clients(as_usual, |bed, peer, report| {
        for case in &results {
            let (sent, received) = both_ends(&case.raw, "tools/call", peer.era, bed.driver.era);
            let answer = answered_with(bed, peer, &format!(r#""result":{sent}"#));
            report.same(&case.what, &answer.raw_at(&["result"]).unwrap_or(answer.raw), &received);
        }
        for case in modern.iter().filter(|_| peer.era == Era::Modern && bed.driver.era == Era::Modern) {
            let answer = answered_with(bed, peer, &format!(r#""result":{}"#, case.raw));
            report.same(&case.what, &answer.raw_at(&["result"]).unwrap_or(answer.raw), &case.raw);
        }
        for case in &errors {
            let answer = answered_with(bed, peer, &format!(r#""error":{}"#, case.raw));
            report.same(&case.what, &answer.raw_at(&["error"]).unwrap_or(answer.raw), &case.raw);
        }
    });
}

#[test]
fn prompts_resources_and_completions_arrive_as_they_were_sent() {
    let kinds = [
        ("prompts/get", corpus("prompt-results.txt")),
        ("resources/read", corpus("read-results.txt")),
        ("completion/complete", corpus("completion-results.txt")),
    ];
    for_all_clients(as_usual, |bed, peer, report| {
        for (method, cases) in &kinds {
            let params = match *method {
                "prompts/get" => json!({ "name": peer.name_of("greet") }),
                "resources/read" => json!({ "uri": format!("fake-{}://item/0", peer.name) }),
                _ => json!({
                    "ref": { "type": "ref/prompt", "name": peer.name_of("greet") },
                    "argument": { "name": "who", "value": "" }
                }),
            };
            for case in cases {
                let (sent, received) = both_ends(&case.raw, method, peer.era, bed.driver.era);
                Bed::play(&bed.conf, peer, &json!({ *method: format!(r#""result":{sent}"#) }));
                let answer = bed.driver.request(method, params.clone());
                report.same(&case.what, &answer.raw_at(&["result"]).unwrap_or(answer.raw), &received);
            }
        }
    });
}

#[test]
fn codes_that_the_other_era_does_not_know_are_translated_and_all_else_is_kept() {
    use Era::Legacy;
    use Era::Modern;
    let kept =
        |code: i32| format!(r#"{{"x":1e2,"code":{code},"message":"m","data":{{"uri":"\/","n":1e2}}}}"#);
    let wrapped = |code: i32| {
        let own = format!(r#"{{"message":"m","code":{code},"x":[1E+2]}}"#);
        (own.clone(), format!(r#"{{"message":"m","code":-32603,"x":[1E+2],"data":{own}}}"#))
    };
    let mut cases =
        vec![(Legacy, Modern, kept(-32002), kept(-32602)), (Legacy, Modern, kept(-32050), kept(-32603))];
    cases.extend([-32099, -32023].map(|code| (Legacy, Modern, wrapped(code).0, wrapped(code).1)));
    for code in [-32002, -32042, -32099, -32050, -32020] {
        cases.push((Legacy, Legacy, kept(code), kept(code)));
    }
    for code in [-32020, -32021, -32022, -32019, -32001] {
        cases.push((Legacy, Modern, kept(code), kept(code)));
        cases.push((Modern, Modern, kept(code), kept(code)));
        cases.push((Modern, Legacy, kept(code), kept(code)));
    }
    for_all_clients(as_usual, |bed, peer, report| {
        let ours = cases.iter().filter(|case| (case.0, case.1) == (peer.era, bed.driver.era));
        for (from, to, sent, received) in ours {
            let answer = answered_with(bed, peer, &format!(r#""error":{sent}"#));
            let seen = answer.raw_at(&["error"]).unwrap_or(answer.raw);
            report.same(&format!("{from:?} to {to:?}"), &seen, received);
        }
    });
}

/// The four lists: method, member of the result, key of an item, fixture.
const LISTS: [(&str, &str, &str, &str); 4] = [
    ("tools/list", "tools", "name", "tools.txt"),
    ("prompts/list", "prompts", "name", "prompts.txt"),
    ("resources/list", "resources", "uri", "resources.txt"),
    ("resources/templates/list", "resourceTemplates", "uriTemplate", "templates.txt"),
];

#[test]
fn items_of_lists_arrive_as_they_were_sent_but_for_their_names() {
    let script = |peer: &Peer| {
        let answer = |member: &str, fixture: &str| {
            let items: Vec<String> =
                corpus(fixture).iter().map(|case| case.raw.replace("$n", peer.name)).collect();
            let (sent, _) = both_ends(
                &format!(r#"{{"{member}":[{}]}}"#, items.join(",")),
                "resources/read",
                peer.era,
                peer.era,
            );
            format!(r#""result":{sent}"#)
        };
        LISTS
            .iter()
            .map(|(method, member, _, fixture)| ((*method).to_owned(), json!(answer(member, fixture))))
            .collect()
    };
    for_all_clients(script, |bed, peer, report| {
        for (method, member, key, fixture) in LISTS {
            let answer = bed.driver.request(method, json!({}));
            let list = answer.raw_at(&["result", member]).expect("a list");
            let list: Vec<&RawValue> = serde_json::from_str(&list).expect("a list");
            for case in corpus(fixture) {
                let own = case.raw.replace("$n", peer.name);
                let name = Message::new(&*own).json[key].as_str().expect("a name").to_owned();
                let (exposed, expected) = match key {
                    "name" => (
                        peer.name_of(&name),
                        own.replacen(
                            &format!(r#""name":"{name}""#),
                            &format!(r#""name":"{}""#, peer.name_of(&name)),
                            1,
                        ),
                    ),
                    _ => (name, own),
                };
                let seen = list.iter().find(|item| Message::new(item.get()).json[key] == exposed.as_str());
                report.same(&case.what, seen.map_or("nothing", |item| item.get()), &expected);
            }
        }
    });
}

/// The params of the last request with this method that a server received.
fn last_seen(bed: &Bed, peer: &Peer, method: &str) -> String {
    let seen = bed.driver.call(&peer.name_of("seen"), json!({})).texts();
    let found = seen
        .into_iter()
        .map(Message::new)
        .rfind(|line| line.method() == method && !line.raw.contains(r#""name":"seen""#));
    found.and_then(|line| line.raw_at(&["params"])).unwrap_or_else(|| format!("no {method}"))
}

#[test]
fn params_of_requests_arrive_as_they_were_sent_but_for_names_and_keys_of_the_hop() {
    let metas = corpus("metas.txt");
    let kinds = [
        ("tools/call", r#""name":"$name""#, "pid", corpus("tool-params.txt")),
        ("prompts/get", r#""name":"$name""#, "greet", corpus("prompt-params.txt")),
        (
            "completion/complete",
            r#""ref":{"x-first":1e2,"name":"$name","type":"ref/prompt","x":[ 1 ]}"#,
            "greet",
            corpus("completion-params.txt"),
        ),
    ];
    for_all_clients(as_usual, |bed, peer, report| {
        let own = bed.driver.meta();
        for (method, target, name, cases) in &kinds {
            for (n, case) in cases.iter().enumerate() {
                let meta = &metas[n % metas.len()].raw;
                let comma = if own.is_empty() { "" } else { "," };
                let head = |name: &str| {
                    format!(r#"{{{},{},"_meta":{{{meta}"#, target.replace("$name", name), case.raw)
                };
                bed.driver.request_raw(method, &format!("{}{comma}{own}}}}}", head(&peer.name_of(name))));
                let seen = last_seen(bed, peer, method);
                match peer.era {
                    Era::Legacy => report.same(&case.what, &seen, &format!("{}}}}}", head(name))),
                    Era::Modern => {
                        let end =
                            seen.find(r#","io.modelcontextprotocol/protocolVersion""#).unwrap_or(seen.len());
                        report.same(&case.what, &seen[..end], &head(name));
                    }
                }
            }
        }
    });
}

/// A call of the tool `play`, in whose stream a modern client wants all log messages.
fn play(bed: &Bed, peer: &Peer, steps: &Value) -> Value {
    let mut params = json!({ "name": peer.name_of("play"), "arguments": { "steps": steps }, "_meta": { "progressToken": "its own" } });
    if bed.driver.era == Era::Modern {
        params["_meta"]["io.modelcontextprotocol/logLevel"] = json!("debug");
    }
    params
}

#[test]
fn notifications_arrive_as_they_were_sent_but_for_the_token() {
    let (progress, logs) = (corpus("progress.txt"), corpus("logs.txt"));
    let line = |method: &str, params: &str| {
        format!(r#"{{"jsonrpc":"2.0","method":"notifications/{method}","params":{params}}}"#)
    };
    for_all_clients(as_usual, |bed, peer, report| {
        if bed.driver.era == Era::Legacy {
            bed.driver.request("logging/setLevel", json!({ "level": "debug" })).result();
        }
        let mut steps = vec![json!({ "say": line("x-odd/unknown", "{}") })];
        steps.extend(progress.iter().map(
            |case| json!({ "say": line("progress", &format!(r#"{{"progressToken":$token,{}}}"#, case.raw)) }),
        ));
        steps.extend(logs.iter().map(|case| json!({ "say": line("message", &case.raw) })));
        let before = bed.driver.messages().len();
        bed.driver.request("tools/call", play(bed, peer, &json!(steps))).result();
        let came = |method: &str| -> Vec<String> {
            let new = bed.driver.messages().split_off(before);
            let ours = new.iter().filter(|message| message.method() == format!("notifications/{method}"));
            ours.map(|message| message.raw_at(&["params"]).unwrap_or_default()).collect()
        };
        let expected: Vec<String> =
            progress.iter().map(|case| format!(r#"{{"progressToken":"its own",{}}}"#, case.raw)).collect();
        report.same("progress", &came("progress").join("\n"), &expected.join("\n"));
        eventually("the log lines are there", || came("message").len() >= logs.len());
        let expected: Vec<String> = logs.iter().map(|case| attributed(&case.raw, peer.name)).collect();
        report.same("log lines", &came("message").join("\n"), &expected.join("\n"));
        report.same("unknown ones", &came("x-odd/unknown").join("\n"), "");
    });
}

/// Results that a client gives, by method.
fn answers() -> Vec<(String, Case)> {
    let split = |case: Case| {
        let (method, raw) = case.raw.split_once(' ').expect("method and text");
        (method.to_owned(), Case { what: case.what, raw: raw.to_owned() })
    };
    corpus("answers.txt").into_iter().map(split).collect()
}

/// The params of a question as the client has to receive them.
fn asked(method: &str, params: &str, peer: &Peer, to: Era) -> String {
    let mut text = params.to_owned();
    if method == "elicitation/create" && (peer.era, to) != (Era::Modern, Era::Modern) {
        text = text.replace(r#""message":""#, &format!(r#""message":"[{}] "#, peer.name));
    }
    if (peer.era, to) == (Era::Legacy, Era::Modern) {
        text = text.replace(r#""elicitationId":"e\u0031","#, "");
    }
    text
}

#[test]
fn questions_of_servers_and_their_answers_arrive_as_they_were_sent() {
    let (questions, answers) = (corpus("questions.txt"), answers());
    for_all_clients(as_usual, |bed, peer, report| {
        for question in &questions {
            let (method, params) = question.raw.split_once(' ').expect("method and params");
            if method == "roots/list" && peer.era == Era::Legacy {
                // A server that is seen asking is shared no more, and from then on it hears of the client's own roots.
                let first = play(bed, peer, &json!([{ "ask": r#""method":"roots/list""# }]));
                bed.driver.converse("tools/call", first, &[(method, r#"{"roots":[]}"#)]);
            }
            for (_, answer) in answers.iter().filter(|(answered, _)| answered == method) {
                let step = format!(r#""method":"{method}","params":{params}"#);
                let call = play(bed, peer, &json!([{ "ask": step }]));
                let talk = bed.driver.converse("tools/call", call, &[(method, &answer.raw)]);
                let seen = match talk.questions.as_slice() {
                    [(_, seen)] => seen.clone(),
                    other => format!("{other:?}"),
                };
                report.same(&question.what, &seen, &asked(method, params, peer, bed.driver.era));
                let said = talk.answer.texts().pop().unwrap_or_default();
                let path: &[&str] = if peer.era == Era::Modern { &["q0"] } else { &["result"] };
                report.same(&answer.what, &Message::new(&*said).raw_at(path).unwrap_or(said), &answer.raw);
            }
        }
    });
}
