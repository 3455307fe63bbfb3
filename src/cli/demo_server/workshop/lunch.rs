//! The workshop's lunch: a form that the client shows to its user, and what comes of the answer.
//!
//! It does not talk to the client itself: how a form travels depends on the era, and that is the server's affair.

use rmcp::model::{
    CallToolResult, ClientCapabilities, ContentBlock, ElicitRequestParams, ElicitResult, ElicitationAction,
    ElicitationSchema, EnumSchema,
};
use serde::Deserialize;

/// The key of the form among the input requests of a modern answer.
pub const KEY: &str = "lunch";

/// The form as the user filled it in.
#[derive(Debug, Deserialize)]
struct Filled {
    dish: String,
    #[serde(default = "one")]
    guests: u32,
    #[serde(default)]
    outside: bool,
}

fn one() -> u32 {
    1
}

/// Whether a client with these capabilities can show a form.
#[must_use]
pub fn can_ask(capabilities: Option<&ClientCapabilities>) -> bool {
    let declared = capabilities.and_then(|capabilities| capabilities.elicitation.as_ref());
    // Before modes existed, an empty declaration meant forms.
    declared.is_some_and(|declared| declared.form.is_some() || declared.url.is_none())
}

/// The answer to a client that cannot show a form.
#[must_use]
pub fn cannot_ask() -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(
        "I would like to ask what you want for lunch, but your client did not declare the `elicitation` \
         capability with forms. Please try again with a client that does.",
    )])
}

/// The form.
#[must_use]
pub fn form() -> ElicitRequestParams {
    let dishes = ["soup", "salad", "dumplings"].map(str::to_owned).to_vec();
    let schema = ElicitationSchema::builder()
        .required_enum_schema("dish", EnumSchema::builder(dishes).title("Dish").build())
        .optional_integer("guests", 1, 12)
        .optional_bool("outside", false)
        .build_unchecked();
    ElicitRequestParams::FormElicitationParams {
        meta: None,
        message: "What shall we have for lunch?".to_owned(),
        requested_schema: schema,
    }
}

/// What comes of the user's answer.
#[must_use]
pub fn plan(answer: ElicitResult) -> CallToolResult {
    let content = match answer.action {
        ElicitationAction::Accept => answer.content.unwrap_or_default(),
        ElicitationAction::Decline => return says("No lunch today, then."),
        _ => return says("Lunch was put off."),
    };
    match serde_json::from_value::<Filled>(content) {
        Ok(Filled { dish, guests, outside }) => {
            let place = if outside { "in the garden" } else { "at the long table" };
            says(format!("Lunch for {guests}: {dish}, {place}."))
        }
        Err(error) => refuses(format!("the filled-in form does not fit: {error}")),
    }
}

/// A result that tells the user why there is no plan.
#[must_use]
pub fn refuses(why: impl Into<String>) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(why.into())])
}

fn says(text: impl Into<String>) -> CallToolResult {
    CallToolResult::success(vec![ContentBlock::text(text.into())])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn text(result: &CallToolResult) -> &str {
        &result.content[0].as_text().expect("lunch is planned in words").text
    }

    #[test]
    fn forms_are_asked_of_clients_that_declare_them() {
        for (declared, expected) in [
            (json!({}), false),
            (json!({"elicitation": {}}), true),
            (json!({"elicitation": {"form": {}}}), true),
            (json!({"elicitation": {"url": {}}}), false),
        ] {
            let capabilities: ClientCapabilities = serde_json::from_value(declared).unwrap();
            assert_eq!(can_ask(Some(&capabilities)), expected, "{capabilities:?}");
        }
        assert!(!can_ask(None));
    }

    #[test]
    fn every_answer_becomes_a_sentence() {
        let accepted = ElicitResult::new(ElicitationAction::Accept)
            .with_content(json!({"dish": "soup", "guests": 3, "outside": true}));
        assert_eq!(text(&plan(accepted)), "Lunch for 3: soup, in the garden.");
        assert_eq!(text(&plan(ElicitResult::new(ElicitationAction::Decline))), "No lunch today, then.");
        assert_eq!(text(&plan(ElicitResult::new(ElicitationAction::Cancel))), "Lunch was put off.");
        let broken = plan(ElicitResult::new(ElicitationAction::Accept));
        assert_eq!(broken.is_error, Some(true));
    }
}
