//! `gateway.egress` → [`EgressSettings`].
//!
//! No name is looked up.

use crate::config::check::section::Section;
use crate::config::finding::Findings;
use crate::config::model::egress::EgressSettings;
use crate::config::model::egress::Net;

/// Reads the section.
pub fn check(mut section: Section<'_>, egress: &mut EgressSettings, findings: &mut Findings) {
    for (text, at) in section.texts("allowPrivate", findings) {
        let host = text.to_ascii_lowercase();
        if let Some(net) = Net::parse(&host) {
            egress.nets.push(net);
        } else if is_host(host.strip_prefix("*.").unwrap_or(&host)) {
            egress.hosts.push(host);
        } else {
            let text = "`gateway.egress.allowPrivate` holds something that is no host, address or network";
            findings.error(at, text).hint("for example `sso.corp.example`, `*.corp.example` or `10.0.0.0/8`");
        }
    }
    section.flag("allowHttp", &mut egress.allow_http, findings);
    section.finish(findings);
}

fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    // A name that ends like a number would be read as an address.
    let last = text.rsplit('.').next().unwrap_or_default();
    text.split('.').all(label) && !last.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::syntax;
    use crate::config::syntax::lines::Lines;

    fn read(text: &str) -> (EgressSettings, Vec<String>) {
        let (root, mut findings) =
            (syntax::parse(text, &Lines::new(text.as_bytes())).unwrap(), Findings::default());
        let mut settings = EgressSettings::default();
        check(Section::new("gateway.egress", Some(&root), &mut findings), &mut settings, &mut findings);
        (settings, findings.first_error().map(|error| error.text.clone()).into_iter().collect())
    }

    #[test]
    fn hosts_networks_and_nothing_else_may_be_private() {
        let (settings, told) =
            read(r#"{"allowPrivate": ["SSO.corp", "*.lan", "10.0.0.0/8", "::1"], "allowHttp": true}"#);
        assert_eq!((settings.hosts, settings.nets.len()), (vec!["sso.corp".into(), "*.lan".into()], 2));
        assert!(settings.allow_http && told.is_empty());
        for wrong in
            ["", "*", "*.", "a..b", "http://a", "a:80", "10.0.0.0/33", "10.1", "a b", "127.1", "user@a"]
        {
            let (_, told) = read(&format!(r#"{{"allowPrivate": ["{wrong}"]}}"#));
            assert_eq!(told.len(), 1, "{wrong}");
        }
    }
}
