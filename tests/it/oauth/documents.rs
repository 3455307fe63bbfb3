//! As whom the gateway is known to an authorization server: the client of the entry, else its document (Client ID Metadata
//! Document) where such are read, else one that is registered.
//!
//! Nobody fetches the document here: what is in it is a matter between the user and the authorization server.

use crate::oauth::conf_with;
use crate::oauth::param;
use crate::oauth::person::Person;
use crate::oauth::person::run;
use crate::oauth::rig::Rig;
use serde_json::json;

const DOCUMENT: &str = "https://client.example/mcp-manifold.json";

#[test]
fn a_client_is_the_one_of_the_entry_or_its_document_or_a_registered_one() {
    for (reads, own, expected) in [
        (json!(true), None, DOCUMENT),
        (json!(true), Some("own"), "own"),
        (json!(false), None, "client-1"),
        (json!("true"), None, "client-1"),
        (json!(null), None, "client-1"),
    ] {
        let metadata = json!({ "client_id_metadata_document_supported": reads });
        let rig = Rig::with(|ways| {
            ways.changes_metadata = metadata;
            ways.lifetimes = (0, 3600);
        });
        let mut entry = rig.entry();
        entry["auth"] = json!({ "type": "oauth", "clientMetadataUrl": DOCUMENT });
        if let Some(own) = own {
            entry["auth"]["clientId"] = json!(own);
        }
        let conf = conf_with(&entry);
        let person = Person::logs_in(&conf, &["x"]);
        let what = format!("{reads} {own:?}");
        assert_eq!(param(&person.address(), "client_id").as_deref(), Some(expected), "{what}");
        let ended = person.finishes();
        assert_eq!(ended.code, 0, "{what}: {}", ended.stderr);
        assert_eq!(run(&conf, &["call", "x__echo"]).code, 0, "{what}");
        for kind in ["authorization_code", "refresh_token"] {
            let grants = rig.grants(kind);
            assert_eq!(grants.len(), 1, "{what} {kind}");
            assert_eq!(grants[0].param("client_id").as_deref(), Some(expected), "{what} {kind}");
        }
        assert_eq!(rig.registered().len(), usize::from(expected == "client-1"), "{what}");
    }
}
