//! Subscriptions on a live connection to a legacy server: `resources/subscribe` for what is wanted, and the reverse.
//!
//! Modern servers are asked with one open request instead (`listen.rs`). Source: 2025-11-25, `server/resources`.

use crate::downstream::link::Link;
use crate::downstream::own_call::NoResult;
use crate::downstream::own_call::ask;
use crate::downstream::request::Request;
use crate::downstream::updates::Updates;
use crate::protocol::code;
use crate::wire::members::Members;
use std::collections::BTreeSet;
use std::time::Duration;

/// How long a server may take to accept a subscription.
const PATIENCE: Duration = Duration::from_secs(30);

/// Keeps the server's subscriptions as they are wanted; all of them again when it forgot the session. Never ends.
pub async fn follow(link: &dyn Link, updates: &Updates) {
    let Some(mut renewals) = link.renewals() else { return keep(link, updates).await };
    loop {
        tokio::select! {
            () = keep(link, updates) => {}
            renewed = renewals.changed() => match renewed {
                Ok(()) => updates.start_over(),
                Err(_) => return std::future::pending().await,
            },
        }
    }
}

async fn keep(link: &dyn Link, updates: &Updates) {
    let mut changes = updates.changes();
    let mut told = BTreeSet::new();
    loop {
        changes.borrow_and_update();
        let wanted = updates.wanted();
        let gone: Vec<Box<str>> = told.difference(&wanted).cloned().collect();
        for uri in gone {
            let _ = tell(link, "resources/unsubscribe", &uri).await;
            told.remove(&uri);
        }
        for uri in updates.awaited() {
            match tell(link, "resources/subscribe", &uri).await {
                Ok(()) => {
                    updates.settle(&uri, None);
                    told.insert(uri);
                }
                Err(why) => updates.settle(&uri, Some(&why)),
            }
        }
        if changes.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}

async fn tell(link: &dyn Link, method: &str, uri: &str) -> Result<(), String> {
    let params = serde_json::json!({ "uri": uri }).to_string();
    let members = Members::parse(&params).map_err(|why| why.to_string())?;
    match ask(link, &Request::own(method, &members, "{}"), PATIENCE).await {
        Ok(_) => Ok(()),
        Err(NoResult::Error(error)) => Err(error),
        Err(other) => Err(error(&format!("the server does not take the subscription: {other}"))),
    }
}

/// An error object of our own, as JSON text.
fn error(message: &str) -> String {
    serde_json::json!({ "code": code::INTERNAL_ERROR, "message": message }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::downstream::link::Link;
    use crate::protocol::version::Era;
    use crate::wire::message::Outcome;
    use crate::wire::pending::Answer;
    use crate::wire::pending::Owner;
    use crate::wire::pending::Patience as Times;
    use crate::wire::pending::Pending;
    use crate::wire::pending::Waiter;
    use serde_json::value::RawValue;
    use tokio::time::timeout;

    /// A server that takes everything.
    struct Willing(Pending);

    impl Link for Willing {
        fn era(&self) -> Era {
            Era::Legacy
        }
        fn call(&self, _: &Request<'_>, waiter: Box<dyn Waiter>, _: Times) -> Result<(), Box<dyn Waiter>> {
            let nothing = RawValue::from_string("{}".into()).expect("JSON");
            waiter.answer(Answer::Outcome(Outcome::Result(&nothing)));
            Ok(())
        }
        fn cancel(&self, _: Owner, _: &str, _: Option<&str>) -> bool {
            false
        }
        fn abandon(&self, _: u64, _: &str) {}
        fn notify(&self, _: &str, _: &str) {}
        fn respond(&self, _: &RawValue, _: &str) {}
        fn pending(&self) -> &Pending {
            &self.0
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_wants_what_was_let_go_a_moment_ago_has_its_word() {
        let (updates, server) = (Updates::default(), Willing(Pending::new(1)));
        let clients = async {
            updates.want(1, "a:1");
            assert_eq!(updates.word("a:1").await, Ok(()));
            updates.unwant(1, "a:1");
            updates.want(1, "a:1");
            assert_eq!(timeout(PATIENCE, updates.word("a:1")).await, Ok(Ok(())));
        };
        tokio::select! {
            () = follow(&server, &updates) => unreachable!("it never ends"),
            () = clients => {}
        }
    }
}
