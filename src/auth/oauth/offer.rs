//! A login that is offered to one caller: a page on this machine that leads to the authorization server.
//!
//! Nothing is asked of anybody before a person presses the button there. The way back is for the browser of that person
//! only (a cookie), and everything is over after ten minutes. Which logins are offered is `offers.rs`.

use crate::auth::caller::Caller;
use crate::auth::oauth::attempt::Attempt;
use crate::auth::oauth::attempt::Wanted;
use crate::auth::oauth::bearer::GOOD_FOR;
use crate::auth::oauth::error::LoginError;
use crate::auth::oauth::folder::Folder;
use crate::auth::oauth::logins::login_of;
use crate::auth::oauth::visit::Lobby;
use crate::auth::oauth::visit::Page;
use crate::auth::oauth::visit::Visit;
use crate::config::model::Server;
use crate::config::model::egress::EgressSettings;
use crate::secret::hex::random;
use crate::telemetry::clean::clean;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::interval;
use tokio::time::sleep;
use tokio::time::timeout;
use url::Url;

/// How long the page is there.
const LIFETIME: Duration = Duration::from_secs(600);
/// How often the button works; each time something is asked of the authorization server.
const STARTS: usize = 5;
/// How often it is looked whether somebody logged in otherwise.
const LOOK: Duration = Duration::from_millis(500);
/// Longest name shown, in bytes.
const SHOWN: usize = 200;

/// For whom and for what.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Who hears of the page.
    pub caller: Caller,
    /// The entry.
    pub server: Arc<Server>,
    /// The principal whose login it is to be; without one it is that of the gateway.
    pub whose: Option<Arc<str>>,
    /// What it is to allow besides what there is.
    pub scopes: Arc<[String]>,
}

/// With what a login is made and kept.
#[derive(Debug, Clone)]
pub(super) struct Means {
    pub(super) egress: EgressSettings,
    pub(super) folder: Folder,
    /// The configuration file.
    pub(super) file: PathBuf,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Open,
    /// There is a login.
    Done,
    /// Nothing came of it.
    Over,
}

type Tells = Box<dyn FnOnce() + Send>;

/// An offered login. Clones are the same one.
#[derive(Clone)]
pub struct Offer(Arc<Inner>);

struct Inner {
    asked: Asked,
    id: Box<str>,
    /// The path of the page, which nobody else can guess.
    path: String,
    address: String,
    stage: watch::Sender<Stage>,
    tells: Mutex<HashMap<u64, Tells>>,
}

impl Offer {
    /// Opens the page for `asked`; it is there while [`Offer::run`] runs. `None` when the system has no port or no random
    /// numbers left.
    pub(super) fn open(asked: Asked) -> Option<(Self, Lobby)> {
        let lobby = Lobby::open().ok()?;
        let (id, path) = (random::<24>()?.into(), format!("/login/{}", random::<24>()?));
        let address = lobby.address(&path);
        let (stage, tells) = (watch::Sender::new(Stage::Open), Mutex::default());
        Some((Self(Arc::new(Inner { asked, id, path, address, stage, tells })), lobby))
    }

    /// Its public name.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// The address of the page. Whoever knows it can log in for its caller: it is for nobody else, and for no log.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.0.address
    }

    /// For whom and for what it is.
    #[must_use]
    pub fn asked(&self) -> &Asked {
        &self.0.asked
    }

    /// True while somebody may log in.
    #[must_use]
    pub fn is_open(&self) -> bool {
        *self.0.stage.borrow() == Stage::Open
    }

    /// Nobody wants it any more.
    pub fn end(&self) {
        self.0.stage.send_if_modified(|stage| {
            let open = *stage == Stage::Open;
            if open {
                *stage = Stage::Over;
            }
            open
        });
    }

    /// Waits until there is a login, or none will come of it.
    pub async fn ended(&self) {
        let _ = self.0.stage.subscribe().wait_for(|stage| *stage != Stage::Open).await;
    }

    /// Has `tells` called once there is a login; of several for one `listener` the last.
    pub fn when_done(&self, listener: u64, tells: impl FnOnce() + Send + 'static) {
        self.0.tells.lock().unwrap_or_else(PoisonError::into_inner).insert(listener, Box::new(tells));
    }

    /// Serves the page until its end.
    pub(super) async fn run(self, lobby: Lobby, means: Means) {
        let logged_in = tokio::select! {
            logged_in = timeout(LIFETIME, self.serve(&lobby, &means)) => logged_in.unwrap_or(false),
            () = self.ended() => false,
        };
        let server = &self.0.asked.server.name;
        if logged_in {
            tracing::info!(%server, caller = %self.0.asked.caller, "somebody logged in on the page that was offered");
            // Then whoever holds a token has looked again, so that the next call shows the new one.
            sleep(GOOD_FOR).await;
            self.0.stage.send_replace(Stage::Done);
            let tells = std::mem::take(&mut *self.0.tells.lock().unwrap_or_else(PoisonError::into_inner));
            tells.into_values().for_each(|tell| tell());
        } else {
            self.end();
        }
    }

    /// True once there is a login.
    async fn serve(&self, lobby: &Lobby, means: &Means) -> bool {
        let (mut attempt, mut starts) = (None, 0);
        loop {
            let visit = tokio::select! {
                visit = lobby.next(|visit| self.page(visit)) => match visit {
                    Ok(visit) => visit,
                    Err(_) => return false,
                },
                (url, visit) = back(attempt.as_ref()) => return self.finish(attempt.take(), &url, visit).await,
                () = self.otherwise(means) => return true,
            };
            starts += 1;
            if starts > STARTS {
                visit
                    .show(Page::saying(
                        "429 Too Many Requests",
                        "This was tried too often. Make the call again.",
                    ))
                    .await;
                return false;
            }
            // The one before gives its port up.
            attempt = None;
            match self.start(means).await {
                Ok((begun, cookie)) => {
                    visit.show(Page::leading_to(begun.address().as_str(), &cookie)).await;
                    attempt = Some(begun);
                }
                Err(error) => self.explain(visit, &error).await,
            }
        }
    }

    /// What a browser is shown; `None` for one that begins the login.
    fn page(&self, visit: &Visit) -> Option<Page> {
        match visit.head.method.as_str() {
            _ if visit.head.path != self.0.path => Some(Page::nothing()),
            "POST" => None,
            "GET" => {
                let Asked { caller, server, whose, .. } = &self.0.asked;
                let (name, caller) = (clean(server.name.as_str(), SHOWN), clean(caller.name(), SHOWN));
                let text = match whose {
                    Some(_) => {
                        format!("The caller `{caller}` of mcp-manifold logs in to the server `{name}`.")
                    }
                    None => format!("mcp-manifold logs in to the server `{name}`, for all its callers."),
                };
                let host = login_of(server, None).and_then(|(_, url, _)| url.host_str().map(str::to_owned));
                let host = clean(&host.unwrap_or_default(), SHOWN);
                let text = format!("{text} It is at {host}. Go on only if this is what you asked for.");
                Some(Page::saying("200 OK", &text).with_button("Log in"))
            }
            _ => Some(Page::nothing()),
        }
    }

    async fn start(&self, means: &Means) -> Result<(Attempt, String), LoginError> {
        let Asked { server, whose, scopes, .. } = &self.0.asked;
        let value = random::<24>()
            .ok_or_else(|| LoginError::Discovery("the system gives no random numbers".into()))?;
        let cookie = format!("mcp-manifold-{}={value}", self.0.id.get(..8).unwrap_or_default());
        let (scopes, cookie_wanted) = (scopes.to_vec(), Some(cookie.clone()));
        let wanted = Wanted { scopes, port: None, whose: whose.clone(), cookie: cookie_wanted };
        let folder = means.folder.clone();
        let attempt = Attempt::start(server, &means.egress, wanted, folder, &means.file).await?;
        Ok((attempt, cookie))
    }

    async fn finish(&self, attempt: Option<Attempt>, returned: &Url, visit: Visit) -> bool {
        let Some(attempt) = attempt else { return false };
        match attempt.keep(returned).await {
            Ok(_) => {
                visit
                    .show(Page::saying("200 OK", "Thank you. You are logged in; this page can be closed."))
                    .await;
                true
            }
            Err(error) => {
                self.explain(visit, &error).await;
                false
            }
        }
    }

    async fn explain(&self, visit: Visit, error: &LoginError) {
        let name = &self.0.asked.server.name;
        tracing::warn!(server = %name, %error, "somebody could not log in on the page that was offered");
        let text = clean(&format!("The server `{name}` {error}"), 4 * SHOWN);
        visit.show(Page::saying("200 OK", &text)).await;
    }

    /// Waits until somebody has logged in, or out, by a command.
    async fn otherwise(&self, means: &Means) {
        let Asked { server, whose, .. } = &self.0.asked;
        let Some((key, ..)) = login_of(server, whose.as_deref()) else { return std::future::pending().await };
        let (before, mut tick) = (means.folder.stamp(&key), interval(LOOK));
        loop {
            tick.tick().await;
            let now = means.folder.stamp(&key);
            if now != before && now.is_kept() {
                return;
            }
        }
    }
}

/// Somebody who comes back, if anybody was sent away.
async fn back(attempt: Option<&Attempt>) -> (Url, Visit) {
    match attempt {
        Some(attempt) => match attempt.visited().await {
            Ok(back) => back,
            Err(_) => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}

/// Its address is a secret.
impl std::fmt::Debug for Offer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_tuple("Offer").field(&self.0.id).finish()
    }
}
