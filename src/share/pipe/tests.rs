//! Clients, gateways and pipes made of sockets in one process.

use super::*;
use crate::share::hello::Checkpoint;
use crate::share::hello::Mark;
use std::io::PipeReader;
use std::io::PipeWriter;
use std::sync::mpsc;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::Sender;

/// The far end of a link: what a gateway would have.
struct Far {
    bytes: Stream,
    words: Stream,
}

/// A link and its far end.
fn line() -> (Line, Far) {
    let (bytes, far_bytes) = Stream::pair().unwrap();
    let (words, far_words) = Stream::pair().unwrap();
    for far in [&far_bytes, &far_words] {
        far.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    }
    (Line { bytes, words }, Far { bytes: far_bytes, words: far_words })
}

impl Far {
    fn says(&mut self, text: &str) {
        self.bytes.write_all(text.as_bytes()).unwrap();
    }

    fn word(&mut self, word: &Word) {
        let line = word.line() + "\n";
        self.words.write_all(line.as_bytes()).unwrap();
    }

    #[track_caller]
    fn hears(&mut self, text: &str) {
        assert_eq!(exactly(&mut self.bytes, text.len()), text);
    }
}

#[track_caller]
fn exactly(from: &mut impl Read, count: usize) -> String {
    let mut bytes = vec![0; count];
    from.read_exact(&mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// A client with its pipe; gateways come over a channel.
struct Rig {
    client: PipeWriter,
    shown: PipeReader,
    next: Sender<Result<Line, String>>,
    attached: Receiver<Attach>,
    ended: Receiver<Ended>,
    pipe: Pipe,
}

fn rig(first: Line) -> Rig {
    let (input, client) = io::pipe().unwrap();
    let (shown, mut output) = io::pipe().unwrap();
    let (next, gateways) = mpsc::channel();
    let (told, attached) = mpsc::channel();
    let (over, ended) = mpsc::channel();
    let pipe = Pipe::default();
    let running = pipe.clone();
    thread::spawn(move || {
        let attach =
            || Attach { folder: "/".into(), vars: Vec::new(), turn: 0, again: Vec::new(), caller: None };
        let mut find = |attach, _| {
            told.send(attach).unwrap();
            gateways.recv().unwrap()
        };
        over.send(running.run(first, input, &mut output, attach, &mut find)).unwrap();
    });
    Rig { client, shown, next, attached, ended, pipe }
}

impl Rig {
    fn says(&mut self, text: &str) {
        self.client.write_all(text.as_bytes()).unwrap();
    }

    #[track_caller]
    fn sees(&mut self, text: &str) {
        assert_eq!(exactly(&mut self.shown, text.len()), text);
    }

    #[track_caller]
    fn attaches(&self) -> Attach {
        self.attached.recv_timeout(Duration::from_secs(20)).expect("the pipe looks for the next gateway")
    }

    #[track_caller]
    fn ends(&self) -> Ended {
        self.ended.recv_timeout(Duration::from_secs(20)).expect("the pipe ends")
    }
}

fn call(id: u32) -> String {
    format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"tools/call\",\"params\":{{\"name\":\"x\"}}}}\n")
}

fn answer(id: u32) -> String {
    format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":{{}}}}\n")
}

#[test]
fn bytes_pass_as_they_are_and_the_end_of_the_client_ends_it() {
    let (first, mut gateway) = line();
    let mut rig = rig(first);
    rig.says("any bytes\nhalf ");
    gateway.hears("any bytes\nhalf ");
    gateway.says("{\"a\":1}\nnot whole");
    rig.sees("{\"a\":1}\n");
    gateway.says("\n");
    rig.sees("not whole\n");
    drop(rig.client);
    assert_eq!(gateway.bytes.read(&mut [0]).unwrap(), 0, "the gateway sees the end");
    gateway.says("last\n");
    exactly(&mut rig.shown, 5);
    drop(gateway);
    assert_eq!(rig.ended.recv_timeout(Duration::from_secs(20)), Ok(Ended::Done));
}

#[test]
fn a_gateway_that_dies_costs_the_calls_in_flight_and_nothing_else() {
    let (first, mut gateway) = line();
    let mut rig = rig(first);
    let said = format!("{}{}{}", call(1), call(2), &call(3)[..10]);
    rig.says(&said);
    gateway.hears(&said);
    gateway.says(&(answer(1) + "{\"half of an ans"));
    rig.sees(&answer(1));
    drop(gateway);
    let mut lost = String::new();
    BufReader::new(&rig.shown).read_line(&mut lost).unwrap();
    assert!(lost.starts_with("{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{\"code\":-32000,"), "{lost}");
    assert_eq!(rig.attaches().turn, 1);
    let (second, mut gateway) = line();
    rig.next.send(Ok(second)).unwrap();
    gateway.hears(&call(3)[..10]);
    rig.says(&call(3)[10..]);
    gateway.hears(&call(3)[10..]);
    gateway.says(&answer(3));
    rig.sees(&answer(3));
}

#[test]
fn what_an_orderly_end_left_unread_goes_to_the_next_gateway() {
    let (first, mut gateway) = line();
    let mut rig = rig(first);
    rig.says(&call(1));
    gateway.hears(&call(1));
    gateway.says(&answer(1));
    rig.sees(&answer(1));
    rig.says(&call(2));
    // In flight in the socket: never read.
    let heard = call(1).len() as u64;
    let last = Checkpoint { heard, said: answer(1).len() as u64, ..Checkpoint::default() };
    gateway.hears(&call(2));
    gateway.word(&Word::End(Last { why: End::Again, last, next: None }));
    drop(gateway);
    rig.attaches();
    let (second, mut gateway) = line();
    rig.next.send(Ok(second)).unwrap();
    gateway.hears(&call(2));
    gateway.says(&answer(2));
    rig.sees(&answer(2));
}

#[test]
fn a_gateway_that_was_stopped_is_replaced_when_it_is_needed() {
    let (first, mut gateway) = line();
    let mut rig = rig(first);
    gateway.word(&Word::End(Last { why: End::Stop, last: Checkpoint::default(), next: None }));
    drop(gateway);
    assert!(rig.attached.recv_timeout(Duration::from_millis(50)).is_err(), "nobody needs it");
    rig.says(&call(1));
    rig.attaches();
    let (second, mut gateway) = line();
    rig.next.send(Ok(second)).unwrap();
    gateway.hears(&call(1));
    rig.pipe.end_input();
    drop(gateway);
    assert_eq!(rig.ends(), Ended::Done);
}

#[test]
fn without_a_next_gateway_each_request_is_refused_until_there_is_one() {
    let (first, mut gateway) = line();
    let mut rig = rig(first);
    rig.says(&call(1));
    gateway.hears(&call(1));
    drop(gateway);
    rig.attaches();
    rig.next.send(Err("none can be had".into())).unwrap();
    let mut shown = BufReader::new(rig.shown.try_clone().unwrap());
    let mut told = || {
        let mut line = String::new();
        shown.read_line(&mut line).unwrap();
        line
    };
    let lost = told();
    assert!(lost.contains("\"id\":1,\"error\"") && lost.contains("may have run"), "{lost}");
    for id in [2, 3] {
        rig.says(&call(id));
        rig.attaches();
        rig.next.send(Err("none can be had".into())).unwrap();
        let refused = told();
        assert!(refused.contains(&format!("\"id\":{id},\"error\"")), "{refused}");
        assert!(refused.contains("none can be had; the request was not run"), "{refused}");
    }
    rig.says(&call(4));
    rig.attaches();
    let (second, mut gateway) = line();
    rig.next.send(Ok(second)).unwrap();
    gateway.hears(&call(4));
    gateway.says(&answer(4));
    assert_eq!(told(), answer(4));
    drop(gateway);
    rig.attaches();
    drop(rig.client);
    rig.next.send(Err("none can be had".into())).unwrap();
    assert_eq!(
        rig.ended.recv_timeout(Duration::from_secs(20)),
        Ok(Ended::NoGateway("none can be had".into()))
    );
}

#[test]
fn gateways_that_end_one_after_the_other_are_not_started_any_more_until_one_is_needed() {
    let (first, gateway) = line();
    let mut rig = rig(first);
    drop(gateway);
    for _ in 0..ENDINGS {
        let (next, gateway) = line();
        drop(gateway);
        rig.attaches();
        rig.next.send(Ok(next)).unwrap();
    }
    assert!(rig.attached.recv_timeout(Duration::from_millis(50)).is_err(), "that is enough");
    rig.says(&call(1));
    rig.attaches();
    let (next, mut gateway) = line();
    rig.next.send(Ok(next)).unwrap();
    gateway.hears(&call(1));
    gateway.says(&answer(1));
    rig.sees(&answer(1));
}

#[test]
fn what_is_settled_is_not_told_as_lost() {
    let (first, mut gateway) = line();
    let mut rig = rig(first);
    let pad = "x".repeat(PIECE);
    let long = format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{{\"name\":\"{pad}\"}}}}\n"
    );
    rig.says(&long);
    gateway.hears(&long);
    gateway.says(&answer(1));
    rig.sees(&answer(1));
    assert_eq!(exactly(&mut gateway.words, 1).as_bytes(), [ASK], "a checkpoint is asked for");
    let (heard, said) = (long.len() as u64, answer(1).len() as u64);
    for open in ["7", "8"] {
        let open = vec![open.to_owned()];
        let checkpoint = Checkpoint { heard, said, open, ..Checkpoint::default() };
        gateway.word(&Word::Checkpoint(Mark::from(&checkpoint)));
    }
    drop(gateway);
    let mut lost = String::new();
    BufReader::new(&rig.shown).read_line(&mut lost).unwrap();
    assert!(lost.contains("\"id\":8,\"error\""), "{lost}");
}

#[test]
fn what_was_said_to_a_gateway_that_stops_is_not_left_lying() {
    let (first, mut gateway) = line();
    let mut rig = rig(first);
    rig.says(&call(1));
    gateway.hears(&call(1));
    // Said while it stops, and never read; the client has nothing more to say.
    gateway.word(&Word::End(Last { why: End::Stop, last: Checkpoint::default(), next: None }));
    rig.pipe.end_input();
    drop(gateway);
    rig.attaches();
    let (second, mut gateway) = line();
    rig.next.send(Ok(second)).unwrap();
    gateway.hears(&call(1));
    gateway.says(&answer(1));
    rig.sees(&answer(1));
    drop(gateway);
    assert_eq!(rig.ends(), Ended::Done);
}

#[test]
fn gateways_that_end_as_they_were_told_to_are_no_trouble() {
    let (first, mut gateway) = line();
    let rig = rig(first);
    for turn in 1..=2 * ENDINGS {
        gateway.word(&Word::End(Last { why: End::Again, last: Checkpoint::default(), next: None }));
        drop(gateway);
        assert_eq!(rig.attaches().turn as usize, turn);
        let next;
        (next, gateway) = line();
        rig.next.send(Ok(next)).unwrap();
    }
    rig.pipe.end_input();
    drop(gateway);
    assert_eq!(rig.ends(), Ended::Done);
}

#[test]
fn a_client_that_was_cut_off_gets_no_other_gateway() {
    let (first, mut gateway) = line();
    let mut rig = rig(first);
    rig.says(&call(1));
    gateway.hears(&call(1));
    // It was answered, and the answer was thrown away.
    let last = Checkpoint { heard: call(1).len() as u64, said: 1 << 20, ..Checkpoint::default() };
    gateway.word(&Word::End(Last { why: End::Cut, last, next: None }));
    drop(gateway);
    assert_eq!(rig.ends(), Ended::Cut);
    let mut lost = String::new();
    BufReader::new(&rig.shown).read_line(&mut lost).unwrap();
    assert!(lost.contains("\"id\":1,\"error\""), "{lost}");
}
