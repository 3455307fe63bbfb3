//! By which names entries of the configuration mean a caller: policies, rates, credentials of servers.
//!
//! A name may be of its bearer's own choice, so none passes for a principal or for a name of the gateway's own. What an
//! entry says is not looked at here.

use crate::config::model::auth::is_free_name;

/// The names of a caller, the surest first.
pub fn names<'a>(principal: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    std::iter::once(principal).chain(name_that_counts(principal, name))
}

/// True for one who says its name itself: it proves nothing where a credential is given for it.
#[must_use]
pub fn names_itself(principal: &str) -> bool {
    principal.starts_with("jwt:")
}

fn name_that_counts<'a>(principal: &str, name: &'a str) -> Option<&'a str> {
    let place = principal.strip_prefix("token:");
    let is_given = place.is_some() && name.strip_prefix("token-") == place;
    (name != principal && (is_given || is_free_name(name))).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_passes_for_a_principal_or_for_a_name_of_the_gateway() {
        let found =
            |principal: &str, name: &str| names(principal, name).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(found("key:1", "ann"), ["key:1", "ann"]);
        assert_eq!(found("jwt:i|s", "tokyo"), ["jwt:i|s", "tokyo"]);
        assert_eq!(found("token:2", "token-2"), ["token:2", "token-2"]);
        for name in ["local", "anonymous", "token-1", "token-02", "token:1", "key:2", "name:x", "x:y", ":"] {
            for principal in ["key:1", "jwt:i|s", "basic:x", "token:2", "name:n"] {
                assert_eq!(found(principal, name), [principal], "{name}");
            }
        }
        for own in ["local", "anonymous", "ann"] {
            assert_eq!(found(own, own), [own]);
        }
    }
}
