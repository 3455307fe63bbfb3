//! A panic is a bug: what it says goes to the log, one line, beside the incident that the client was told.
//!
//! Only the program installs this; a program that embeds the gateway decides for itself.

use std::panic::PanicHookInfo;
use std::panic::set_hook;

/// From here on panics are log lines.
pub fn start() {
    set_hook(Box::new(tell));
}

fn tell(info: &PanicHookInfo<'_>) {
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let payload = info.payload();
    let text = payload.downcast_ref::<&str>().copied();
    let said = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or_default();
    tracing::error!(place, said, "a bug: panic");
}
