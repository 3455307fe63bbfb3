//! When the lists of a running server are read: before its first call where they must be as they were locked, else right
//! after its start, and whenever they changed.
//!
//! How they are read is `survey.rs`; what is held back of them is `catalog/lock.rs`.

use crate::catalog::lists::ListKind;
use crate::catalog::lists::ServerLists;
use crate::catalog::lock::judge::Change;
use crate::catalog::lock::judge::Difference;
use crate::catalog::lock::judge::Judgement;
use crate::catalog::lock::judge::judge;
use crate::catalog::lock::words::Detail;
use crate::downstream::connect::Greeting;
use crate::downstream::error::StartError;
use crate::downstream::handle::Shared;
use crate::downstream::link::Link;
use crate::downstream::parked::ParkedCall;
use crate::downstream::private::Own;
use crate::downstream::survey::survey;
use crate::downstream::task::sweep::SWEEP;
use crate::downstream::task::sweep::sweep;
use crate::name::ServerName;
use crate::telemetry::event;
use crate::wire::pending::Answer;
use crate::wire::pending::Lost;
use crate::wire::unauthorized::Unauthorized;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio::time::interval;
use tokio::time::sleep;
use tokio::time::timeout;

/// Quiet time after a server said that its lists changed.
const RELIST_QUIET: Duration = Duration::from_millis(100);
/// The same where a changed definition is to be held back.
const LOCKED_QUIET: Duration = Duration::from_millis(5);
/// First wait before a list that could not be read is read again; it doubles, so that a server nobody uses can end.
const RELIST_AGAIN: Duration = Duration::from_secs(1);

/// What was found before a connection is used.
pub(super) struct Verified {
    lists: ServerLists,
    judgement: Judgement,
}

impl Verified {
    /// Why the call must not be made on the new connection.
    pub(super) fn refusal(&self, call: &ParkedCall) -> Option<String> {
        let kind = match call.method() {
            "tools/call" => ListKind::Tools,
            "prompts/get" => ListKind::Prompts,
            "resources/read" => ListKind::Resources,
            _ => return None,
        };
        self.judgement.held(kind, call.target()?).map(Difference::denial)
    }

    /// Why a connection must not be used whose lists are shown to nobody.
    fn fault(&self) -> Option<&Difference> {
        self.judgement.differences().iter().find(|found| found.change == Change::Changed)
    }
}

impl Shared {
    /// Reads the lists of a new connection before anybody uses it, when they must be as they were locked.
    ///
    /// # Errors
    /// [`StartError::Held`] or [`StartError::ShowsNothing`]: the connection must not be used at all.
    pub(super) async fn verify(
        &self,
        link: &Arc<dyn Link>,
        greeting: &Greeting,
    ) -> Result<Option<Verified>, StartError> {
        let server = self.entry.borrow().clone();
        if !server.pins.are_enforced() {
            return Ok(None);
        }
        let before = self.lists.borrow().clone();
        let reading = survey(&**link, &server, greeting, self.around.lists, before.as_deref());
        let sweeping = async {
            let mut tick = interval(SWEEP);
            loop {
                tick.tick().await;
                sweep(&**link, &self.breaker);
            }
        };
        let mut retired = self.retired.subscribe();
        let lists = tokio::select! {
            lists = reading => lists.map_err(StartError::ShowsNothing)?,
            () = sweeping => unreachable!("sweeping never ends"),
            _ = retired.wait_for(Option::is_some) => return Ok(None),
        };
        let verified = Verified { judgement: judge(&server, Some(&lists), Detail::Brief), lists };
        match verified.fault().filter(|_| self.own.is_some()) {
            Some(fault) => Err(StartError::Held { server: server.name.clone(), why: fault.denial() }),
            None => Ok(Some(verified)),
        }
    }

    /// Reads the lists after the start, unless `verified` holds them, and whenever they changed. Ends when the server starts
    /// and shows nothing before somebody has logged in: what a person has to do.
    pub(super) async fn keep_lists(
        &self,
        link: &Arc<dyn Link>,
        greeting: &Greeting,
        began: Instant,
        verified: Option<Verified>,
    ) -> Unauthorized {
        if let Some(own) = &self.own {
            event::private_connection(&self.around.metrics, &self.name, began.elapsed());
            return self.tell_again(link, own).await;
        }
        let mut known = verified.map(|verified| verified.lists);
        let (mut first, mut pause) = (true, RELIST_AGAIN);
        loop {
            let server = self.entry.borrow().clone();
            let lists = match known.take() {
                Some(lists) => lists,
                None => {
                    let before = self.lists.borrow().clone();
                    match survey(&**link, &server, greeting, self.around.lists, before.as_deref()).await {
                        Ok(lists) => lists,
                        Err(why) if first => return why,
                        // Calls say so themselves, and the lists stay as they are known.
                        Err(_) => {
                            let _ = timeout(pause, self.relist.notified()).await;
                            pause = pause.saturating_mul(2);
                            continue;
                        }
                    }
                }
            };
            if first {
                event::server_started(&self.around.metrics, &server.name, began.elapsed(), lists.tools.len());
            }
            first = false;
            let incomplete = self.tell_lists(lists);
            if incomplete {
                let _ = timeout(pause, self.relist.notified()).await;
                pause = pause.saturating_mul(2);
            } else {
                pause = RELIST_AGAIN;
                self.relist.notified().await;
            }
            sleep(if self.entry.borrow().pins.are_enforced() { LOCKED_QUIET } else { RELIST_QUIET }).await;
        }
    }

    /// Makes what was found known before the first call.
    pub(super) fn tell_verified(&self, verified: Option<&Verified>) {
        if let Some(verified) = verified.filter(|_| self.own.is_none()) {
            self.tell_lists(verified.lists.clone());
        }
    }

    fn tell_lists(&self, lists: ServerLists) -> bool {
        let lists = self.publish(lists);
        self.listener.lists_read(&self.name, &lists);
        lists.incomplete
    }

    /// A server that forgot the session is told once more what its client wants. Never ends.
    async fn tell_again(&self, link: &Arc<dyn Link>, own: &Own) -> Unauthorized {
        if let Some(mut renewals) = link.renewals() {
            while renewals.changed().await.is_ok() {
                self.listener.private_ready(&self.name, &own.key, link);
            }
        }
        std::future::pending().await
    }
}

/// Tells who made a call that it is not made, because it is held back.
pub(super) fn refuse(call: ParkedCall, server: &ServerName, why: &str) {
    call.waiter.answer(Answer::Lost(Lost::Held(format!("server `{server}`: {why}").into())));
}
