//! The link as a Unix socket in the folder of the user.
//!
//! The client's side is the socket of the standard library and nothing else: a pipe has no runtime.

use crate::share::place::Place;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use tokio::net::UnixListener;

/// The client's side.
pub type Stream = std::os::unix::net::UnixStream;
/// The gateway's side, of somebody who may be here.
pub type Guest = tokio::net::UnixStream;

/// The gateway's end of a place. Its name goes with it.
pub struct Listener {
    listener: UnixListener,
    #[expect(dead_code, reason = "held for its drop, after the listener")]
    socket: Socket,
    user: u32,
}

/// Somebody who has come.
pub struct Knock {
    stream: Guest,
    user: u32,
}

/// The name of the socket, which is removed with it.
struct Socket {
    path: PathBuf,
    /// Device and number of the file: another gateway may have put its own there, should somebody have removed this one.
    file: Option<(u64, u64)>,
}

impl Socket {
    fn at(path: PathBuf) -> Self {
        Self { file: file_at(&path), path }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.file.is_some() && file_at(&self.path) == self.file {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn file_at(path: &Path) -> Option<(u64, u64)> {
    let found = path.symlink_metadata().ok()?;
    Some((found.dev(), found.ino()))
}

/// To the gateway of `place`.
///
/// # Errors
/// What the system says; mostly that nobody is there.
pub fn connect(place: &Place) -> io::Result<Stream> {
    Stream::connect(place.socket())
}

/// True when somebody is there who does not let this process in. Here the folder says so before.
#[must_use]
pub fn is_forbidden(_: &io::Error) -> bool {
    false
}

impl Listener {
    /// Opens `place`, whose lock the caller holds, for `user` alone.
    ///
    /// # Errors
    /// When the socket cannot be made.
    pub fn open(place: &Place, user: u32) -> io::Result<Self> {
        let socket = place.socket();
        // The lock is ours, so whoever made it is dead.
        match std::fs::remove_file(&socket) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&socket)?;
        let socket = Socket::at(socket);
        std::fs::set_permissions(&socket.path, std::fs::Permissions::from_mode(0o600))?;
        Ok(Self { listener, socket, user })
    }

    /// The next who comes.
    ///
    /// # Errors
    /// When nobody can come for now.
    pub async fn accept(&self) -> io::Result<Knock> {
        let (stream, _) = self.listener.accept().await?;
        Ok(Knock { stream, user: self.user })
    }
}

impl Knock {
    /// Looks who it is; `None` for a stranger. The folder keeps others out; this holds should somebody have opened it.
    pub async fn admit(self) -> Option<Guest> {
        let who = self.stream.peer_cred();
        who.is_ok_and(|who| who.uid() == self.user).then_some(self.stream)
    }
}
