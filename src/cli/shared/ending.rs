//! Signals to the process of a pipe, heard from its first moment: the first has the gateway finish what the client began, or
//! ends the search for one; the second ends the process at once.
//!
//! It needs no runtime, but on Windows, which has only Ctrl-C.

use crate::share::attach::Door;
use crate::share::pipe::Pipe;
use std::thread;

#[cfg(unix)]
use crate::share::hello::Wish;
#[cfg(unix)]
use signal_hook::consts::SIGHUP;
#[cfg(unix)]
use signal_hook::consts::SIGINT;
#[cfg(unix)]
use signal_hook::consts::SIGTERM;
#[cfg(unix)]
use signal_hook::iterator::Handle;
#[cfg(unix)]
use signal_hook::iterator::Signals;
#[cfg(windows)]
use tokio_util::sync::CancellationToken;

/// Signals are kept.
#[cfg(unix)]
pub struct Ending(Option<Signals>);

/// Signals are obeyed, until it is dropped.
#[cfg(unix)]
pub struct Obeying(Option<Handle>);

#[cfg(unix)]
impl Drop for Obeying {
    fn drop(&mut self) {
        if let Some(handle) = &self.0 {
            handle.close();
        }
    }
}

#[cfg(unix)]
impl Ending {
    /// Keeps signals from here on.
    pub fn begin() -> Self {
        Self(Signals::new([SIGINT, SIGTERM, SIGHUP]).ok())
    }

    /// Does what they say, to `pipe` and to the gateway behind `door`.
    pub fn obey(self, pipe: Pipe, door: Door) -> Obeying {
        let handle = self.0.as_ref().map(Signals::handle);
        if let Some(signals) = self.0 {
            thread::spawn(move || obey(signals, &pipe, &door));
        }
        Obeying(handle)
    }
}

#[cfg(unix)]
fn obey(mut signals: Signals, pipe: &Pipe, door: &Door) {
    let mut ending = false;
    for signal in signals.forever() {
        match signal {
            SIGHUP => {
                let _ = door.ask(&Wish::Reload);
            }
            _ if ending => end_at_once(),
            _ => {
                ending = true;
                pipe.end_input();
                give_up_later(pipe);
            }
        }
    }
}

/// A client that does not read, or a gateway that does not go on, does not keep the process.
fn give_up_later(pipe: &Pipe) {
    let patience = pipe.patience();
    thread::spawn(move || {
        thread::sleep(patience);
        end_at_once();
    });
}

/// Ctrl-C is heard.
#[cfg(windows)]
pub struct Ending;

/// Ctrl-C is obeyed, until it is dropped.
#[cfg(windows)]
pub struct Obeying(CancellationToken);

#[cfg(windows)]
impl Drop for Obeying {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

#[cfg(windows)]
impl Ending {
    /// Until it is obeyed Ctrl-C ends the process.
    pub fn begin() -> Self {
        Self
    }

    /// Does what it says, to `pipe`.
    pub fn obey(self, pipe: Pipe, _: Door) -> Obeying {
        let over = CancellationToken::new();
        let until = over.clone();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            if let Ok(runtime) = runtime {
                runtime.block_on(until.run_until_cancelled(obey(&pipe)));
            }
        });
        Obeying(over)
    }
}

#[cfg(windows)]
async fn obey(pipe: &Pipe) {
    for turn in 0.. {
        if tokio::signal::ctrl_c().await.is_err() {
            return;
        }
        match turn {
            0 => {
                pipe.end_input();
                give_up_later(pipe);
            }
            _ => end_at_once(),
        }
    }
}

fn end_at_once() -> ! {
    #[expect(clippy::disallowed_methods, reason = "it is asked for again, or nothing moves any more")]
    std::process::exit(130)
}
