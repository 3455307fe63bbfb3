//! A Job Object per child: what it starts belongs to it, and ends with it. Compiled for Windows in checks, not run in tests.
//!
//! The system ends all processes of a job when its last handle is closed, which happens at the latest when this program
//! ends, however it does. What the child starts before it is put into its job is not part of it: a moment.

use crate::downstream::process::exit::ExitText;
use std::os::windows::io::AsRawHandle;
use std::process::Child;
use std::time::Duration;
use win32job::ExtendedLimitInfo;
use win32job::Job;

const LOOK: Duration = Duration::from_millis(50);

/// The job of a child; wakes when it is time to look whether the child ended.
#[derive(Debug)]
pub(super) struct ExitWatch {
    job: Option<Job>,
}

impl ExitWatch {
    pub(super) fn new(child: &Child) -> Self {
        let mut limits = ExtendedLimitInfo::new();
        limits.limit_kill_on_job_close();
        let job = Job::create_with_limit_info(&limits).and_then(|job| {
            job.assign_process(child.as_raw_handle() as isize)?;
            Ok(job)
        });
        if let Err(error) = &job {
            tracing::warn!(%error, "no job object: what this server starts may outlive it");
        }
        Self { job: job.ok() }
    }

    pub(super) async fn changed(&self) {
        tokio::time::sleep(LOOK).await;
    }
}

pub(super) fn look(child: &mut Child) -> Option<ExitText> {
    match child.try_wait() {
        Ok(None) => None,
        Ok(Some(status)) => Some(status.code().map_or_else(ExitText::unknown, ExitText::code)),
        Err(_) => Some(ExitText::unknown()),
    }
}

/// There is no gentle way that works for every program.
pub(super) fn ask_to_end(_child: &mut Child) {}

/// Ends the child and all of its job.
pub(super) fn kill(child: &mut Child, watch: &mut ExitWatch) {
    drop(watch.job.take());
    let _ = child.kill();
}

/// Is anybody left in the job of the child, which has ended?
pub(super) fn group_lives(_child: &Child, watch: &ExitWatch) -> bool {
    let members = watch.job.as_ref().and_then(|job| job.query_process_id_list().ok());
    members.is_some_and(|members| !members.is_empty())
}
