//! Who a client on stdio is: the owner of the process, or one of those that the configuration names.
//!
//! Such a client shows no credential: whoever can start it is trusted to say who it is.

use crate::auth::caller::Caller;
use crate::auth::caller::Identity;
use crate::auth::holders::identity;
use crate::config::model::auth::Callers;
use crate::config::suggest::did_you_mean;

/// Nobody of this name is in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`gateway.callers` has no `{name}`{}", .hint.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default())]
pub struct NoCaller {
    /// Who was asked for.
    pub name: String,
    /// Who may be meant.
    pub hint: Option<String>,
}

/// The one called `name`; without a name the one that the configuration has for that.
///
/// # Errors
/// [`NoCaller`]
pub fn caller(callers: &Callers, name: Option<&str>) -> Result<Caller, NoCaller> {
    let Some(name) = name.or(callers.default.as_deref()) else { return Ok(Caller::Local) };
    match callers.known.get(name) {
        Some(holder) => Ok(identity(format!("name:{name}"), holder).into()),
        None => Err(NoCaller {
            name: name.to_owned(),
            hint: did_you_mean(name, callers.known.keys().map(String::as_str)),
        }),
    }
}

/// The one that a client is which names none.
#[must_use]
pub fn usual(callers: &Callers) -> Caller {
    // A default that is not there is refused when the configuration is read; it must not become the owner.
    caller(callers, None)
        .unwrap_or_else(|missing| Identity::new(format!("name:{}", missing.name), missing.name).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::auth::Holder;

    #[test]
    fn a_name_is_one_of_those_that_are_known() {
        let mut callers = Callers::default();
        assert_eq!(caller(&callers, None), Ok(Caller::Local));
        let team = Some("red".to_owned());
        callers.known.insert("nightly".into(), Holder { name: "nightly".into(), team, ..Holder::default() });
        assert_eq!(caller(&callers, None), Ok(Caller::Local));
        let named = caller(&callers, Some("nightly")).unwrap();
        assert_eq!(
            (named.principal(), named.identity().unwrap().team.as_deref()),
            ("name:nightly", Some("red"))
        );
        assert!(
            caller(&callers, Some("nightlx")).unwrap_err().to_string().contains("did you mean `nightly`")
        );
        callers.default = Some("nightly".into());
        assert_eq!(caller(&callers, None), Ok(named));
    }
}
