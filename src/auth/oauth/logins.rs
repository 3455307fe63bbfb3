//! The logins of this user, as one gateway uses them: which there are, and the tokens it holds of them.
//!
//! Nobody is asked to log in here: that is the business of a person at a terminal.

use crate::auth::egress::Allowed;
use crate::auth::egress::Egress;
use crate::auth::egress::EgressError;
use crate::auth::oauth::bearer::Bearer;
use crate::auth::oauth::bearer::Own;
use crate::auth::oauth::folder::Folder;
use crate::auth::oauth::folder::Stamp;
use crate::auth::oauth::login::GATEWAY;
use crate::auth::oauth::login::Key;
use crate::config::model::Http;
use crate::config::model::Server;
use crate::config::model::Transport;
use crate::config::model::egress::EgressSettings;
use crate::config::model::oauth::OAuth;
use crate::wire::tasks::Tasks;
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use url::Url;

/// The logins a gateway may use.
#[derive(Debug)]
pub struct Logins {
    folder: Folder,
    /// The configuration file of the gateway.
    user: String,
    egress: Mutex<EgressSettings>,
    tasks: Tasks,
}

impl Logins {
    /// Those in the state folder `dir`, for the gateway of the configuration file `file`. Nothing is read yet.
    #[must_use]
    pub fn new(dir: &Path, file: &Path) -> Self {
        let user = std::path::absolute(file).unwrap_or_else(|_| file.to_owned()).display().to_string();
        Self { folder: Folder::within(dir), user, egress: Mutex::default(), tasks: Tasks::default() }
    }

    /// The token of the entry `server`; `None` when nobody can log in there.
    ///
    /// # Errors
    /// When requests cannot be sent at all.
    pub fn bearer(&self, server: &Server) -> Result<Option<Bearer>, EgressError> {
        let Some((key, url, settings)) = login_of(server) else { return Ok(None) };
        let egress = self.egress.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let egress = Egress::new(Allowed::new(&egress).and_host_of(&url))?;
        let own = Own {
            key,
            settings: settings.clone(),
            folder: self.folder.clone(),
            user: self.user.clone(),
            egress,
        };
        Ok(Some(Bearer::new(own)))
    }

    /// What changes when somebody logs in at `server`, or out; `None` when nobody can.
    #[must_use]
    pub fn stamp(&self, server: &Server) -> Option<Stamp> {
        login_of(server).map(|(key, ..)| self.folder.stamp(&key))
    }

    /// The file has entries of these names, and says this of requests to authorization servers. Logins of entries that left
    /// it are removed, unless another file has them.
    pub fn configured(self: &Arc<Self>, names: HashSet<String>, egress: EgressSettings) {
        *self.egress.lock().unwrap_or_else(PoisonError::into_inner) = egress;
        let (folder, user) = (self.folder.clone(), self.user.clone());
        self.tasks.spawn(async move {
            match folder.let_go(&user, |login| names.contains(&login.server)).await {
                Ok(0) => {}
                Ok(removed) => tracing::info!(removed, "logins of servers that left the file are removed"),
                Err(error) => {
                    tracing::warn!(%error, "logins of servers that left the file cannot be removed")
                }
            }
        });
    }
}

/// The login of the entry `server`, where it is, and what it says of logins.
#[must_use]
pub fn login_of(server: &Server) -> Option<(Key, Url, &OAuth)> {
    let Transport::Http(http) = &server.transport else { return None };
    let Http { url, oauth: Some(settings), .. } = http else { return None };
    let parsed = Url::parse(&url.value).ok()?;
    // An address with a name in it shows who we are already, and would be told to the authorization server.
    let plain = parsed.username().is_empty() && parsed.password().is_none();
    plain.then(|| (Key::new(&server.name, &url.value, GATEWAY), parsed, settings))
}
