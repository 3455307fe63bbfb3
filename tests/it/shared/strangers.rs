//! Who may not attach, and what is refused.

use crate::shared::rig;
use crate::shared::rig::Shared;
use crate::support::eventually::eventually;
use crate::support::stdio_client::StdioClient;
use serde_json::json;
use std::fs;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

#[test]
fn a_folder_that_others_may_enter_is_refused() {
    let shared = Shared::with_servers(1, "60s");
    let folder = shared.conf().runtime();
    fs::create_dir(&folder).expect("a folder");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).expect("its mode");
    let client = shared.client();
    client.call("s0__echo", json!({ "message": "alone" })).result();
    let said = client.stderr();
    assert!(said.contains("not shared with other clients: the runtime folder"), "{said}");
    assert!(said.contains("is open to other users (mode 777): `chmod 700` it"), "{said}");
    assert!(shared.left().is_empty(), "nothing is made in it");
    let (code, _, why) = shared.run(&["serve", "--attach-only"]);
    assert!(code == 4 && why.contains("open to other users"), "{why}");
}

#[test]
fn attach_only_starts_nothing_and_standalone_meets_nobody() {
    let shared = Shared::with_servers(1, "60s");
    let (code, _, why) = shared.run(&["serve", "--attach-only"]);
    assert!(code == 4 && why.contains("no gateway runs for"), "{why}");
    assert!(shared.left().is_empty(), "{:?}", shared.left());
    let first = shared.client();
    let only = StdioClient::spawn(shared.command(&["--attach-only"]), None).legacy();
    assert_eq!(rig::attached_to(&only), rig::attached_to(&first));
    let alone = StdioClient::spawn(shared.command(&["--standalone"]), None).legacy();
    alone.call("s0__echo", json!({ "message": "x" })).result();
    assert!(!alone.stderr().contains("attached"), "{}", alone.stderr());
    assert_eq!(shared.status()["sessions"], 2);
}

/// Needs to be run by root, as in a container; elsewhere there is no other user to be.
#[test]
fn another_user_cannot_attach() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let shared = Shared::with_servers(1, "60s");
    let _client = shared.client();
    let socket =
        fs::read_dir(shared.conf().runtime()).expect("the folder").flatten().map(|entry| entry.path());
    let socket =
        socket.into_iter().find(|path| path.extension().is_some_and(|end| end == "sock")).expect("a socket");
    let reach = |open: bool| {
        let script = "import socket,sys\ns=socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n\
                      s.sendall(b'{\"links\":[1,1],\"version\":\"x\",\"pid\":1,\"wish\":{\"kind\":\"status\"}}\\n')\n\
                      print(s.recv(100))";
        for path in [shared.conf().dir(), &shared.conf().runtime()] {
            let mode = if open { 0o755 } else { 0o700 };
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("its mode");
        }
        if open {
            fs::set_permissions(&socket, fs::Permissions::from_mode(0o666)).expect("its mode");
        }
        let stranger =
            Command::new("python3").args(["-c", script]).arg(&socket).current_dir("/").uid(65534).output();
        let stranger = stranger.expect("python3 runs");
        (stranger.status.success(), String::from_utf8_lossy(&stranger.stdout).into_owned())
    };
    assert_eq!(reach(false), (false, String::new()), "the folder keeps them out");
    assert!(!reach(true).1.contains("kind"), "the gateway turns them away without a word");
    let log = shared.socket().with_extension("log");
    eventually("it is told", || {
        fs::read_to_string(&log).is_ok_and(|log| log.contains("a process of another user tried to attach"))
    });
}

#[test]
fn an_unknown_link_is_told_to_stand_alone_and_rubbish_harms_nobody() {
    let shared = Shared::with_servers(1, "60s");
    let client = shared.client();
    let socket = shared.socket();
    let say = |text: &[u8]| {
        let mut stream = UnixStream::connect(&socket).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time-out");
        stream.write_all(text).expect("it reads");
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    };
    let later = r#"{"links":[7,9],"version":"9.0.0","pid":1,"wish":{"kind":"status"}}"#;
    let answer = say(format!("{later}\n").as_bytes());
    assert!(answer.contains("alone") && answer.contains("another link than version 9.0.0"), "{answer}");
    for rubbish in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"{}\n", b"\xff\xfe\n", b"{\"links\":[1,1]}\n"] {
        let answer = say(rubbish);
        assert!(answer.contains("does not understand"), "{answer}");
    }
    assert!(client.call("s0__echo", json!({ "message": "still" })).text().contains("still"));
}

/// A gateway of another version: it listens where ours did, and answers with this line.
#[test]
fn with_a_gateway_of_another_link_a_client_stands_alone_and_says_why() {
    let alone = r#"{"kind":"alone","why":"the gateway is version 9.0.0, which speaks another link"}"#;
    for (line, why) in
        [(alone, "version 9.0.0, which speaks another link"), ("hello?", "speaks another link")]
    {
        let shared = Shared::with_servers(1, "60s");
        drop(shared.client());
        let place = shared.socket();
        shared.run(&["stop"]);
        eventually("it has ended", || !place.exists());
        let listener = UnixListener::bind(&place).expect("a socket");
        let answering = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client comes");
            BufReader::new(&stream).read_line(&mut String::new()).expect("it says hello");
            stream.write_all(format!("{line}\n").as_bytes()).expect("it listens");
        });
        let client = shared.client();
        client.call("s0__echo", json!({ "message": "alone" })).result();
        let said = client.stderr();
        assert!(said.contains("not shared with other clients: ") && said.contains(why), "{said}");
        answering.join().expect("a client came");
    }
}
