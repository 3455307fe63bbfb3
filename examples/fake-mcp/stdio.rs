//! One message per line on stdin and stdout.
//!
//! It does not know what the messages mean.

use crate::server::Out;
use crate::server::Server;
use std::io::BufRead as _;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;

struct Lines;

impl Out for Lines {
    fn notify(&self, text: &[u8]) {
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(text).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush());
    }

    fn answer(&self, text: &[u8]) {
        self.notify(text);
    }
}

/// Reads until stdin ends.
pub fn serve(server: &Arc<Server>) {
    let out: Arc<dyn Out> = Arc::new(Lines);
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { break };
        server.take(&line, &out);
        if server.stop_reading.load(Ordering::SeqCst) {
            crate::sleep_forever();
        }
    }
    server.note("eof", "");
    if server.options.ignore_eof || server.options.ignore_term {
        crate::sleep_forever();
    }
}

/// Closes stdout and lives on.
pub fn close() {
    let nowhere = std::fs::OpenOptions::new().write(true).open("/dev/null").expect("there is a /dev/null");
    rustix::stdio::dup2_stdout(nowhere).expect("stdout can be replaced");
}
