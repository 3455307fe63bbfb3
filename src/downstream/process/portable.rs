//! The fallback for systems without process groups: the child alone is killed. Compiled, not run in tests.
//!
//! It does not end grandchildren; on Windows that needs a Job Object.

use crate::downstream::process::exit::ExitText;
use std::time::Duration;

const LOOK: Duration = Duration::from_millis(50);

/// Wakes when it is time to look whether a child ended.
#[derive(Debug)]
pub(super) struct ExitWatch;

impl ExitWatch {
    pub(super) fn new(_child: &std::process::Child) -> Self {
        Self
    }

    pub(super) async fn changed(&self) {
        tokio::time::sleep(LOOK).await;
    }
}

pub(super) fn look(child: &mut std::process::Child) -> Option<ExitText> {
    match child.try_wait() {
        Ok(None) => None,
        Ok(Some(status)) => Some(status.code().map_or_else(ExitText::unknown, ExitText::code)),
        Err(_) => Some(ExitText::unknown()),
    }
}

/// There is no gentle way that works for every program.
pub(super) fn ask_to_end(_child: &mut std::process::Child) {}

pub(super) fn kill(child: &mut std::process::Child) {
    let _ = child.kill();
}

pub(super) fn group_lives(_child: &std::process::Child) -> bool {
    false
}
