//! Which tools say how they run as tasks of 2025-11-25 (`execution`), and who can do something with it.
//!
//! Only legacy clients of legacy servers that offer tasks can. Everybody else sees the tool without it, or not at all
//! when it runs no other way.

use crate::catalog::lists::ListKind;
use crate::catalog::lists::ServerLists;
use crate::catalog::merge::Exposed;
use crate::catalog::merge::LeftOutItem;
use crate::catalog::merge::LeftOutReason;
use crate::catalog::merge::Merged;
use crate::catalog::merge::Part;
use crate::name::ExposedName;
use crate::wire::members::Edit;
use crate::wire::members::Members;
use crate::wire::members::write_object;
use memchr::memmem;
use serde_json::value::RawValue;
use std::collections::HashMap;
use std::collections::HashSet;

/// The member of a tool.
pub const MEMBER: &str = "execution";

/// Takes it away from tools of servers without tasks. The tools that run only as tasks, which are reported.
pub fn settle(parts: &[Part<'_>], merged: &mut Merged) -> HashSet<ExposedName> {
    let lists: HashMap<_, _> = parts.iter().map(|part| (&part.server.name, part.lists.as_deref())).collect();
    let mut only_tasks = HashSet::new();
    for tool in &mut merged.tools {
        if memmem::find(tool.raw.get().as_bytes(), MEMBER.as_bytes()).is_none() {
            continue;
        }
        let of_server = lists.get(&tool.route.server).copied().flatten();
        if !of_server.is_some_and(ServerLists::runs_tasks) {
            tool.raw = without(&tool.raw);
        } else if is_required(tool) {
            only_tasks.insert(tool.name.clone());
            let (kind, route) = (ListKind::Tools, tool.route.clone());
            merged.left_out.push(LeftOutItem { kind, route, reason: LeftOutReason::OnlyAsTask });
        }
    }
    only_tasks
}

fn is_required(tool: &Exposed) -> bool {
    let members = Members::parse_with_duplicates(tool.raw.get()).ok();
    let execution =
        members.and_then(|members| Members::parse_with_duplicates(members.get(MEMBER)?.get()).ok());
    execution.is_some_and(|all| all.get("taskSupport").is_some_and(|raw| raw.get() == "\"required\""))
}

fn without(raw: &RawValue) -> Box<RawValue> {
    let Ok(members) = Members::parse_with_duplicates(raw.get()) else { return raw.to_owned() };
    if members.get(MEMBER).is_none() {
        return raw.to_owned();
    }
    let mut out = Vec::with_capacity(raw.get().len());
    let edit = |key: &str| if key == MEMBER { Edit::Drop } else { Edit::Keep };
    write_object(&mut out, &members, edit, &[]);
    let text = String::from_utf8(out).ok();
    text.and_then(|text| RawValue::from_string(text).ok()).unwrap_or_else(|| raw.to_owned())
}
