//! Which tools of one server are shown, by their own names.
//!
//! It decides what is listed and routed for everybody; what a caller may use is `policy`.

use crate::config::model::ToolFilter;
use wildmatch::WildMatch;

/// A [`ToolFilter`] ready for matching.
#[derive(Debug)]
pub struct Filter {
    include: Option<Vec<WildMatch>>,
    exclude: Vec<WildMatch>,
}

impl Filter {
    /// Prepares the patterns.
    #[must_use]
    pub fn new(filter: &ToolFilter) -> Self {
        let compiled =
            |patterns: &[String]| -> Vec<WildMatch> { patterns.iter().map(|p| WildMatch::new(p)).collect() };
        Self { include: filter.include.as_deref().map(compiled), exclude: compiled(&filter.exclude) }
    }

    /// True when the tool with this own name is shown.
    #[must_use]
    pub fn shows(&self, own_name: &str) -> bool {
        let any = |patterns: &[WildMatch]| patterns.iter().any(|pattern| pattern.matches(own_name));
        self.include.as_deref().is_none_or(any) && !any(&self.exclude)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shows(include: Option<&[&str]>, exclude: &[&str], name: &str) -> bool {
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        Filter::new(&ToolFilter { include: include.map(texts), exclude: texts(exclude) }).shows(name)
    }

    #[test]
    fn include_then_exclude() {
        assert!(shows(None, &[], "read"));
        assert!(shows(Some(&["read_*"]), &[], "read_file"));
        assert!(!shows(Some(&["read_*"]), &[], "write_file"));
        assert!(!shows(Some(&["*"]), &["write_????"], "write_file"), "exclude wins");
        assert!(!shows(Some(&[]), &[], "read"), "an empty list shows none");
        assert!(!shows(Some(&["Read"]), &[], "read"), "names are case-sensitive");
    }
}
