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
        for uri in wanted.difference(&told.clone()) {
            match tell(link, "resources/subscribe", uri).await {
                Ok(()) => {
                    told.insert(uri.clone());
                    updates.settle(uri, None);
                }
                Err(why) => updates.settle(uri, Some(&why)),
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
