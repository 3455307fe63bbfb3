//! `key`: making, listing and revoking keys.
//!
//! It only writes the file; a gateway that runs reads it at the next request.

use crate::auth::keys::KeyList;
use crate::auth::keys::NewKey;
use crate::auth::keys::StoredKey;
use crate::cli::arguments::Global;
use crate::cli::arguments::key::Create;
use crate::cli::arguments::key::Key;
use crate::cli::arguments::key::KeyCommand;
use crate::cli::arguments::key::KeyPlace;
use crate::cli::arguments::key::List;
use crate::cli::arguments::key::Revoke;
use crate::cli::exit::Exit;
use crate::cli::output;
use crate::cli::startup;
use crate::cli::surroundings;
use crate::config;
use crate::config::check::auth::is_plain;
use crate::config::check::duration;
use crate::config::date;
use crate::config::file_lock;
use crate::config::file_lock::Lock;
use crate::config::locate::locate;
use crate::config::model::auth::KeysFile;
use crate::config::model::auth::is_free_name;
use crate::config::private_file;
use crate::config::private_file::Others;
use serde_json::json;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::SystemTime;

/// How often the lock is asked for, and how long between.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(50);

/// Does what was asked.
pub fn run(global: &Global, key: &Key) -> Exit {
    let done = match &key.what {
        KeyCommand::Create(create) => made(global, create),
        KeyCommand::List(list) => listed(global, list),
        KeyCommand::Revoke(revoke) => revoked(global, revoke),
    };
    done.err().unwrap_or(Exit::Ok)
}

fn made(global: &Global, create: &Create) -> Result<(), Exit> {
    let usage = |text: &str| output::fail(Exit::Usage, text);
    let names = [Some(&create.name), create.team.as_ref(), create.org.as_ref(), create.agent.as_ref()];
    if !names.into_iter().flatten().all(|name| is_plain(name)) {
        return Err(usage("names must have 1 to 200 characters, and none that cannot be shown"));
    }
    if !is_free_name(&create.name) {
        return Err(usage(
            "`--name` must have no `:`, and be no name of the gateway's own (`local`, `anonymous`, `token-1`)",
        ));
    }
    let expires = match &create.expires {
        Some(text) => Some(end(text).map_err(usage)?),
        None => None,
    };
    let new = NewKey::make().ok_or_else(|| usage("the system gives no random numbers"))?;
    let stored = StoredKey {
        id: new.id.clone(),
        name: create.name.clone(),
        hash: new.hash,
        team: create.team.clone(),
        organisation: create.org.clone(),
        agent: create.agent.clone(),
        may_name_agent: create.may_name_agent,
        created: Some(date::show(now())),
        expires: expires.map(date::show),
        other: serde_json::Map::new(),
    };
    let path = path(global, &create.place)?;
    change(&path, |list| {
        list.keys.push(stored);
        Ok(())
    })?;
    let key = new.text.expose();
    if create.json {
        output::json(&json!({"id": new.id, "key": key, "file": path}).to_string());
    } else {
        output::note(&format!(
            "key {} for {}, in {}; it is shown only now: clients send it as `Authorization: Bearer`",
            new.id,
            create.name,
            path.display()
        ));
        output::result(key);
    }
    Ok(())
}

fn listed(global: &Global, list: &List) -> Result<(), Exit> {
    let path = path(global, &list.place)?;
    let keys = read(&path)?.keys;
    if list.json {
        let state = |key: &StoredKey| {
            let mut shown = serde_json::to_value(key).unwrap_or_default();
            shown["state"] = state(key).into();
            shown
        };
        let keys: Vec<_> = keys.iter().map(state).collect();
        output::json(&json!({"file": path, "keys": keys}).to_string());
        return Ok(());
    }
    if keys.is_empty() {
        output::note(&format!("no keys in {}", path.display()));
        return Ok(());
    }
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".into());
    let head =
        ["ID", "NAME", "TEAM", "ORGANISATION", "AGENT", "CREATED", "EXPIRES", "STATE"].map(str::to_owned);
    let row = |key: &StoredKey| {
        let agent = if key.may_name_agent { format!("{} (any)", text(&key.agent)) } else { text(&key.agent) };
        let (created, expires) = (text(&key.created), text(&key.expires));
        [
            key.id.clone(),
            key.name.clone(),
            text(&key.team),
            text(&key.organisation),
            agent,
            created,
            expires,
            state(key).into(),
        ]
        .map(|cell| cell.replace(char::is_control, "?"))
    };
    let rows: Vec<_> = std::iter::once(head).chain(keys.iter().map(row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: [usize; 8] = std::array::from_fn(width);
    for row in rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        output::result(cells.collect::<Vec<_>>().join("  ").trim_end());
    }
    Ok(())
}

fn revoked(global: &Global, revoke: &Revoke) -> Result<(), Exit> {
    let path = path(global, &revoke.place)?;
    change(&path, |list| {
        let has = |id: &&String| list.keys.iter().any(|key| key.id == **id);
        if let Some(id) = revoke.ids.iter().find(|id| !has(id)) {
            return Err(format!(
                "there is no key `{id}` in {}\nhint: `mcp-manifold key list` shows them",
                path.display()
            ));
        }
        list.keys.retain(|key| !revoke.ids.contains(&key.id));
        Ok(())
    })?;
    output::note(&format!("revoked: {}", revoke.ids.join(", ")));
    Ok(())
}

/// The file that is meant.
fn path(global: &Global, place: &KeyPlace) -> Result<PathBuf, Exit> {
    let environment = surroundings::environment();
    if let Some(file) = &place.keys_file {
        return Ok(environment.current_folder().join(file));
    }
    // Without any configuration the usual place is meant.
    if let Ok(file) = locate(global.config.as_deref(), &environment) {
        let loaded = config::load(&file, &environment).map_err(|error| startup::refused(&error))?;
        if let Some(KeysFile { path, .. }) = &loaded.config.settings.auth.keys_file {
            return Ok(path.clone());
        }
    }
    let folder = environment.user_config_folder().map(|folder| folder.join("mcp-manifold").join("keys.json"));
    folder
        .ok_or_else(|| output::fail(Exit::Usage, "there is no config folder: name the file with --keys-file"))
}

fn read(path: &Path) -> Result<KeyList, Exit> {
    let fail = |why: String| {
        output::fail(Exit::Configuration, &format!("`{}` cannot be used: {why}", path.display()))
    };
    if !path.exists() {
        return Ok(KeyList::default());
    }
    private_file::check(path, surroundings::environment().user_id(), Others::Nothing)
        .map_err(|exposed| fail(exposed.to_string()))?;
    let bytes = std::fs::read(path).map_err(|error| fail(error.to_string()))?;
    KeyList::parse(&bytes).map_err(|error| fail(error.to_string()))
}

/// Changes the file while nobody else does. What makes it unusable is not written.
fn change(path: &Path, edit: impl FnOnce(&mut KeyList) -> Result<(), String>) -> Result<(), Exit> {
    let fail = |why: &dyn std::fmt::Display| {
        output::fail(Exit::Configuration, &format!("`{}` cannot be changed: {why}", path.display()))
    };
    private_file::make_folder(path).map_err(|error| fail(&error))?;
    let _held = held(path).map_err(|why| fail(&why))?;
    let mut list = read(path)?;
    edit(&mut list).map_err(|why| output::fail(Exit::Usage, &why))?;
    list.keys().map_err(|error| fail(&error))?;
    let mut text = serde_json::to_vec_pretty(&list).map_err(|error| fail(&error))?;
    text.push(b'\n');
    private_file::write(path, &text).map_err(|error| fail(&error))
}

fn held(path: &Path) -> Result<Lock, String> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    for _ in 0..TRIES {
        match file_lock::take(&name, &format!("pid {}", std::process::id())) {
            Ok(Some(held)) => return Ok(held),
            Ok(None) => std::thread::sleep(PAUSE),
            Err(error) => return Err(error.to_string()),
        }
    }
    let owner = file_lock::owner(&name).unwrap_or_else(|| "somebody".into());
    Err(format!("{owner} holds the lock `{}`", name.display()))
}

/// The end that `text` means, in seconds since 1970.
fn end(text: &str) -> Result<u64, &'static str> {
    let from_now = duration::parse(text).map(|length| now().saturating_add(length.as_secs()));
    let end = from_now.or_else(|| date::parse(text));
    let end = end.ok_or("`--expires` is no date: write 2027-01-31, 2027-01-31T12:00:00Z, or 90d")?;
    if end > now() { Ok(end) } else { Err("`--expires` is in the past") }
}

fn state(key: &StoredKey) -> &'static str {
    match key.expires.as_deref().map(date::parse) {
        Some(Some(end)) if end <= now() => "expired",
        Some(None) => "unusable",
        _ => "valid",
    }
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |age| age.as_secs())
}
