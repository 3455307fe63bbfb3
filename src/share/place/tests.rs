//! The folder and the names in it.

#![cfg(unix)]

use super::*;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::symlink;

fn me() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[test]
fn the_folder_is_the_one_named_or_the_users_whatever_variables_say() {
    for variables in [vec![], vec![("XDG_RUNTIME_DIR", "/run/user/7"), ("TMPDIR", "/x")]] {
        let environment = Environment::new(variables, "/w");
        let of = |named: Option<&str>| folder(named.map(Path::new), &environment, "/own".into());
        assert_eq!(of(Some("x")), Path::new("/w/x"));
        assert_eq!(of(None), Path::new("/own"));
    }
}

#[test]
fn the_folder_is_made_for_its_user_alone_and_refused_when_it_is_not() {
    let base = tempfile::tempdir().unwrap();
    let folder = base.path().join("a").join("b");
    let place = Place::prepare(folder.clone(), Path::new("mcp.json"), me()).unwrap();
    assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(place.socket().starts_with(&folder) && place.socket() != place.lock());
    for mode in [0o777, 0o755, 0o710] {
        fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
        let refused = Place::prepare(folder.clone(), Path::new("mcp.json"), me()).unwrap_err();
        assert!(refused.to_string().contains(&format!("(mode {mode:03o})")), "{refused}");
    }
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    let foreign = Place::prepare(folder.clone(), Path::new("mcp.json"), me() + 1).unwrap_err();
    assert!(matches!(foreign, PlaceError::Foreign(_)), "{foreign}");
    let link = base.path().join("link");
    symlink(&folder, &link).unwrap();
    let linked = Place::prepare(link, Path::new("mcp.json"), me()).unwrap_err();
    assert!(matches!(linked, PlaceError::Foreign(_)), "{linked}");
    let long = base.path().join("x".repeat(LONGEST));
    let long = Place::prepare(long, Path::new("mcp.json"), me()).unwrap_err();
    assert!(matches!(long, PlaceError::TooLong(_)), "{long}");
}

#[test]
fn a_file_has_one_place_whichever_way_it_is_written() {
    let base = tempfile::tempdir().unwrap();
    let folder = base.path().join("conf");
    fs::create_dir(&folder).unwrap();
    symlink(&folder, base.path().join("same")).unwrap();
    assert_eq!(id_of(&folder.join("mcp.json")), id_of(&base.path().join("same/mcp.json")));
    assert_eq!(id_of(&folder.join("mcp.json")), id_of(&folder.join("./mcp.json")));
    assert_ne!(id_of(&folder.join("mcp.json")), id_of(&folder.join("other.json")));
}
