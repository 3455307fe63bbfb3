//! The logins of this user, as one gateway uses them: which there are, and the tokens it holds of them.
//!
//! Nobody is asked to log in here: pages for that are offered, and that is all.

use crate::auth::caller::Caller;
use crate::auth::egress::Allowed;
use crate::auth::egress::Egress;
use crate::auth::egress::EgressError;
use crate::auth::oauth::bearer::Bearer;
use crate::auth::oauth::bearer::Own;
use crate::auth::oauth::folder::Folder;
use crate::auth::oauth::folder::Stamp;
use crate::auth::oauth::login::GATEWAY;
use crate::auth::oauth::login::Key;
use crate::auth::oauth::offer::Asked;
use crate::auth::oauth::offer::Means;
use crate::auth::oauth::offer::Offer;
use crate::auth::oauth::offers::Offers;
use crate::config::model::Http;
use crate::config::model::Server;
use crate::config::model::Transport;
use crate::config::model::egress::EgressSettings;
use crate::config::model::oauth::OAuth;
use crate::wire::tasks::Tasks;
use std::collections::HashSet;
use std::path::Path;
use std::path::PathBuf;
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
    offers: Offers,
}

impl Logins {
    /// Those in the state folder `dir`, for the gateway of the configuration file `file`. Nothing is read yet.
    #[must_use]
    pub fn new(dir: &Path, file: &Path) -> Self {
        let user = std::path::absolute(file).unwrap_or_else(|_| file.to_owned()).display().to_string();
        let (egress, tasks, offers) = Default::default();
        Self { folder: Folder::within(dir), user, egress, tasks, offers }
    }

    /// The token for the entry `server` of the principal `whose`, or else of the gateway; `None` when nobody can log in
    /// there.
    ///
    /// # Errors
    /// When requests cannot be sent at all.
    pub fn bearer(&self, server: &Server, whose: Option<&str>) -> Result<Option<Bearer>, EgressError> {
        let Some((key, url, settings)) = login_of(server, whose) else { return Ok(None) };
        let egress = self.egress();
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

    /// What changes when `whose` logs in at `server`, or out; `None` when nobody can.
    #[must_use]
    pub fn stamp(&self, server: &Server, whose: Option<&str>) -> Option<Stamp> {
        login_of(server, whose).map(|(key, ..)| self.folder.stamp(&key))
    }

    /// A page on which the caller of `asked` can log in; `None` when nobody can, or too many do.
    #[must_use]
    pub fn offer(&self, asked: Asked) -> Option<Offer> {
        login_of(&asked.server, asked.whose.as_deref())?;
        let (egress, folder, file) = (self.egress(), self.folder.clone(), PathBuf::from(&self.user));
        self.offers.page(asked, Means { egress, folder, file })
    }

    /// The page that was offered to `caller` under this public name, while it is there.
    #[must_use]
    pub fn offered(&self, id: &str, caller: &Caller) -> Option<Offer> {
        self.offers.find(id, caller)
    }

    /// Takes the pages away for which `keeps` is false.
    pub fn keep_offers(&self, keeps: impl Fn(&Asked) -> bool) {
        self.offers.keep(keeps);
    }

    fn egress(&self) -> EgressSettings {
        self.egress.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The file has entries of these names, and says this of requests to authorization servers. Logins of entries that left
    /// it are removed, unless another file has them.
    pub fn configured(self: &Arc<Self>, names: HashSet<String>, egress: EgressSettings) {
        *self.egress.lock().unwrap_or_else(PoisonError::into_inner) = egress;
        self.offers.keep(|asked| names.contains(asked.server.name.as_str()));
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

/// The login at the entry `server` of the principal `whose`, or else of the gateway; where it is, and what the entry says of
/// logins.
#[must_use]
pub fn login_of<'s>(server: &'s Server, whose: Option<&str>) -> Option<(Key, Url, &'s OAuth)> {
    let Transport::Http(http) = &server.transport else { return None };
    let Http { url, oauth: Some(settings), .. } = http else { return None };
    let parsed = Url::parse(&url.value).ok()?;
    // An address with a name in it shows who we are already, and would be told to the authorization server.
    let plain = parsed.username().is_empty() && parsed.password().is_none();
    let key = || Key::new(&server.name, &url.value, whose.unwrap_or(GATEWAY));
    plain.then(|| (key(), parsed, settings))
}
