//! One relayed request that begins a task or is about one: what its answer says, in ids that the client knows.
//!
//! It decides nothing about the answer; whether there is a task is the server's word.

use crate::auth::caller::Caller;
use crate::catalog::route::Route;
use crate::downstream::handle::ServerHandle;
use crate::downstream::private::Key;
use crate::gateway::incoming::Incoming;
use crate::gateway::tasks::ids;
use crate::gateway::tasks::ids::Place;
use crate::gateway::tasks::table::Holder;
use crate::gateway::tasks::table::Task;
use crate::gateway::tasks::table::TaskTable;
use crate::protocol::extension;
use crate::protocol::version::Era;
use crate::wire::members::Edit;
use crate::wire::members::Members;
use crate::wire::members::write_object;
use crate::wire::message::read_text;
use crate::wire::meta;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// A server is kept running for a task no longer than this after it was last heard of.
const LONGEST_HOLD: Duration = Duration::from_secs(24 * 3600);

/// A request with its task.
#[derive(Debug)]
pub(in crate::gateway) struct Tracked {
    table: Arc<TaskTable>,
    of: Of,
}

#[derive(Debug)]
enum Of {
    /// It may begin one.
    Begins { holder: Holder, era: Era, route: Route },
    /// It is about this one.
    Known { task: Task, place: Place },
}

/// What a server says of a task.
struct Said {
    own_id: String,
    life: Option<Duration>,
    is_over: bool,
}

impl Tracked {
    /// A call that may become a task.
    pub(in crate::gateway) fn begins(
        table: &Arc<TaskTable>,
        holder: Holder,
        era: Era,
        route: &Route,
    ) -> Self {
        Self { table: Arc::clone(table), of: Of::Begins { holder, era, route: route.clone() } }
    }

    /// A request about `task`, whose answer has its id at `place`.
    pub(in crate::gateway) fn known(table: &Arc<TaskTable>, task: Task, place: Place) -> Self {
        Self { table: Arc::clone(table), of: Of::Known { task, place } }
    }

    /// How long the answer may take that else may take `usual`: the result of a task comes when the task is done.
    pub(in crate::gateway) fn patience(&self, usual: Duration) -> Duration {
        match &self.of {
            Of::Known { task, place: Place::Related } => {
                let left = task.expires.map(|end| end.saturating_duration_since(Instant::now()));
                left.unwrap_or(LONGEST_HOLD).clamp(usual, LONGEST_HOLD.max(usual))
            }
            _ => usual,
        }
    }

    /// The connection of the task that this is about: `Some(None)` for the one that all share. `None` when there is no task
    /// yet.
    pub(in crate::gateway) fn on(&self) -> Option<Option<&Key>> {
        match &self.of {
            Of::Begins { .. } => None,
            Of::Known { task, .. } => Some(task.on.as_ref()),
        }
    }

    /// The result as the client may see it. `None` when no id can be made.
    pub(in crate::gateway) fn shown<'a>(&self, raw: &'a str, handle: &ServerHandle) -> Option<Cow<'a, str>> {
        match &self.of {
            Of::Begins { holder, era, route } => self.begun(raw, handle, holder, *era, route),
            Of::Known { task, place } => {
                let shown = ids::replace(raw, *place, |own| (*own == *task.own_id).then(|| task.id.clone()));
                match place {
                    Place::Related => handle.let_rest(&task.own_id),
                    _ => note(&self.table, task, handle, &shown, raw),
                }
                Some(shown)
            }
        }
    }

    fn begun<'a>(
        &self,
        raw: &'a str,
        handle: &ServerHandle,
        holder: &Holder,
        era: Era,
        route: &Route,
    ) -> Option<Cow<'a, str>> {
        let Some((place, text)) = created(raw, era) else { return Some(Cow::Borrowed(raw)) };
        let Some(said) = read(text) else { return Some(Cow::Borrowed(raw)) };
        let id = self.table.add(holder.clone(), era, route.clone(), &said.own_id, handle.key())?;
        let shown = ids::replace(raw, place, |own| (*own == *said.own_id).then(|| id.clone()));
        let seen = created(&shown, era).filter(|_| era == Era::Legacy).map(|(_, text)| text.to_owned());
        self.table.note(&id, said.life, seen.as_deref());
        hold(handle, &said);
        Some(shown)
    }
}

/// True when the client of a modern request knows tasks.
pub(in crate::gateway) fn declares(incoming: &Incoming<'_>) -> bool {
    let capabilities = incoming.modern.as_ref().and_then(|modern| modern.capabilities);
    capabilities.is_some_and(|declared| extension::is_declared(declared, extension::TASKS))
}

/// Who makes this request, and may see what comes of it.
pub(in crate::gateway) fn holder(caller: &Caller, session: u64) -> Holder {
    Holder { caller: caller.clone(), session }
}

/// Notes what was heard of `task`: `raw` as the server said it, `shown` as clients see it.
pub(in crate::gateway) fn note(
    table: &TaskTable,
    task: &Task,
    handle: &ServerHandle,
    shown: &str,
    raw: &str,
) {
    let Some(said) = read(raw) else { return };
    let seen = (task.era == Era::Legacy).then(|| bare(shown)).flatten();
    table.note(&task.id, said.life, seen.as_deref());
    hold(handle, &said);
}

/// A server that runs a task is not idle.
fn hold(handle: &ServerHandle, said: &Said) {
    match said.is_over {
        true => handle.let_rest(&said.own_id),
        false => {
            let until = Instant::now() + said.life.unwrap_or(LONGEST_HOLD).min(LONGEST_HOLD);
            handle.keep_running(&said.own_id, until);
        }
    }
}

/// The task that `result` creates, and where its id stands.
fn created(result: &str, era: Era) -> Option<(Place, &str)> {
    memchr::memmem::find(result.as_bytes(), ids::TASK_ID.as_bytes())?;
    let members = Members::parse_with_duplicates(result).ok()?;
    match era {
        Era::Modern => {
            let kind = read_text(members.get("resultType")?).ok()?;
            (kind == "task").then_some((Place::Top, result))
        }
        Era::Legacy => Some((Place::Created, members.get("task")?.get())),
    }
}

fn read(task: &str) -> Option<Said> {
    let members = Members::parse_with_duplicates(task).ok()?;
    let own_id = read_text(members.get(ids::TASK_ID)?).ok()?.into_owned();
    let life = members.get("ttlMs").or_else(|| members.get("ttl"));
    let life = life.and_then(|raw| raw.get().parse().ok()).map(Duration::from_millis);
    let status = members.get("status").and_then(|raw| read_text(raw).ok());
    let is_over = status.is_some_and(|status| matches!(&*status, "completed" | "failed" | "cancelled"));
    Some(Said { own_id, life, is_over })
}

/// A task without what belongs to the message that it came in.
pub(in crate::gateway) fn bare(task: &str) -> Option<String> {
    let members = Members::parse_with_duplicates(task).ok()?;
    members.get("status")?;
    let mut out = Vec::with_capacity(task.len());
    let edit = |key: &str| if key == meta::META { Edit::Drop } else { Edit::Keep };
    write_object(&mut out, &members, edit, &[]);
    String::from_utf8(out).ok()
}
