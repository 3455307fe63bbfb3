//! Asks a legacy client, while its call is open, what a modern one is asked with a result.
//!
//! It knows no tool: it repeats one until it asks for nothing more.

use rmcp::model::{ClientCapabilities, InputRequest, InputRequests, InputRequiredResult, InputResponses};
use rmcp::service::ServiceError;
use rmcp::{ErrorData, Peer, RoleServer};
use serde::Serialize;
use serde_json::Value;

/// More rounds than any tool here has.
const ROUNDS: usize = 8;

/// An outcome that may be a question.
pub trait Outcome: Sized {
    /// The questions, or the outcome itself if it is none.
    fn question(self) -> Result<InputRequiredResult, Self>;
}

/// Runs `step` with the answers and the state so far, until its outcome is no question.
pub async fn until_answered<T: Outcome>(
    peer: &Peer<RoleServer>,
    capabilities: &ClientCapabilities,
    mut step: impl FnMut(Option<&InputResponses>, Option<&str>) -> Result<T, ErrorData>,
) -> Result<T, ErrorData> {
    let mut answers = None;
    let mut state = None;
    for _ in 0..ROUNDS {
        let question = match step(answers.as_ref(), state.as_deref())?.question() {
            Ok(question) => question,
            Err(outcome) => return Ok(outcome),
        };
        answers = Some(all(peer, capabilities, question.input_requests.unwrap_or_default()).await?);
        state = question.request_state;
    }
    Err(ErrorData::internal_error("the client was asked too often", None))
}

async fn all(
    peer: &Peer<RoleServer>,
    capabilities: &ClientCapabilities,
    requests: InputRequests,
) -> Result<InputResponses, ErrorData> {
    let mut answers = InputResponses::new();
    for (key, request) in requests {
        answers.insert(key, one(peer, capabilities, request).await?);
    }
    Ok(answers)
}

async fn one(
    peer: &Peer<RoleServer>,
    capabilities: &ClientCapabilities,
    request: InputRequest,
) -> Result<Value, ErrorData> {
    let missing =
        |what: &str| Err(ErrorData::invalid_request(format!("the client does not declare {what}"), None));
    match request {
        InputRequest::Elicitation(_) if capabilities.elicitation.is_none() => missing("elicitation"),
        InputRequest::Elicitation(request) => value(peer.create_elicitation(request.params).await),
        InputRequest::CreateMessage(_) if capabilities.sampling.is_none() => missing("sampling"),
        InputRequest::CreateMessage(request) => value(peer.create_message(request.params).await),
        InputRequest::ListRoots(_) if capabilities.roots.is_none() => missing("roots"),
        InputRequest::ListRoots(_) => value(peer.list_roots().await),
        _ => missing("what this asks for"),
    }
}

fn value(answer: Result<impl Serialize, ServiceError>) -> Result<Value, ErrorData> {
    let refused = |error: String| ErrorData::internal_error(error, None);
    serde_json::to_value(answer.map_err(|error| refused(error.to_string()))?)
        .map_err(|error| refused(error.to_string()))
}
