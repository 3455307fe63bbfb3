//! `gateway.audit` → [`AuditSettings`].
//!
//! The file is not opened here.

use crate::config::check::read;
use crate::config::check::section::Section;
use crate::config::expand::Scope;
use crate::config::expand::Style;
use crate::config::finding::Findings;
use crate::config::model::audit::AuditSettings;
use crate::telemetry::audit::place::Place;

/// Bytes after which the file is put aside, unless the user says otherwise.
const ROTATE: usize = 64 << 20;
/// Files kept, unless the user says otherwise.
const KEEP: usize = 5;

/// Reads the section; `None` when there is none.
pub fn check(
    gateway: &mut Section<'_>,
    scope: &mut Scope<'_>,
    findings: &mut Findings,
) -> Option<AuditSettings> {
    let at = gateway.get("audit")?.start;
    let mut section = gateway.inner("audit", findings);
    let file = section.text("file", findings);
    let (mut rotate, mut keep) = (ROTATE, KEEP);
    section.count("rotateBytes", &mut rotate, 1024..=1 << 40, findings);
    section.count("keep", &mut keep, 1..=1000, findings);
    let values = choice(&mut section, "arguments", ["shape", "values"], findings);
    let refuse = choice(&mut section, "onFailure", ["ignore", "refuse"], findings);
    section.finish(findings);
    let Some((node, written)) = file.and_then(|node| Some((node, node.text()?))) else {
        findings.error(at, "`gateway.audit` needs a `file`");
        return None;
    };
    let style = Style { tilde: true, ..Style::default() };
    let file = read::expanded(written, node.start, scope, style, findings)?;
    if file.value.is_empty() {
        findings.error(node.start, "`gateway.audit.file` must name a file");
        return None;
    }
    let file = scope.folder.join(file.value);
    Some(AuditSettings { place: Place { file, rotate_bytes: rotate as u64, keep }, values, refuse })
}

/// True for the second of two words.
fn choice(
    section: &mut Section<'_>,
    key: &'static str,
    words: [&'static str; 2],
    findings: &mut Findings,
) -> bool {
    let Some(node) = section.text(key, findings) else { return false };
    match words.iter().position(|word| Some(*word) == node.text()) {
        Some(at) => at == 1,
        None => {
            let name = section.name(key);
            findings.error(node.start, format!("`{name}` must be `{}` or `{}`", words[0], words[1]));
            false
        }
    }
}
