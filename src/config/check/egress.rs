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
