//! Which credentials let somebody in, and for how long.

use super::*;
use crate::auth::keys::NewKey;
use crate::config::model::auth::ApiKey;
use crate::config::model::auth::BasicUser;
use crate::config::model::auth::Holder;
use crate::secret::Secret;
use sha2::Digest;
use sha2::Sha256;

const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// An entrance whose settings can be changed.
struct Rig {
    settings: Arc<Mutex<Arc<AuthSettings>>>,
    inbound: Inbound,
}

impl Rig {
    fn new(settings: AuthSettings) -> Self {
        let settings = Arc::new(Mutex::new(Arc::new(settings)));
        let source = Arc::clone(&settings);
        let inbound = Inbound::new(Box::new(move || Arc::clone(&source.lock().unwrap())), false);
        Self { settings, inbound }
    }

    fn change(&self, settings: AuthSettings) {
        *self.settings.lock().unwrap() = Arc::new(settings);
    }

    async fn shown(&self, authorization: &str) -> Result<Pass, Denied> {
        self.inbound.admit(Some(authorization), PEER).await
    }

    async fn principal(&self, authorization: &str) -> Option<String> {
        self.shown(authorization).await.ok().map(|pass| pass.caller.principal().to_owned())
    }
}

fn settings(tokens: &[&str]) -> AuthSettings {
    let tokens = tokens.iter().map(|token| Secret::new(*token)).collect();
    AuthSettings { tokens, failures_per_minute: 1000, ..AuthSettings::default() }
}

fn key(id: &str, text: &str, expires: Option<u64>) -> ApiKey {
    let holder = Holder { name: id.into(), ..Holder::default() };
    ApiKey { id: id.into(), digest: Sha256::digest(text).into(), holder, expires }
}

#[tokio::test]
async fn each_kind_of_credential_has_its_principal() {
    let mut known = settings(&["first-token-aaaa", "second-token-bbb"]);
    known.keys = vec![key("k", "mmk_k_secret", None)];
    known.basic = vec![BasicUser {
        user: "ann".into(),
        digest: Sha256::digest("pass:word").into(),
        holder: Holder { name: "ann".into(), ..Holder::default() },
    }];
    let rig = Rig::new(known);
    let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
    assert_eq!(rig.principal("Bearer second-token-bbb").await.as_deref(), Some("token:2"));
    assert_eq!(rig.principal("bearer  mmk_k_secret ").await.as_deref(), Some("key:k"));
    assert_eq!(rig.principal(&basic("ann:pass:word")).await.as_deref(), Some("basic:ann"));
    for refused in [
        "",
        "Bearer",
        "Bearer ",
        "Bearer first-token-aaa",
        "Basic first-token-aaaa",
        "mmk_k_secret",
        "Bearer pass:word",
        "Basic",
        "Digest x",
        "Bearer a.b.c",
        &basic("ann:wrong"),
        &basic("bob:pass:word"),
        &basic("mmk_k_secret"),
        &basic(":mmk_k_secret"),
    ] {
        assert_eq!(rig.shown(refused).await.err(), Some(Denied::Wrong), "{refused}");
    }
    assert_eq!(rig.inbound.admit(None, PEER).await.err(), Some(Denied::Missing));
    let open = Rig::new(AuthSettings::default());
    assert_eq!(open.inbound.admit(None, PEER).await.unwrap().caller, Caller::Anonymous);
}

#[tokio::test]
async fn what_is_taken_away_is_refused_at_once_and_opens_nothing() {
    let rig = Rig::new(settings(&["first-token-aaaa", "second-token-bbb"]));
    let pass = rig.shown("Bearer second-token-bbb").await.unwrap();
    let proof = pass.proof.unwrap();
    assert!(rig.inbound.holds(&proof));
    // It is another caller now: who had it with the old number is not to go on as the new one.
    rig.change(settings(&["second-token-bbb"]));
    assert!(!rig.inbound.holds(&proof));
    rig.change(settings(&["third-token-cccc"]));
    assert_eq!(rig.shown("Bearer second-token-bbb").await.err(), Some(Denied::Wrong));
    rig.change(AuthSettings { failures_per_minute: 1000, ..AuthSettings::default() });
    assert_eq!(rig.inbound.admit(None, PEER).await.err(), Some(Denied::Missing));
    assert_eq!(rig.shown("Bearer third-token-cccc").await.err(), Some(Denied::Wrong));
}

#[tokio::test]
async fn a_key_ends_with_its_time() {
    let mut known = settings(&[]);
    known.keys = vec![key("old", "old-key", Some(now() - 1)), key("new", "new-key", Some(now() + 1000))];
    let rig = Rig::new(known);
    assert_eq!(rig.shown("Bearer old-key").await.err(), Some(Denied::Wrong));
    let proof = rig.shown("Bearer new-key").await.unwrap().proof.unwrap();
    assert!(rig.inbound.holds(&proof));
    let mut ended = settings(&[]);
    ended.keys = vec![key("new", "new-key", Some(now()))];
    rig.change(ended);
    assert!(!rig.inbound.holds(&proof));
}

#[tokio::test(start_paused = true)]
async fn who_guesses_waits_and_who_was_let_in_goes_on() {
    let rig = Rig::new(AuthSettings {
        failures_per_minute: 3,
        ..settings(&["first-token-aaaa", "second-token-bbb"])
    });
    assert!(rig.shown("Bearer first-token-aaaa").await.is_ok());
    for _ in 0..3 {
        assert_eq!(rig.shown("Bearer guess").await.err(), Some(Denied::Wrong));
    }
    assert!(matches!(rig.shown("Bearer guess").await, Err(Denied::TooMany(_))));
    assert!(matches!(rig.shown("Bearer second-token-bbb").await, Err(Denied::TooMany(_))));
    assert!(rig.shown("Bearer first-token-aaaa").await.is_ok(), "it was let in before");
    let other = "192.0.2.9".parse().unwrap();
    assert!(rig.inbound.admit(Some("Bearer second-token-bbb"), other).await.is_ok());
    tokio::time::advance(Duration::from_secs(61)).await;
    assert!(rig.shown("Bearer second-token-bbb").await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn who_was_let_in_goes_on_after_an_edit_of_the_file_and_keys_never_wait() {
    let made = NewKey::make().unwrap();
    let text = made.text.expose();
    let mut known =
        AuthSettings { failures_per_minute: 3, ..settings(&["first-token-aaaa", "second-token-bbb"]) };
    known.keys = vec![key("k", text, None), key("chosen", "a-secret-of-their-own", None)];
    let rig = Rig::new(known.clone());
    assert!(rig.shown("Bearer first-token-aaaa").await.is_ok());
    for _ in 0..3 {
        assert_eq!(rig.shown("Bearer guess").await.err(), Some(Denied::Wrong));
    }
    rig.change(AuthSettings { resource: Some("https://x/mcp".into()), ..known.clone() });
    assert!(rig.shown("Bearer first-token-aaaa").await.is_ok(), "it was let in, and is still held");
    assert_eq!(rig.principal(&format!("Bearer {text}")).await.as_deref(), Some("key:k"), "nobody guesses it");
    for chosen in ["Bearer second-token-bbb", "Bearer a-secret-of-their-own"] {
        assert!(matches!(rig.shown(chosen).await, Err(Denied::TooMany(_))), "{chosen}: it can be guessed");
    }
    rig.change(AuthSettings { failures_per_minute: 3, ..settings(&["second-token-bbb"]) });
    assert!(matches!(rig.shown("Bearer first-token-aaaa").await, Err(Denied::TooMany(_))), "it is not held");
    rig.change(known);
    assert!(matches!(rig.shown("Bearer first-token-aaaa").await, Err(Denied::TooMany(_))), "it is forgotten");
}

#[cfg(unix)]
#[tokio::test]
async fn the_file_with_keys_is_followed_and_a_bad_one_lets_nobody_in() {
    use crate::config::model::auth::KeysFile;
    use crate::config::private_file::write;
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json");
    let file = KeysFile { path: path.clone(), user: None, named: false };
    let rig = Rig::new(AuthSettings { keys_file: Some(file), ..settings(&[]) });
    assert!(rig.inbound.admit(None, PEER).await.is_ok(), "no key, no credential");
    let new = NewKey::make().unwrap();
    let shown = format!("Bearer {}", new.text.expose());
    let list = format!(r#"{{"keys":[{{"id":"{}","name":"ann","hash":"{}"}}]}}"#, new.id, new.hash);
    let rig = {
        write(&path, list.as_bytes()).unwrap();
        Rig::new(AuthSettings::clone(&rig.settings.lock().unwrap()))
    };
    assert_eq!(rig.inbound.admit(None, PEER).await.err(), Some(Denied::Missing));
    let principal = format!("key:{}", new.id);
    for spoilt in ["{", r#"{"keys":[]}"#, r#"{"keys":[{"id":"x"}]}"#] {
        assert_eq!(rig.principal(&shown).await.as_ref(), Some(&principal));
        write(&path, spoilt.as_bytes()).unwrap();
        assert_eq!(rig.principal(&shown).await, None, "{spoilt}");
        write(&path, list.as_bytes()).unwrap();
    }
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(rig.principal(&shown).await, None, "others may read it");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(rig.principal(&shown).await.as_ref(), Some(&principal));
    // Written in place, twice in a moment.
    std::fs::write(&path, list.replace("ann", "bob")).unwrap();
    assert_eq!(rig.shown(&shown).await.unwrap().caller.name(), "bob");
    std::fs::write(&path, list.replace("ann", "eve")).unwrap();
    assert_eq!(rig.shown(&shown).await.unwrap().caller.name(), "eve");
    std::fs::remove_file(&path).unwrap();
    assert_eq!(rig.principal(&shown).await, None);
    assert_eq!(rig.inbound.admit(None, PEER).await.err(), Some(Denied::Missing));
}
