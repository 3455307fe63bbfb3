//! One attempt of a person to log in at a server of the file: from its entry to the login that is kept.
//!
//! It opens no browser and sets no deadline.

use crate::auth::egress::Allowed;
use crate::auth::egress::Egress;
use crate::auth::oauth::callback::Callback;
use crate::auth::oauth::error::LoginError;
use crate::auth::oauth::flow::Begun;
use crate::auth::oauth::flow::Wish;
use crate::auth::oauth::flow::begin;
use crate::auth::oauth::folder::Folder;
use crate::auth::oauth::login::Key;
use crate::auth::oauth::login::Login;
use crate::auth::oauth::logins::login_of;
use crate::auth::oauth::visit::Visit;
use crate::config::model::Server;
use crate::config::model::Transport;
use crate::config::model::egress::EgressSettings;
use std::path::Path;
use std::sync::Arc;
use url::Url;

/// A person who may come back.
pub struct Attempt {
    begun: Begun,
    callback: Callback,
    before: Option<Login>,
    folder: Folder,
    key: Key,
    /// The configuration file.
    user: String,
}

/// What is wanted of a login besides what the entry says.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Scopes, besides those of the login before.
    pub scopes: Vec<String>,
    /// The port that browsers are sent back to.
    pub port: Option<u16>,
    /// The principal of the caller whose login it is to be; without one it is that of the gateway.
    pub whose: Option<Arc<str>>,
    /// What the browser that comes back must have, `name=value`.
    pub cookie: Option<String>,
}

impl Attempt {
    /// Finds out where to log in at `server`, an entry of `file`, and listens for the way back. Logins are kept in `folder`.
    ///
    /// # Errors
    /// [`LoginError`].
    pub async fn start(
        server: &Server,
        egress: &EgressSettings,
        wanted: Wanted,
        folder: Folder,
        file: &Path,
    ) -> Result<Self, LoginError> {
        let found = login_of(server, wanted.whose.as_deref());
        let (Some((key, url, settings)), Transport::Http(http)) = (found, &server.transport) else {
            return Err(LoginError::Discovery("nobody can log in there".into()));
        };
        let egress = Egress::new(Allowed::new(egress).and_host_of(&url));
        let egress = Arc::new(egress.map_err(LoginError::Unreachable)?);
        let callback = Callback::listen(wanted.port.or(settings.redirect_port)).await;
        let callback = callback.map_err(LoginError::NoListener)?.for_browser_with(wanted.cookie);
        let wish = Wish {
            key: key.clone(),
            url,
            headers: http.headers.clone(),
            settings: settings.clone(),
            scopes: wanted.scopes,
            redirect: callback.redirect(),
        };
        // One that cannot be read is replaced.
        let before = folder.load(&key).ok().flatten();
        let begun = begin(&egress, &wish, before.as_ref()).await?;
        Ok(Self { begun, callback, before, folder, key, user: file.display().to_string() })
    }

    /// What the person opens.
    #[must_use]
    pub fn address(&self) -> &Url {
        &self.begun.address
    }

    /// Who is asked.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.begun.issuer
    }

    /// Who was asked the last time, if that was another one.
    #[must_use]
    pub fn issuer_before(&self) -> Option<&str> {
        self.before.as_ref().map(|before| &*before.issuer).filter(|issuer| *issuer != self.begun.issuer)
    }

    /// True for an address that this attempt leads to.
    #[must_use]
    pub fn is_mine(&self, returned: &Url) -> bool {
        self.begun.is_mine(returned.query().unwrap_or_default())
    }

    /// Waits for the browser. Cancel-safe.
    ///
    /// # Errors
    /// When nobody can come any more.
    pub async fn returned(&self) -> Result<Url, LoginError> {
        self.callback.returned(|query| self.begun.is_mine(query)).await.map_err(LoginError::NoListener)
    }

    /// As [`Attempt::returned`], with the browser that still has to be shown something. Cancel-safe.
    ///
    /// # Errors
    /// When nobody can come any more.
    pub async fn visited(&self) -> Result<(Url, Visit), LoginError> {
        self.callback.visited(|query| self.begun.is_mine(query)).await.map_err(LoginError::NoListener)
    }

    /// Exchanges what the browser came back with for a login, and keeps it.
    ///
    /// # Errors
    /// [`LoginError`].
    pub async fn keep(self, returned: &Url) -> Result<Login, LoginError> {
        let mut login = self.begun.finish(returned).await?;
        login.used_by = self.before.map(|before| before.used_by).unwrap_or_default();
        if !login.used_by.contains(&self.user) {
            login.used_by.push(self.user);
        }
        let _turn = self.folder.turn(&self.key).await.map_err(LoginError::Unkept)?;
        self.folder.save(&self.key, &login).map_err(LoginError::Unkept)?;
        Ok(login)
    }
}
