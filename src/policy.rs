//! Who may call what.
//!
//! A call needs a [`Permit`], and only this module can make one: a method that forgets to ask does not
//! compile. It knows the rules and no request; without rules everybody may use everything that is shown.

pub mod access;
pub mod agents;
pub mod explain;
pub mod glob;
pub mod lately;
pub mod object;
pub mod permit;
pub mod rule;
pub mod subject;

use crate::auth::caller::Caller;
use crate::catalog::route::Route;
use crate::config::model::Settings;
use crate::config::model::access::Level;
use crate::config::model::access::ObjectKind;
use crate::policy::access::Access;
use crate::policy::object::Object;
use crate::policy::permit::Permit;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::RwLock;

/// The decision maker of one snapshot.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    access: Option<Arc<Access>>,
}

/// Why there is no permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// To be answered like something that does not exist.
    Hidden,
    /// The caller sees it in lists, and may do no more.
    ListOnly,
}

impl Policy {
    /// The policy of a configuration.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        Self { access: Access::new(settings).map(Arc::new) }
    }

    /// True when there are no rules.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.access.is_none()
    }

    /// Proof that `caller` may use `route`, which leads to something of `kind`.
    ///
    /// # Errors
    /// [`Denied`], which says how to answer.
    pub fn permit<'a>(
        &self,
        caller: &Caller,
        kind: ObjectKind,
        route: &'a Route,
    ) -> Result<Permit<'a>, Denied> {
        let Some(access) = &self.access else { return Ok(Permit::new(route)) };
        let object = Object { kind, server: route.server.as_str(), name: &route.own_name };
        match access.level(caller, &object) {
            Level::Deny => Err(Denied::Hidden),
            Level::Read => Err(Denied::ListOnly),
            Level::Execute | Level::Admin => Ok(Permit::new(route)),
        }
    }

    /// True when `caller` sees it in lists.
    #[must_use]
    pub fn shows(&self, caller: &Caller, object: &Object<'_>) -> bool {
        self.access.as_ref().is_none_or(|access| access.level(caller, object) >= Level::Read)
    }

    /// False when `caller` can see nothing of `server`, whatever that has.
    #[must_use]
    pub fn may_show(&self, caller: &Caller, server: &str) -> bool {
        self.access.as_ref().is_none_or(|access| access.may_show(caller, server, None))
    }

    /// False when `caller` can see no resource of `server`, whatever that has.
    #[must_use]
    pub fn may_show_resources(&self, caller: &Caller, server: &str) -> bool {
        let kind = Some(ObjectKind::Resource);
        self.access.as_ref().is_none_or(|access| access.may_show(caller, server, kind))
    }

    /// True when `caller` may see the state of the gateway. Without rules everybody may who gets that far.
    #[must_use]
    pub fn is_admin(&self, caller: &Caller) -> bool {
        self.access.as_ref().is_none_or(|access| access.level_of_gateway(caller) == Level::Admin)
    }

    /// The rules.
    #[must_use]
    pub fn access(&self) -> Option<&Access> {
        self.access.as_deref()
    }
}

/// The policy that holds now, for those who outlive a snapshot.
#[derive(Debug, Default)]
pub struct Present(RwLock<Policy>);

impl Present {
    /// It.
    #[must_use]
    pub fn policy(&self) -> Policy {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on `policy` holds.
    pub fn set(&self, policy: Policy) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = policy;
    }
}

#[cfg(test)]
mod tests;
