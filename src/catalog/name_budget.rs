//! The name under which clients see a tool or prompt of a server.
//!
//! The same on every machine and at every start: it depends on nothing but the arguments. It does not know which other
//! names exist; two own names with one exposed name are settled in `catalog/merge.rs`.

use crate::config::model::Naming;
use crate::name::ExposedName;
use crate::name::ServerName;
use crate::secret::hex::hex;
use sha2::Digest;
use sha2::Sha256;

/// `_` and eight hexadecimal digits, in bytes.
const SUFFIX: usize = 9;
/// A shortened name shows at least this much of the own name, or all of it, before the prefix is cut.
const LEAST_OF_TOOL: usize = 8;

/// The exposed name of `own_name` of `server`, whose entry says `prefix` (`None`: the server name, `""`: nothing).
///
/// ```
/// use mcp_manifold::catalog::name_budget::expose;
/// use mcp_manifold::config::model::Naming;
/// use mcp_manifold::name::ServerName;
/// let server = ServerName::new("files").unwrap();
/// assert_eq!(expose(&server, None, "read.all", &Naming::default()).as_str(), "files__read_all");
/// assert_eq!(expose(&server, Some(""), "read", &Naming::default()).as_str(), "read");
/// ```
#[must_use]
pub fn expose(server: &ServerName, prefix: Option<&str>, own_name: &str, naming: &Naming) -> ExposedName {
    let shape = Shape::of(server, prefix, own_name, naming);
    let budget = naming.max_length.clamp(16, 128);
    let name = if shape.len() <= budget {
        shape.whole()
    } else {
        let mut name = shape.cut_to(budget - SUFFIX);
        name.push('_');
        name.push_str(&digest(server, own_name));
        name
    };
    ExposedName::new(&name).expect("sanitised, not empty, and within the budget")
}

/// Whether a tool called `exposed` would belong to `server`, as far as its name tells: for messages, never for routing.
#[must_use]
pub fn looks_like(server: &ServerName, prefix: Option<&str>, exposed: &str, naming: &Naming) -> bool {
    let shape = Shape::of(server, prefix, "x", naming);
    let begin = [&*shape.head, &*shape.joint].concat();
    !shape.head.is_empty() && exposed.starts_with(&begin) && exposed.ends_with(&shape.tail)
}

/// The parts of a name, sanitised: one byte per character.
struct Shape {
    /// Before the own name, without `joint`.
    head: String,
    /// The separator, kept when the head is cut.
    joint: String,
    tool: String,
    tail: String,
}

impl Shape {
    fn of(server: &ServerName, prefix: Option<&str>, own_name: &str, naming: &Naming) -> Self {
        let (head, joint, tail) = match (prefix, naming.template.as_deref()) {
            (Some(""), _) => (String::new(), "", String::new()),
            (Some(prefix), _) => (prefix.to_owned(), naming.separator.as_str(), String::new()),
            (None, None) => (server.as_str().to_owned(), naming.separator.as_str(), String::new()),
            (None, Some(template)) => {
                let (before, after) = template.split_once("{tool}").unwrap_or((template, ""));
                let filled = |text: &str| text.replace("{server}", server.as_str());
                (filled(before), "", filled(after))
            }
        };
        let tool = if own_name.is_empty() { "_".to_owned() } else { sanitise(own_name) };
        Self { head: sanitise(&head), joint: sanitise(joint), tool, tail: sanitise(&tail) }
    }

    fn len(&self) -> usize {
        self.head.len() + self.joint.len() + self.tool.len() + self.tail.len()
    }

    fn whole(&self) -> String {
        [&*self.head, &*self.joint, &*self.tool, &*self.tail].concat()
    }

    /// At most `room` bytes: the own name is cut first, and the rest only when too little of it would be left.
    fn cut_to(&self, room: usize) -> String {
        let around = self.head.len() + self.joint.len() + self.tail.len();
        let least = self.tool.len().min(LEAST_OF_TOOL).min(room / 2);
        if around + least <= room {
            let tool = &self.tool[..self.tool.len().min(room - around)];
            return [&*self.head, &*self.joint, tool, &*self.tail].concat();
        }
        let tool = &self.tool[..self.tool.len().min(room.div_ceil(2))];
        let left = room - tool.len();
        let joint = if self.joint.len() * 2 < left { &*self.joint } else { "" };
        let head = &self.head[..self.head.len().min(left - joint.len())];
        [head, joint, tool].concat()
    }
}

/// `text` with everything outside `[A-Za-z0-9_-]` as `_`.
fn sanitise(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect()
}

/// Eight hexadecimal digits that tell apart what shortening makes equal.
fn digest(server: &ServerName, own_name: &str) -> String {
    let digest =
        Sha256::new().chain_update(server.as_str()).chain_update([0]).chain_update(own_name).finalize();
    hex(&digest[..4])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_name_tells_whose_it_would_be() {
        let looks = |name, prefix| {
            looks_like(&ServerName::new("my files").unwrap(), prefix, name, &Naming::default())
        };
        assert!(looks("my_files__read", None) && looks("f__read", Some("f")));
        assert!(!looks("read", Some("")) && !looks("files__read", None));
    }

    fn exposed(server: &str, prefix: Option<&str>, own_name: &str, naming: &Naming) -> String {
        expose(&ServerName::new(server).unwrap(), prefix, own_name, naming).to_string()
    }

    fn template(template: &str) -> Naming {
        Naming { template: Some(template.into()), ..Naming::default() }
    }

    #[test]
    fn the_usual_shapes() {
        let plain = Naming::default();
        assert_eq!(exposed("github", None, "create_issue", &plain), "github__create_issue");
        assert_eq!(exposed("github", Some("gh"), "create_issue", &plain), "gh__create_issue");
        assert_eq!(exposed("github", Some(""), "create_issue", &plain), "create_issue");
        assert_eq!(exposed("my server", None, "a.b/c:d é", &plain), "my_server__a_b_c_d__");
        assert_eq!(exposed("a", Some(""), "", &plain), "_");
        let dash = Naming { separator: "-".into(), ..Naming::default() };
        assert_eq!(exposed("github", None, "create_issue", &dash), "github-create_issue");
        assert_eq!(exposed("a", None, "t", &template("mcp_{server}__{tool}")), "mcp_a__t");
        assert_eq!(exposed("a", None, "t", &template("{tool}-of-{server}")), "t-of-a");
        assert_eq!(exposed("a", Some("p"), "t", &template("{tool}-of-{server}")), "p__t", "the entry wins");
    }

    #[test]
    fn over_the_budget_the_prefix_stays_and_the_tool_is_cut() {
        let name = exposed("github", None, &"very_long_tool_name_".repeat(4), &Naming::default());
        assert_eq!(name, "github__very_long_tool_name_very_long_2532e6e2");
        assert_eq!(name.len(), 46);
        let long = exposed(&"server".repeat(12), None, "read_text_file", &Naming::default());
        assert!(long.starts_with("serverserver") && long.contains("__read_text_file_"), "{long}");
        assert_eq!(long.len(), 46);
        let tail = exposed("abc", None, &"t".repeat(60), &template("{tool}-of-{server}"));
        assert!(tail.starts_with("tttt") && tail.contains("-of-abc_"), "{tail}");
        let tight = Naming { max_length: 16, separator: "-----".into(), template: None };
        assert_eq!(exposed(&"s".repeat(40), None, &"t".repeat(40), &tight).len(), 16);
    }

    fn naming() -> impl Strategy<Value = Naming> {
        let template = prop_oneof![
            Just(None),
            Just(Some("mcp_{server}__{tool}".to_owned())),
            Just(Some("{tool}.{server}".to_owned())),
            ".{0,200}".prop_map(Some),
        ];
        (0_usize..300, "[A-Za-z0-9_-]{1,20}", template).prop_map(|(max_length, separator, template)| Naming {
            separator,
            template,
            max_length,
        })
    }

    proptest! {
        #[test]
        fn always_valid_within_the_budget_and_the_same(
            server in "[^\\x00-\\x20\\x7f-\\x9f]{1,40}", prefix in prop::option::of(".{0,60}"), own in ".{0,200}", naming in naming()
        ) {
            let first = exposed(&server, prefix.as_deref(), &own, &naming);
            prop_assert!(first.len() <= naming.max_length.clamp(16, 128));
            prop_assert!(!first.is_empty());
            prop_assert!(first.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'));
            prop_assert_eq!(first, exposed(&server, prefix.as_deref(), &own, &naming));
        }

        #[test]
        fn pairs_over_the_budget_differ(
            a in "[a-z]{1,3}", b in "[a-z]{1,3}", stem in "[a-z]{60}", x in ".{0,3}", y in ".{0,3}"
        ) {
            prop_assume!((&a, &x) != (&b, &y));
            let (x, y) = (format!("{stem}{x}"), format!("{stem}{y}"));
            let naming = Naming::default();
            prop_assert_ne!(exposed(&a, Some("p"), &x, &naming), exposed(&b, Some("p"), &y, &naming));
        }
    }
}
