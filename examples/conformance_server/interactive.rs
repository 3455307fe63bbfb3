//! The tools that ask the client something. Each is written once, as steps: with what is answered so far it gives a
//! result or asks on. Modern clients get the questions as a result, legacy ones are asked while the call is open.
//!
//! Nothing is kept between the steps but what the client brings back.

use rmcp::ErrorData;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ClientCapabilities, ContentBlock, InputRequest,
    InputRequests, InputRequiredResult, InputResponses,
};
use serde_json::{Value, json};

use crate::ask::Outcome;
use crate::inputs::{Answers, form, one, roots, sampling, text_form};
use crate::seal::Seal;

/// Names and descriptions.
pub const TOOLS: [(&str, &str); 13] = [
    ("test_sampling", "Asks the client for a completion"),
    ("test_elicitation", "Asks the user for a name and an address"),
    ("test_elicitation_sep1034_defaults", "Asks with a form whose fields have defaults"),
    ("test_elicitation_sep1330_enums", "Asks with a form of choices"),
    ("test_streaming_elicitation", "Asks with a form, in the answer only"),
    ("test_input_required_result_elicitation", "Asks with a form"),
    ("test_input_required_result_sampling", "Asks for a completion"),
    ("test_input_required_result_list_roots", "Asks for the roots"),
    ("test_input_required_result_request_state", "Asks, and wants its state back"),
    ("test_input_required_result_multiple_inputs", "Asks for three things at once"),
    ("test_input_required_result_multi_round", "Asks twice"),
    ("test_input_required_result_tampered_state", "Asks, and refuses a state that was changed"),
    ("test_input_required_result_capabilities", "Asks only for what the client declares"),
];

impl Outcome for CallToolResponse {
    fn question(self) -> Result<InputRequiredResult, Self> {
        match self {
            Self::InputRequired(question) => Ok(question),
            outcome => Err(outcome),
        }
    }
}

/// Whether the tool is one of these.
pub fn knows(name: &str) -> bool {
    TOOLS.iter().any(|(known, _)| *known == name)
}

/// What a step of a tool sees.
pub struct Step<'a> {
    pub call: &'a CallToolRequestParams,
    pub capabilities: &'a ClientCapabilities,
    pub answers: Option<&'a InputResponses>,
    pub state: Option<&'a str>,
    pub seal: &'a Seal,
}

impl Step<'_> {
    pub fn run(&self) -> Result<CallToolResponse, ErrorData> {
        match self.call.name.as_ref() {
            "test_sampling" => self.ask_or(
                "sampling",
                || Ok(sampling(self.argument("prompt")?)),
                |answer| format!("LLM response: {}", sampled(answer)),
            ),
            "test_elicitation" => self.ask_or("user", || person(self.argument("message")?), response),
            "test_elicitation_sep1034_defaults" => self.ask_or("values", defaults, completed),
            "test_elicitation_sep1330_enums" => self.ask_or("choices", choices, completed),
            "test_streaming_elicitation" => {
                self.ask_or("value", || text_form("Provide a value", "value"), completed)
            }
            "test_input_required_result_elicitation" => {
                let answers = Answers(self.answers);
                self.ask_or("user_name", name, |_| {
                    format!("Hello, {}!", answers.text("user_name", "name").unwrap_or("stranger"))
                })
            }
            "test_input_required_result_sampling" => self.ask_or(
                "capital_question",
                || Ok(sampling("What is the capital of France?")),
                |answer| format!("Sampling response: {}", sampled(answer)),
            ),
            "test_input_required_result_list_roots" => {
                self.ask_or("client_roots", || Ok(roots()), |answer| format!("Roots: {}", answer["roots"]))
            }
            "test_input_required_result_request_state" | "test_input_required_result_tampered_state" => {
                self.confirmed()
            }
            "test_input_required_result_multiple_inputs" => self.three(),
            "test_input_required_result_multi_round" => self.rounds(),
            "test_input_required_result_capabilities" => self.declared(),
            name => Err(ErrorData::invalid_params(format!("unknown tool {name}"), None)),
        }
    }

    /// Asks under this key until it is answered.
    fn ask_or(
        &self,
        key: &str,
        question: impl FnOnce() -> Result<InputRequest, ErrorData>,
        say: impl FnOnce(&Value) -> String,
    ) -> Result<CallToolResponse, ErrorData> {
        match Answers(self.answers).get(key) {
            Some(answer) => Ok(said(&say(&Value::Object(answer.clone())))),
            None => Ok(one(key, question()?).into()),
        }
    }

    fn argument(&self, name: &str) -> Result<&str, ErrorData> {
        let given = self.call.arguments.as_ref().and_then(|arguments| arguments.get(name)?.as_str());
        given.ok_or_else(|| ErrorData::invalid_params(format!("{name} must be a text"), None))
    }

    fn confirmed(&self) -> Result<CallToolResponse, ErrorData> {
        if let Some(state) = self.state {
            self.seal.open(state)?;
            return Ok(said("Confirmed: state-ok"));
        }
        let ok = form("Please confirm", json!({ "ok": { "type": "boolean" } }), json!(["ok"]))?;
        Ok(self.remember("confirm", [("confirm", ok)]))
    }

    fn three(&self) -> Result<CallToolResponse, ErrorData> {
        let keys = ["user_name", "greeting", "client_roots"];
        let opened = self.state.map(|state| self.seal.open(state)).transpose()?;
        if opened.is_some() && keys.iter().all(|key| Answers(self.answers).get(key).is_some()) {
            return Ok(said("All inputs received"));
        }
        Ok(self.remember("gather", std::iter::zip(keys, [name()?, sampling("Generate a greeting"), roots()])))
    }

    fn rounds(&self) -> Result<CallToolResponse, ErrorData> {
        let round = self.state.map(|state| self.seal.open(state)).transpose()?;
        match round.as_deref() {
            None => Ok(self.remember("1", [("step1", text_form("Step 1: what is your name?", "name")?)])),
            Some("1") => Ok(self
                .remember("2", [("step2", text_form("Step 2: what is your favourite colour?", "color")?)])),
            Some(_) => Ok(said("Multi-round flow complete")),
        }
    }

    fn declared(&self) -> Result<CallToolResponse, ErrorData> {
        if self.answers.is_some() {
            return Ok(said("Everything declared was asked for"));
        }
        let mut requests = InputRequests::new();
        if self.capabilities.elicitation.is_some() {
            requests.insert("user_name".to_owned(), name()?);
        }
        if self.capabilities.sampling.is_some() {
            requests.insert("greeting".to_owned(), sampling("Generate a greeting"));
        }
        if self.capabilities.roots.is_some() {
            requests.insert("client_roots".to_owned(), roots());
        }
        if requests.is_empty() {
            return Ok(said("The client declares nothing that can be asked for"));
        }
        Ok(InputRequiredResult::from_input_requests(requests).into())
    }

    /// Asks these and has the client bring back the state.
    fn remember<'k>(
        &self,
        state: &str,
        requests: impl IntoIterator<Item = (&'k str, InputRequest)>,
    ) -> CallToolResponse {
        let requests = requests.into_iter().map(|(key, request)| (key.to_owned(), request)).collect();
        InputRequiredResult::new(Some(requests), Some(self.seal.close(state))).into()
    }
}

fn said(text: &str) -> CallToolResponse {
    CallToolResult::success(vec![ContentBlock::text(text)]).into()
}

fn name() -> Result<InputRequest, ErrorData> {
    text_form("What is your name?", "name")
}

/// The text of a sampled message, whose content is one block or a list.
fn sampled(answer: &Value) -> &str {
    let content = &answer["content"];
    content["text"].as_str().or_else(|| content[0]["text"].as_str()).unwrap_or("no text")
}

fn action(answer: &Value) -> &str {
    answer["action"].as_str().unwrap_or("none")
}

fn response(answer: &Value) -> String {
    format!("User response: action={}, content={}", action(answer), answer["content"])
}

fn completed(answer: &Value) -> String {
    format!("Elicitation completed: action={}, content={}", action(answer), answer["content"])
}

fn person(message: &str) -> Result<InputRequest, ErrorData> {
    let properties = json!({
        "username": { "type": "string", "description": "User's response" },
        "email": { "type": "string", "description": "User's email address" }
    });
    form(message, properties, json!(["username", "email"]))
}

fn defaults() -> Result<InputRequest, ErrorData> {
    let properties = json!({
        "name": { "type": "string", "default": "John Doe" },
        "age": { "type": "integer", "default": 30 },
        "score": { "type": "number", "default": 95.5 },
        "status": { "type": "string", "enum": ["active", "inactive", "pending"], "default": "active" },
        "verified": { "type": "boolean", "default": true }
    });
    form("Please review the values", properties, json!([]))
}

fn choices() -> Result<InputRequest, ErrorData> {
    let plain = ["option1", "option2", "option3"];
    let properties = json!({
        "untitledSingle": { "type": "string", "enum": plain },
        "titledSingle": { "type": "string", "oneOf": titled("Option") },
        "legacyEnum": {
            "type": "string",
            "enum": ["opt1", "opt2", "opt3"],
            "enumNames": ["Option One", "Option Two", "Option Three"]
        },
        "untitledMulti": { "type": "array", "items": { "type": "string", "enum": plain } },
        "titledMulti": { "type": "array", "items": { "anyOf": titled("Choice") } }
    });
    form("Please choose", properties, json!([]))
}

/// Three values with titles.
fn titled(word: &str) -> Vec<Value> {
    let title = |(index, place)| json!({ "const": format!("value{}", index + 1), "title": format!("{place} {word}") });
    ["First", "Second", "Third"].iter().enumerate().map(title).collect()
}
