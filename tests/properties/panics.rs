//! Panics that somebody caught: code that survives them must not hide them from a test.
//!
//! A panic is noted for the thread it happened on. Under a fuzzer there is nothing to do, since it aborts at once.

use std::cell::RefCell;
use std::panic::PanicHookInfo;
use std::sync::Once;

thread_local! {
    static SEEN: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// From now on panics are noted and not printed, but for those of other threads' tests.
pub fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info: &PanicHookInfo<'_>| {
            SEEN.with_borrow_mut(|seen| seen.push(info.to_string()));
            if std::thread::current().name().is_some() {
                usual(info);
            }
        }));
    });
}

/// What was noted on this thread since the last time.
pub fn take() -> Vec<String> {
    SEEN.take()
}
