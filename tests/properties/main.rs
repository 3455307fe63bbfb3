//! What must hold for any input: over a corpus of files, and over a million inputs made from them.
//!
//! The checks `frames`, `answers`, `config` and `sse` are also what `fuzz/` runs; their corpora stand in `fuzz/corpus`. The
//! properties over many cases are ignored here; `.ci/run properties` runs them, or by hand:
//!
//! ```text
//! cargo test --release --test properties -- --ignored --nocapture
//! ```
//!
//! `PROPERTY_CASES` is the number of cases, `PROPERTY_SEED` the seed, which every run prints. An input that fails is
//! saved; `PROPERTY_INPUT` is a file to check instead.
//!
//! It starts no process and opens no socket: servers are scripted and in memory, time is paused.

mod access;
mod answers;
mod cases;
mod config;
mod corpus;
mod crossing;
mod dice;
mod frames;
mod framing;
mod oracle;
mod panics;
mod peer;
mod pending;
mod planted;
mod sse;

use crate::cases::any_input;
use crate::cases::any_of;
use crate::cases::many;
use crate::corpus::Corpus;
use std::sync::Arc;

#[test]
fn every_file_of_the_corpus_of_frames_is_answered() {
    Corpus::read("frames").each(frames::check);
}

#[test]
fn every_file_of_the_corpus_of_answers_is_one_answer() {
    Corpus::read("answers").each(answers::check);
}

#[test]
fn every_file_of_the_corpus_of_configurations_is_read() {
    Corpus::read("config").each(config::check);
}

#[test]
fn every_file_of_the_corpus_of_event_streams_is_read() {
    Corpus::read("sse").each(sse::check);
}

#[test]
fn a_subscription_at_a_server_that_keeps_ending_is_answered_before_it_is_tried_again() {
    let bed = frames::Bed::new(Arc::new(peer::Peers::default()));
    let die = br#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a__die"}}"#;
    let ends = (0..10).find(|_| String::from_utf8_lossy(&bed.run(die)).contains("keeps ending"));
    assert!(ends.is_some(), "it is started again for ever");
    let subscribe = br#"{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"x://r"}}"#;
    let answer = bed.run(subscribe);
    assert!(String::from_utf8_lossy(&answer).contains("keeps ending"), "{}", answer.escape_ascii());
}

#[test]
fn some_rules_and_requests_are_decided_as_the_model_says() {
    any_of("access", 100, access::case);
}

#[test]
#[ignore = "a hundred thousand requests: run by .ci/run"]
fn s4_any_rules_and_any_request_are_decided_as_the_model_says() {
    any_of("access", 100_000 / access::REQUESTS, access::case);
}

#[test]
#[ignore = "a million cases: run by .ci/run"]
fn any_frames_get_one_answer_each() {
    any_input("frames", 1_000_000, frames::check);
}

#[test]
#[ignore = "a quarter of a million cases, since a server is started in many: run by .ci/run"]
fn any_bytes_of_a_server_are_one_answer() {
    any_input("answers", 250_000, answers::check);
}

#[test]
#[ignore = "a million cases: run by .ci/run"]
fn any_bytes_are_a_configuration_or_problems_with_places() {
    any_input("config", 1_000_000, config::check);
}

#[test]
#[ignore = "a million cases: run by .ci/run"]
fn any_event_stream_is_read_the_same_in_any_chunks() {
    any_input("sse", 1_000_000, sse::check);
}

#[test]
#[ignore = "a million cases: run by .ci/run"]
fn any_split_of_a_stream_gives_the_same_lines() {
    many("framing", framing::case);
}

#[test]
#[ignore = "a million cases: run by .ci/run"]
fn any_answers_go_to_their_callers_or_to_nobody() {
    many("pending", pending::case);
}

#[test]
#[ignore = "hundreds of thousands of calls: run by .ci/run"]
fn any_clients_at_once_get_their_own_answers() {
    any_of("crossing", 50_000, crossing::case);
}
