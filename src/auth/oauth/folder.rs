//! Logins on disk: a folder that only its user can enter, one file for each login, replaced in one step.
//!
//! Small blocking calls. It neither renews tokens nor knows which servers there are.

use crate::auth::oauth::login::FORMAT;
use crate::auth::oauth::login::Key;
use crate::auth::oauth::login::Login;
use crate::auth::oauth::turn;
use crate::config::file_lock::Lock;
use crate::config::private_file;
use crate::config::private_file::Others;
use std::fs;
use std::io;
use std::io::ErrorKind;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use std::time::SystemTime;

/// The folder within the state folder.
const FOLDER: &str = "logins";
const ENDING: &str = ".json";
/// Longer than a token request may take.
const PATIENCE: Duration = Duration::from_secs(45);

/// A folder of logins. It is made with the first of them.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

/// A login, with the name of its file.
#[derive(Debug, Clone)]
pub struct Kept {
    id: String,
    /// The login.
    pub login: Login,
}

/// What changes when a login is kept, replaced or removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stamp(Option<(SystemTime, u64, u64)>);

impl Stamp {
    /// True when there is a login.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.0.is_some()
    }
}

impl Folder {
    /// The folder `logins` in `dir`. Nothing is made or read.
    #[must_use]
    pub fn within(dir: &Path) -> Self {
        Self(dir.join(FOLDER))
    }

    /// The login `key`; `None` when there is none.
    ///
    /// # Errors
    /// When there is a file that cannot be read, that others can read, or that is no login of this release.
    pub fn load(&self, key: &Key) -> io::Result<Option<Login>> {
        read(&self.file(key))
    }

    /// Keeps `login` in place of the one before.
    ///
    /// # Errors
    /// When the folder cannot be made or written, or belongs to somebody else.
    pub fn save(&self, key: &Key, login: &Login) -> io::Result<()> {
        make_private(&self.0)?;
        replace(&self.file(key), login)
    }

    /// Waits until nobody else renews the login `key`.
    ///
    /// # Errors
    /// When the folder cannot be made or written, or somebody renews it for too long.
    pub async fn turn(&self, key: &Key) -> io::Result<Lock> {
        make_private(&self.0)?;
        turn::wait(&self.lock(key.id()), PATIENCE).await
    }

    /// Whether the login `key` is the one that was seen: one look at the folder, nothing is read.
    #[must_use]
    pub fn stamp(&self, key: &Key) -> Stamp {
        Stamp(
            fs::metadata(self.file(key)).ok().map(|found| {
                (found.modified().unwrap_or(SystemTime::UNIX_EPOCH), found.len(), number(&found))
            }),
        )
    }

    /// All logins that can be read.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn all(&self) -> io::Result<Vec<Kept>> {
        let files = match fs::read_dir(&self.0) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            files => files?,
        };
        let mut all = Vec::new();
        for file in files {
            let path = file?.path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let Some(id) = name.strip_suffix(ENDING) else { continue };
            if let Ok(Some(login)) = read(&path) {
                all.push(Kept { id: id.to_owned(), login });
            }
        }
        all.sort_by(|one, other| one.login.server.cmp(&other.login.server));
        Ok(all)
    }

    /// Removes `kept`, when nobody renews it.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub async fn forget(&self, kept: &Kept) -> io::Result<bool> {
        let _turn = turn::wait(&self.lock(&kept.id), PATIENCE).await?;
        gone(fs::remove_file(self.named(&kept.id)))
    }

    /// The gateway of the configuration file `user` uses only the logins that it `keeps`: it lets go of others, and those
    /// that nobody uses any more are removed. Returns how many that were.
    ///
    /// # Errors
    /// When the folder cannot be read or written. A login that cannot be read stays.
    pub async fn let_go(&self, user: &str, keeps: impl Fn(&Login) -> bool) -> io::Result<usize> {
        let mut removed = 0;
        let needless = |login: &Login| login.used_by.iter().any(|one| one == user) && !keeps(login);
        for Kept { id, login } in self.all()? {
            if !needless(&login) {
                continue;
            }
            let _turn = turn::wait(&self.lock(&id), PATIENCE).await?;
            let path = self.named(&id);
            let Some(mut login) = read(&path)?.filter(needless) else { continue };
            login.used_by.retain(|one| one != user);
            if login.used_by.is_empty() {
                removed += usize::from(gone(fs::remove_file(&path))?);
            } else {
                replace(&path, &login)?;
            }
        }
        Ok(removed)
    }

    fn named(&self, id: &str) -> PathBuf {
        self.0.join(format!("{id}{ENDING}"))
    }

    fn lock(&self, id: &str) -> PathBuf {
        self.0.join(format!("{id}.lock"))
    }

    fn file(&self, key: &Key) -> PathBuf {
        self.named(key.id())
    }
}

/// A token that was renewed and lost cannot be renewed again: it is on the disk when this returns.
fn replace(path: &Path, login: &Login) -> io::Result<()> {
    private_file::write(path, &serde_json::to_vec_pretty(login)?)
}

fn read(path: &Path) -> io::Result<Option<Login>> {
    let text = match fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        text => text?,
    };
    let wrong = |why: String| io::Error::new(ErrorKind::InvalidData, why);
    check_private(path)?;
    let login: Login = serde_json::from_slice(&text).map_err(|error| {
        wrong(format!("`{}` is no kept login: {}", path.display(), error.classify_in_words()))
    })?;
    match login.format {
        FORMAT => Ok(Some(login)),
        other => Err(wrong(format!("`{}` has format {other}, this release reads {FORMAT}", path.display()))),
    }
}

/// The text of an error of serde may hold what it read.
trait InWords {
    fn classify_in_words(&self) -> String;
}

impl InWords for serde_json::Error {
    fn classify_in_words(&self) -> String {
        format!("line {} cannot be read", self.line())
    }
}

fn gone(removed: io::Result<()>) -> io::Result<bool> {
    match removed {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(unix)]
fn number(found: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(found)
}

#[cfg(not(unix))]
fn number(_: &fs::Metadata) -> u64 {
    0
}

#[cfg(unix)]
fn make_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    use std::os::unix::fs::MetadataExt;
    use std::os::unix::fs::PermissionsExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let known = fs::symlink_metadata(folder)?;
    let user = rustix::process::geteuid();
    if !known.is_dir() || known.uid() != user.as_raw() {
        let text = format!("`{}` is not a folder of this user", folder.display());
        return Err(io::Error::new(ErrorKind::PermissionDenied, text));
    }
    if known.mode() & 0o077 == 0 {
        Ok(())
    } else {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
    }
}

#[cfg(not(unix))]
fn make_private(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

fn check_private(path: &Path) -> io::Result<()> {
    private_file::check(path, None, Others::Nothing).map_err(|exposed| {
        let text = format!("`{}`: {exposed}, or log in again", path.display());
        io::Error::new(ErrorKind::PermissionDenied, text)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::oauth::login::Client;
    use crate::auth::oauth::login::GATEWAY;
    use crate::auth::oauth::login::KnownBy;
    use crate::name::ServerName;

    fn login(used_by: &[&str]) -> Login {
        Login {
            format: FORMAT,
            server: "a".into(),
            principal: GATEWAY.into(),
            resource: "https://h/mcp".into(),
            issuer: "https://as".into(),
            token_endpoint: "https://as/token".into(),
            client: Client {
                id: "c".into(),
                secret: None,
                secret_in_body: false,
                known_by: KnownBy::Entry,
                redirect: "http://127.0.0.1:1/callback".into(),
            },
            tokens: None,
            logged_in_at: 1,
            used_by: used_by.iter().map(|user| (*user).to_owned()).collect(),
        }
    }

    fn key(url: &str) -> Key {
        Key::new(&ServerName::new("a").unwrap(), url, GATEWAY)
    }

    #[tokio::test]
    async fn a_login_is_kept_replaced_and_removed_and_that_shows() {
        let dir = tempfile::tempdir().unwrap();
        let (folder, key) = (Folder::within(dir.path()), key("https://h/mcp"));
        assert!(folder.load(&key).unwrap().is_none() && folder.all().unwrap().is_empty());
        let none = folder.stamp(&key);
        folder.save(&key, &login(&["x"])).unwrap();
        let first = folder.stamp(&key);
        assert_eq!(folder.load(&key).unwrap().unwrap(), login(&["x"]));
        folder.save(&key, &login(&["x"])).unwrap();
        assert!(none != first && folder.stamp(&key) != first, "the same content in another file");
        let kept = folder.all().unwrap();
        assert!(folder.forget(&kept[0]).await.unwrap() && folder.stamp(&key) == none);
        assert!(!folder.forget(&kept[0]).await.unwrap());
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_read_it_and_what_others_could_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let (folder, key) = (Folder::within(dir.path()), key("https://h/mcp"));
        folder.save(&key, &login(&[])).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let file = folder.file(&key);
        assert_eq!((mode(&folder.0), mode(&file)), (0o700, 0o600));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(folder.load(&key).unwrap_err().kind(), ErrorKind::PermissionDenied);
    }

    #[test]
    fn a_damaged_file_is_an_error_that_does_not_repeat_it() {
        let dir = tempfile::tempdir().unwrap();
        let (folder, key) = (Folder::within(dir.path()), key("https://h/mcp"));
        folder.save(&key, &login(&[])).unwrap();
        for text in ["{\"format\": \"rt-secret\"}", "rt-secret"] {
            fs::write(folder.file(&key), text).unwrap();
            let said = folder.load(&key).unwrap_err().to_string();
            assert!(said.contains("is no kept login") && !said.contains("rt-secret"), "{said}");
        }
    }

    #[tokio::test]
    async fn what_left_every_file_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::within(dir.path());
        assert_eq!(folder.let_go("one", |_| false).await.unwrap(), 0, "there is no folder yet");
        let (shared, own, others) = (key("https://shared"), key("https://own"), key("https://others"));
        folder.save(&shared, &login(&["one", "two"])).unwrap();
        folder.save(&own, &Login { resource: "own".into(), ..login(&["one"]) }).unwrap();
        folder.save(&others, &login(&["two"])).unwrap();
        assert_eq!(folder.let_go("one", |login| login.resource == "own").await.unwrap(), 0);
        assert_eq!(folder.load(&shared).unwrap().unwrap().used_by, ["two"]);
        assert_eq!(folder.let_go("one", |_| false).await.unwrap(), 1);
        assert!(folder.load(&own).unwrap().is_none() && folder.load(&others).unwrap().is_some());
    }
}
