//! What a server answers arrives byte for byte, over either front.
//!
//! Answers across the eras are in `modern.rs`: there something must be added.
#![expect(clippy::print_stdout, reason = "the table is for who reads the log")]

use crate::bed::Bed;
use crate::bed::SERVERS;
use crate::calls;
use crate::calls::Call;
use crate::support::message::Message;
use serde_json::json;
use std::collections::BTreeMap;

#[test]
#[ignore = "needs packages from npm and PyPI: run by .ci/run"]
fn results_are_those_of_the_server_byte_for_byte() {
    let bed = Bed::new();
    let calls = calls::many(&bed);
    let wanted: Vec<String> = calls::direct_answers(&bed, &calls).iter().map(raw_answer).collect();
    assert!(wanted[0].contains("The sum of 2 and 3 is 5."), "{}", wanted[0]);

    let stdio = bed.gateway().stdio().legacy();
    stdio.request("tools/list", json!({})).result();
    let over_stdio = equal(&calls, &wanted, |call| stdio.request(call.method, call.through_gateway()));
    drop(stdio);

    bed.forget();
    let gateway = bed.gateway().http();
    let http = gateway.legacy();
    let over_http = equal(&calls, &wanted, |call| http.request(call.method, call.through_gateway()));

    println!("\n{:12} {:>6} {:>7} {:>12} {:>12}", "server", "tools", "called", "equal/stdio", "equal/http");
    for (server, tools) in SERVERS {
        let called = calls.iter().filter(|call| call.server == server).count();
        let (stdio, http) = (over_stdio[server], over_http[server]);
        println!("{server:12} {tools:>6} {called:>7} {stdio:>12} {http:>12}");
        assert_eq!((stdio, http), (called, called), "{server}");
    }
}

/// How many answers of each server are equal; those that are not are printed.
fn equal(calls: &[Call], wanted: &[String], ask: impl Fn(&Call) -> Message) -> BTreeMap<&'static str, usize> {
    let mut equal = BTreeMap::new();
    for (call, wanted) in calls.iter().zip(wanted) {
        let answer = ask(call);
        let same = raw_answer(&answer) == *wanted;
        *equal.entry(call.server).or_default() += usize::from(same);
        if !same {
            let (server, title) = (call.server, call.title());
            println!("{server} {title}:\n  direct  {wanted}\n  gateway {}", answer.raw);
        }
    }
    equal
}

/// The result, or the error, without line breaks that mean nothing.
pub fn raw_answer(message: &Message) -> String {
    let failed = message.json.get("error").is_some();
    let raw = if failed { message.raw_error() } else { message.raw_result() };
    // Inside strings they are escaped.
    raw.replace(['\r', '\n'], "")
}
